package import AegisCore

/// A quorum of first votes for one value in one view (QC1). An unsigned assembly: the votes are the
/// complete COSE_Sign1 of their signers, which any COSE library can check offline.
package struct VoteCertificate: Hashable, Sendable {
    package let votes: [SignedEnvelope]

    package init(votes: [SignedEnvelope]) { self.votes = votes }

    package var encoded: [UInt8] {
        Assembly.voteCertificate.encode([(1, .envelopes(votes))])
    }

    package init(decoding bytes: [UInt8]) throws(StatementError) {
        var fields = try Assembly.voteCertificate.fields(bytes)
        votes = try fields.envelopes(1)
        try fields.finish()
    }
}

/// A quorum of timeouts of one view (TC), with the highest certificate that they name: elects the
/// coordinator of the next view and binds it to that certificate's value.
package struct TimeoutCertificate: Hashable, Sendable {
    package let timeouts: [SignedEnvelope]
    package let highest: VoteCertificate?

    package init(timeouts: [SignedEnvelope], highest: VoteCertificate?) {
        self.timeouts = timeouts
        self.highest = highest
    }

    package var encoded: [UInt8] {
        Assembly.timeoutCertificate.encode([
            (1, .envelopes(timeouts)), (2, highest.map { .bytes($0.encoded) } ?? .null),
        ])
    }

    package init(decoding bytes: [UInt8]) throws(StatementError) {
        var fields = try Assembly.timeoutCertificate.fields(bytes)
        timeouts = try fields.envelopes(1)
        switch try fields.value(2) {
        case .null: highest = nil
        case .bytes(let bytes): highest = try VoteCertificate(decoding: bytes)
        default: throw .wrongType(field: 2)
        }
        try fields.finish()
    }
}

/// A decided value and the quorum of second votes that decided it: what catch-up, the admin and
/// offline verification read. `MeshRules.verify` checks it.
package struct CommitRecord: Hashable, Sendable {
    package let header: [UInt8]
    package let body: [UInt8]
    /// COSE_Sign1 of equal `Vote2`s, one by each voter.
    package let certificate: [SignedEnvelope]

    package init(header: [UInt8], body: [UInt8], certificate: [SignedEnvelope]) {
        self.header = header
        self.body = body
        self.certificate = certificate
    }

    package var encoded: [UInt8] {
        Assembly.commit.encode([
            (1, .bytes(header)), (2, .bytes(body)), (3, .envelopes(certificate)),
        ])
    }

    package init(decoding bytes: [UInt8]) throws(StatementError) {
        var fields = try Assembly.commit.fields(bytes)
        header = try fields.bytes(1)
        body = try fields.bytes(2)
        certificate = try fields.envelopes(3)
        try fields.finish()
    }
}

/// The unsigned things that travel beside signed statements; field 0 says which.
enum Assembly: UInt64 {
    case voteCertificate = 1
    case timeoutCertificate = 2
    case commit = 3
    case hello = 4
    case helloReply = 5
    case evidence = 6
    case finalCertificate = 7
    case fork = 8

    func encode(_ fields: [(Int64, CBOR)]) -> [UInt8] {
        CBOR.map(CBORMap([(0, .unsigned(rawValue))] + fields)).encoded
    }

    func fields(_ bytes: [UInt8]) throws(StatementError) -> CBORFields {
        var fields = try CBORFields(decoding: bytes)
        guard try fields.unsigned(0) == rawValue else { throw .outOfRange(field: 0) }
        return fields
    }
}
