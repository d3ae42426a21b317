package import AegisCore

/// A coordinator's proposal: a value and why this node may propose it. In view 0 that is the
/// certificate of the height before, which everybody at this height has; later it is the timeout
/// certificate that elected the coordinator (PROTOCOL.md §2.3).
package struct Proposal: Hashable, Sendable {
    package let scope: StatementScope
    /// Exact bytes: the value's digest is theirs.
    package let header: [UInt8]
    package let body: [UInt8]
    package let justification: TimeoutCertificate?

    package init(
        scope: StatementScope, header: [UInt8], body: [UInt8], justification: TimeoutCertificate?
    ) {
        self.scope = scope
        self.header = header
        self.body = body
        self.justification = justification
    }

    package var payload: [UInt8] {
        scope.fields(and: [
            (5, .bytes(header)), (6, .bytes(body)),
            (7, justification.map { .bytes($0.encoded) } ?? .null),
        ])
    }

    package init(payload: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: payload)
        scope = try StatementScope(reading: &fields)
        header = try fields.bytes(5)
        body = try fields.bytes(6)
        switch try fields.value(7) {
        case .null: justification = nil
        case .bytes(let bytes): justification = try TimeoutCertificate(decoding: bytes)
        default: throw .wrongType(field: 7)
        }
        try fields.finish()
        guard (justification == nil) == (scope.view == 0) else { throw .outOfRange(field: 7) }
    }
}
