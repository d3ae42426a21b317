package import AegisCore

/// The end of the admin's audit log: how many records there are, and the digest of the last one,
/// which fixes all before it. Once committed, a log that says otherwise was rewritten.
package struct AuditHead: Hashable, Sendable {
    package let records: UInt64
    package let digest: Digest

    package init(records: UInt64, digest: Digest) {
        self.records = records
        self.digest = digest
    }

    package var cbor: CBOR { .fields([1: .unsigned(records), 2: .digest(digest)]) }

    package init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        records = try fields.unsigned(1)
        digest = try fields.digest(2)
        try fields.finish()
    }
}
