package import AegisCore

/// One byte string of a `POST /mesh/v1/statements`: a signed statement or an assembly of them.
/// Decoding looks at no payload; the participant opens each envelope after its signature.
package enum Statement: Hashable, Sendable {
    case signed(SignedEnvelope)
    case voteCertificate(VoteCertificate)
    case timeoutCertificate(TimeoutCertificate)
    case commit(CommitRecord)
    case hello(Hello)
    case helloReply(HelloReply)
    case evidence(Evidence)
    case finalCertificate(FinalCertificate)
    case fork(ForkProof)

    package var encoded: [UInt8] {
        switch self {
        case .signed(let envelope): envelope.bytes
        case .voteCertificate(let certificate): certificate.encoded
        case .timeoutCertificate(let certificate): certificate.encoded
        case .commit(let record): record.encoded
        case .hello(let hello): hello.encoded
        case .helloReply(let reply): reply.encoded
        case .evidence(let evidence): evidence.encoded
        case .finalCertificate(let certificate): certificate.encoded
        case .fork(let proof): proof.encoded
        }
    }

    package init(decoding bytes: [UInt8]) throws(StatementDecodingError) {
        if bytes.first == SignedEnvelope.firstByte {
            do { self = .signed(try SignedEnvelope(parsing: bytes)) } catch {
                throw .envelope(error)
            }
            return
        }
        do { self = try Self.assembly(bytes) } catch { throw .assembly(error) }
    }

    private static func assembly(_ bytes: [UInt8]) throws(StatementError) -> Statement {
        var fields = try CBORFields(decoding: bytes)
        switch Assembly(rawValue: try fields.unsigned(0)) {
        case .voteCertificate: return .voteCertificate(try VoteCertificate(decoding: bytes))
        case .timeoutCertificate:
            return .timeoutCertificate(try TimeoutCertificate(decoding: bytes))
        case .commit: return .commit(try CommitRecord(decoding: bytes))
        case .hello: return .hello(try Hello(decoding: bytes))
        case .helloReply: return .helloReply(try HelloReply(decoding: bytes))
        case .evidence: return .evidence(try Evidence(decoding: bytes))
        case .finalCertificate: return .finalCertificate(try FinalCertificate(decoding: bytes))
        case .fork: return .fork(try ForkProof(decoding: bytes))
        case nil: throw .outOfRange(field: 0)
        }
    }
}

/// Why bytes from a peer are no statement of ours.
package enum StatementDecodingError: Error, Hashable, Sendable {
    case envelope(EnvelopeError)
    case assembly(StatementError)
}

extension SignedEnvelope {
    /// The CBOR tag 18, COSE_Sign1.
    static let firstByte: UInt8 = 0xd2
}

extension CBOR {
    static func envelopes(_ envelopes: [SignedEnvelope]) -> CBOR {
        .array(envelopes.map { .bytes($0.bytes) })
    }
}

extension CBORFields {
    /// Complete COSE_Sign1 envelopes, at most one for each participant.
    mutating func envelopes(
        _ field: Int64, max: Int = Limits.participantsMax
    ) throws(StatementError) -> [SignedEnvelope] {
        var envelopes: [SignedEnvelope] = []
        for bytes in try byteStrings(field, max: max) {
            guard let envelope = try? SignedEnvelope(parsing: bytes) else {
                throw .outOfRange(field: field)
            }
            envelopes.append(envelope)
        }
        return envelopes
    }

    mutating func digests(_ field: Int64, max: Int) throws(StatementError) -> [Digest] {
        var digests: [Digest] = []
        for bytes in try byteStrings(field, max: max) {
            guard let digest = Digest(bytes) else { throw .outOfRange(field: field) }
            digests.append(digest)
        }
        return digests
    }

    mutating func run(_ field: Int64) throws(StatementError) -> RunID {
        guard let run = RunID(try bytes(field)) else { throw .outOfRange(field: field) }
        return run
    }
}
