package import AegisCore

/// "I hold the commit of this height and the model it names, and know of nothing that contradicts
/// it." Once for each height, after the commit is durable, and only where the header extends the
/// last one that this node co-signed (PROTOCOL.md §2.8). Its view is 0.
package struct CoSign: Hashable, Sendable {
    package let scope: StatementScope
    /// Of the decided header.
    package let value: Digest

    package init(scope: StatementScope, value: Digest) {
        self.scope = scope
        self.value = value
    }

    package var payload: [UInt8] { scope.fields(and: [(5, .digest(value))]) }

    package init(payload: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: payload)
        scope = try StatementScope(reading: &fields)
        value = try fields.digest(5)
        try fields.finish()
        guard scope.view == 0 else { throw .outOfRange(field: 4) }
    }
}

/// Equal co-signatures of one height by `Roster.finalQuorum` participants or more: the height and
/// all before it are final. Two of c signatures can't conflict unless 2c − n sign both. An
/// unsigned assembly of complete COSE_Sign1, in the order of the roster; with fewer of them it
/// proves nothing yet, and carries them to whoever lacks some.
package struct FinalCertificate: Hashable, Sendable {
    package let coSigns: [SignedEnvelope]

    package init(coSigns: [SignedEnvelope]) { self.coSigns = coSigns }

    package var encoded: [UInt8] {
        Assembly.finalCertificate.encode([(1, .envelopes(coSigns))])
    }

    package init(decoding bytes: [UInt8]) throws(StatementError) {
        var fields = try Assembly.finalCertificate.fields(bytes)
        coSigns = try fields.envelopes(1)
        try fields.finish()
    }
}

/// Two certified headers of one height: more traitors than the roster bears (PROTOCOL.md §2.9).
/// Whoever holds it stops for good; operators decide. The bodies aren't needed to check it.
package struct ForkProof: Hashable, Sendable {
    package let first: CommitRecord
    package let second: CommitRecord

    package init(_ first: CommitRecord, _ second: CommitRecord) {
        self.first = first.withoutBody
        self.second = second.withoutBody
    }

    package var encoded: [UInt8] {
        Assembly.fork.encode([(1, .bytes(first.encoded)), (2, .bytes(second.encoded))])
    }

    package init(decoding bytes: [UInt8]) throws(StatementError) {
        var fields = try Assembly.fork.fields(bytes)
        let first = try CommitRecord(decoding: try fields.bytes(1))
        let second = try CommitRecord(decoding: try fields.bytes(2))
        try fields.finish()
        guard first.body.isEmpty, second.body.isEmpty else { throw .outOfRange(field: 1) }
        self.init(first, second)
    }
}

extension CommitRecord {
    /// What its certificate signs, and the certificate.
    package var withoutBody: CommitRecord {
        body.isEmpty ? self : CommitRecord(header: header, body: [], certificate: certificate)
    }
}
