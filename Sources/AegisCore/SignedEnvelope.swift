/// What a signed statement says, and the domain its signature holds in. The raw value is the
/// external_aad of the signature, so a vote can't be shown as anything else.
package enum StatementType: String, CaseIterable, Sendable {
    case founding = "aegis/1/founding"
    case joinRequest = "aegis/1/join-request"
    case genesisSignature = "aegis/1/genesis-signature"
    case tlsBinding = "aegis/1/tls-binding"
    case command = "aegis/1/command"
    case consent = "aegis/1/consent"
    case update = "aegis/1/update"
    case haveList = "aegis/1/have-list"
    case proposal = "aegis/1/proposal"
    case vote1 = "aegis/1/vote1"
    case vote2 = "aegis/1/vote2"
    case timeout = "aegis/1/timeout"
    case hello = "aegis/1/hello"
    case keyConsent = "aegis/1/key-consent"
    case coSign = "aegis/1/co-sign"
}

/// Why bytes are not a COSE_Sign1 of ours.
package enum EnvelopeError: Error, Hashable, Sendable {
    case malformed(CBORError)
    /// Well-formed CBOR, but not a tagged COSE_Sign1 with our headers.
    case notASignedEnvelope
    case unknownType(String)
    case unexpectedType(StatementType, expected: StatementType)
    case badSignature(NodeID)
}

/// A COSE_Sign1 (RFC 9052 §4.2) with EdDSA: bytes with a sender and a signature over exactly these
/// bytes in this type's domain. Parsing looks at the headers only; the payload stays closed until
/// a verifier has accepted the signature.
///
/// Protected header: `{1: -8 (EdDSA), 3: statement type, 4: the sender's public key}`.
package struct SignedEnvelope: Hashable, Sendable {
    /// The exact bytes, as received and as stored and forwarded.
    package let bytes: [UInt8]
    package let type: StatementType
    package let sender: NodeID
    package let signature: [UInt8]
    private let protectedHeader: [UInt8]
    private let payload: [UInt8]

    package static let signatureBytes = 64
    private static let tag: UInt8 = 0xd2
    private static let algorithmEdDSA: Int64 = -8

    package init(parsing bytes: [UInt8]) throws(EnvelopeError) {
        guard bytes.first == Self.tag else { throw .notASignedEnvelope }
        let body: CBOR
        do { body = try CBOR.decode(Array(bytes.dropFirst())) } catch { throw .malformed(error) }
        guard case .array(let parts) = body, parts.count == 4,
            case .bytes(let protectedHeader) = parts[0],
            case .map(let unprotected) = parts[1], unprotected.entries.isEmpty,
            case .bytes(let payload) = parts[2],
            case .bytes(let signature) = parts[3], signature.count == Self.signatureBytes
        else { throw .notASignedEnvelope }
        let header: CBOR
        do { header = try CBOR.decode(protectedHeader) } catch { throw .malformed(error) }
        guard case .map(let map) = header, map.entries.count == 3,
            map[1] == .integer(Self.algorithmEdDSA),
            case .text(let name) = map[3],
            case .bytes(let key) = map[4], let sender = NodeID(key)
        else { throw .notASignedEnvelope }
        guard let type = StatementType(rawValue: name) else { throw .unknownType(name) }
        self.bytes = bytes
        self.type = type
        self.sender = sender
        self.signature = signature
        self.protectedHeader = protectedHeader
        self.payload = payload
    }

    /// Signs `payload` with `sign`, which is given the Sig_structure and returns 64 bytes.
    package init<Failure: Error>(
        _ type: StatementType, from sender: NodeID, payload: [UInt8],
        sign: ([UInt8]) throws(Failure) -> [UInt8]
    ) throws(Failure) {
        let header = CBOR.fields([
            1: .integer(Self.algorithmEdDSA), 3: .text(type.rawValue), 4: .node(sender),
        ]).encoded
        let signature = try sign(Self.signatureInput(type, header: header, payload: payload))
        precondition(signature.count == Self.signatureBytes, "an Ed25519 signature has 64 bytes")
        self.bytes =
            [Self.tag]
            + CBOR.array([
                .bytes(header), .map(CBORMap([])), .bytes(payload), .bytes(signature),
            ]).encoded
        self.type = type
        self.sender = sender
        self.signature = signature
        self.protectedHeader = header
        self.payload = payload
    }

    /// The bytes the signature is over (RFC 9052 §4.4).
    package var signatureInput: [UInt8] {
        Self.signatureInput(type, header: protectedHeader, payload: payload)
    }

    /// The payload before anyone has checked the signature: for a verifier only (TidyTests looks).
    package var unverifiedPayload: [UInt8] { payload }

    private static func signatureInput(
        _ type: StatementType, header: [UInt8], payload: [UInt8]
    ) -> [UInt8] {
        CBOR.array([
            "Signature1", .bytes(header), .bytes(Array(type.rawValue.utf8)), .bytes(payload),
        ]).encoded
    }
}
