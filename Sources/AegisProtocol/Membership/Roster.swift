package import AegisCore

/// One organisation's node.
package struct RosterEntry: Hashable, Sendable {
    package let node: NodeID
    /// What people see, unique in the roster.
    package let name: String
    /// host:port of its mesh listener.
    package let address: String

    package init(node: NodeID, name: String, address: String) {
        self.node = node
        self.name = name
        self.address = address
    }

    package var cbor: CBOR { .fields([1: .node(node), 2: .text(name), 3: .text(address)]) }

    package init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        node = try fields.node(1)
        name = try fields.text(2)
        address = try fields.text(3, max: Limits.addressBytesMax)
        try fields.finish()
    }
}

/// The committed list of participants, sorted by node id. The trust root: who may connect, who may
/// vote, and how many votes decide.
package struct Roster: Hashable, Sendable {
    package let epoch: UInt64
    package let entries: [RosterEntry]
    package let strictThree: Bool

    /// Throws `outOfRange` where there are no entries, too many, or two of one node or name.
    package init(
        epoch: UInt64, entries: [RosterEntry], strictThree: Bool
    ) throws(StatementError) {
        guard (1...Limits.participantsMax).contains(entries.count),
            Set(entries.map(\.node)).count == entries.count,
            Set(entries.map(\.name)).count == entries.count
        else { throw .outOfRange(field: 2) }
        self.epoch = epoch
        self.entries = entries.sorted { $0.node < $1.node }
        self.strictThree = strictThree
    }

    package var count: Int { entries.count }
    package var nodes: [NodeID] { entries.map(\.node) }
    package func index(of node: NodeID) -> Int? { entries.firstIndex { $0.node == node } }
    package func contains(_ node: NodeID) -> Bool { index(of: node) != nil }
    package func name(of node: NodeID) -> String? { entries.first { $0.node == node }?.name }

    /// f: how many may be Byzantine, and every promise still holds (§2.1).
    package var faultTolerance: Int { (count - 1) / 3 }

    /// q: the signatures that decide. The table of §2.1: two quorums share an honest node.
    package var quorum: Int {
        switch count {
        case 1, 2: count
        case 3: strictThree ? 3 : 2
        default: (count + faultTolerance) / 2 + 1
        }
    }

    /// t = f + 1: in so many HaveLists at least one honest node vouches.
    package var inclusionThreshold: Int { faultTolerance + 1 }

    package var cbor: CBOR {
        .fields([
            1: .unsigned(epoch), 2: .array(entries.map(\.cbor)), 3: .bool(strictThree),
        ])
    }

    /// What its digest is taken of.
    package var encoded: [UInt8] { cbor.encoded }

    package init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        let epoch = try fields.unsigned(1)
        var entries: [RosterEntry] = []
        for entry in try fields.array(2, max: Limits.participantsMax) {
            entries.append(try RosterEntry(entry))
        }
        let strictThree = try fields.bool(3)
        try fields.finish()
        try self.init(epoch: epoch, entries: entries, strictThree: strictThree)
        guard self.entries == entries else { throw .outOfRange(field: 2) }
    }
}
