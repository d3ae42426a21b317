package import AegisCore

/// What a mesh is before it has members: its id, the key of its admin, and the policy its founders
/// agree to. Signed by the admin; its digest is what a founding token pins.
package struct FoundingStatement: Hashable, Sendable {
    package let mesh: MeshID
    package let name: String
    package let admin: NodeID
    package let policy: MeshPolicy
    /// Milliseconds since 1970, UTC.
    package let foundedAt: UInt64

    package init(
        mesh: MeshID, name: String, admin: NodeID, policy: MeshPolicy, foundedAt: UInt64
    ) {
        self.mesh = mesh
        self.name = name
        self.admin = admin
        self.policy = policy
        self.foundedAt = foundedAt
    }

    package var payload: [UInt8] {
        CBOR.fields([
            1: .bytes(mesh.bytes), 2: .text(name), 3: .node(admin), 4: policy.cbor,
            5: .unsigned(foundedAt),
        ]).encoded
    }

    package init(payload: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: payload)
        mesh = try fields.mesh(1)
        name = try fields.text(2)
        admin = try fields.node(3)
        policy = try MeshPolicy(try fields.value(4))
        foundedAt = try fields.unsigned(5)
        try fields.finish()
    }
}

/// What the founders agree to, once for the mesh.
package struct MeshPolicy: Hashable, Sendable {
    /// Whether three nodes need all three signatures (no fork with up to two traitors, stops on any
    /// outage) instead of two (one may be down; PROTOCOL.md §2.1).
    package var strictThree: Bool
    /// The base view timeout B, in milliseconds (§2.12).
    package var viewTimeoutMilliseconds: UInt64
    /// The admin takes at most one participant out (evicts it, or replaces its lost key) in so many
    /// milliseconds of committed time (§2.10).
    package var removalIntervalMilliseconds: UInt64

    package static let removalIntervalUsual: UInt64 = 86_400_000

    package init(
        strictThree: Bool = false, viewTimeoutMilliseconds: UInt64 = 5_000,
        removalIntervalMilliseconds: UInt64 = removalIntervalUsual
    ) {
        self.strictThree = strictThree
        self.viewTimeoutMilliseconds = viewTimeoutMilliseconds
        self.removalIntervalMilliseconds = removalIntervalMilliseconds
    }

    var cbor: CBOR {
        var fields: [(Int64, CBOR)] = [
            (1, .bool(strictThree)), (2, .unsigned(viewTimeoutMilliseconds)),
        ]
        if removalIntervalMilliseconds != Self.removalIntervalUsual {
            fields.append((3, .unsigned(removalIntervalMilliseconds)))
        }
        return .map(CBORMap(fields))
    }

    init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        strictThree = try fields.bool(1)
        viewTimeoutMilliseconds = UInt64(try fields.count(2, in: 50...600_000))
        switch fields.optional(3) {
        case nil: removalIntervalMilliseconds = Self.removalIntervalUsual
        case .unsigned(let interval) where interval <= UInt64(Int64.max) / 2:
            removalIntervalMilliseconds = interval
        default: throw .outOfRange(field: 3)
        }
        try fields.finish()
    }
}
