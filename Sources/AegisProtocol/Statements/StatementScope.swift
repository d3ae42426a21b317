package import AegisCore

/// What every statement of an agreement names, so that none counts in another mesh, under another
/// roster, at another height or in another view (PROTOCOL.md §2.4). The sender is the envelope's.
package struct StatementScope: Hashable, Sendable {
    package let mesh: MeshID
    /// Of the roster that decides this height.
    package let roster: Digest
    package let height: UInt64
    package let view: UInt32

    package init(mesh: MeshID, roster: Digest, height: UInt64, view: UInt32) {
        self.mesh = mesh
        self.roster = roster
        self.height = height
        self.view = view
    }

    /// Whether it is the same height and view.
    func isPlace(of other: StatementScope) -> Bool {
        height == other.height && view == other.view
    }

    /// Fields 1 to 4 of every statement of an agreement.
    func fields(and more: [(Int64, CBOR)]) -> [UInt8] {
        CBOR.map(
            CBORMap(
                [
                    (1, .bytes(mesh.bytes)), (2, .digest(roster)), (3, .unsigned(height)),
                    (4, .unsigned(UInt64(view))),
                ] + more)
        ).encoded
    }

    init(reading fields: inout CBORFields) throws(StatementError) {
        mesh = try fields.mesh(1)
        roster = try fields.digest(2)
        height = try fields.unsigned(3, max: UInt64(Int64.max))
        view = UInt32(try fields.unsigned(4, max: ProtocolLimits.viewMax))
    }
}
