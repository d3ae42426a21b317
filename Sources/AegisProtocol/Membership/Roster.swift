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

/// A member without a vote: it follows the chain, signs no agreement and gives no updates
/// (PROTOCOL.md §2.1).
package struct Associate: Hashable, Sendable {
    package enum Standing: UInt64, CaseIterable, Sendable {
        /// Has joined; has yet to say that it follows the chain.
        case learner = 1
        /// A learner that has proved to be at the tip: may be promoted.
        case ready = 2
        /// Joined to watch; is never promoted.
        case observer = 3
        /// A participant whose vote rests until it is resumed.
        case suspended = 4
    }

    package let entry: RosterEntry
    package let standing: Standing

    package init(_ entry: RosterEntry, _ standing: Standing) {
        self.entry = entry
        self.standing = standing
    }

    var cbor: CBOR { .fields([1: entry.cbor, 2: .unsigned(standing.rawValue)]) }

    init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        entry = try RosterEntry(try fields.value(1))
        guard let standing = Standing(rawValue: try fields.unsigned(2)) else {
            throw .outOfRange(field: 2)
        }
        self.standing = standing
        try fields.finish()
    }
}

/// The committed list of members, sorted by node id. The trust root: who may connect, who may vote,
/// and how many votes decide. What places and counts refer to are the participants (`entries`).
package struct Roster: Hashable, Sendable {
    /// Grows by one with each height that changes anything in it.
    package let epoch: UInt64
    /// The participants: those who vote.
    package let entries: [RosterEntry]
    package let associates: [Associate]
    package let strictThree: Bool

    /// Throws `outOfRange` where nobody votes, there are too many, or two of one node or name.
    package init(
        epoch: UInt64, entries: [RosterEntry], associates: [Associate] = [], strictThree: Bool
    ) throws(StatementError) {
        let all = entries + associates.map(\.entry)
        guard !entries.isEmpty, all.count <= Limits.participantsMax,
            Set(all.map(\.node)).count == all.count, Set(all.map(\.name)).count == all.count
        else { throw .outOfRange(field: 2) }
        self.epoch = epoch
        self.entries = entries.sorted { $0.node < $1.node }
        self.associates = associates.sorted { $0.entry.node < $1.entry.node }
        self.strictThree = strictThree
    }

    package var count: Int { entries.count }
    package var nodes: [NodeID] { entries.map(\.node) }
    package func index(of node: NodeID) -> Int? { entries.firstIndex { $0.node == node } }
    /// Whether it is a participant.
    package func contains(_ node: NodeID) -> Bool { index(of: node) != nil }

    /// Everybody who may connect: participants, then the others.
    package var members: [RosterEntry] { entries + associates.map(\.entry) }
    package func member(_ node: NodeID) -> RosterEntry? {
        entries.first { $0.node == node } ?? associate(node)?.entry
    }
    package func associate(_ node: NodeID) -> Associate? {
        associates.first { $0.entry.node == node }
    }
    /// Of a participant or any other member.
    package func name(of node: NodeID) -> String? { member(node)?.name }

    /// f: how many may be Byzantine, and every promise still holds (§2.1).
    package var faultTolerance: Int { (count - 1) / 3 }

    /// q: the signatures that decide. The table of §2.1: two quorums share an honest node.
    package var quorum: Int { Self.quorum(of: count, strictThree: strictThree) }

    package static func quorum(of count: Int, strictThree: Bool) -> Int {
        switch count {
        case ...2: count
        case 3: strictThree ? 3 : 2
        default: (count + (count - 1) / 3) / 2 + 1
        }
    }

    /// t = f + 1: in so many HaveLists at least one honest node vouches.
    package var inclusionThreshold: Int { faultTolerance + 1 }

    /// c: the co-signatures that make a height final (§2.8).
    package var finalQuorum: Int { count <= 3 ? count : quorum }

    package var cbor: CBOR {
        var fields: [(Int64, CBOR)] = [
            (1, .unsigned(epoch)), (2, .array(entries.map(\.cbor))), (3, .bool(strictThree)),
        ]
        if !associates.isEmpty { fields.append((4, .array(associates.map(\.cbor)))) }
        return .map(CBORMap(fields))
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
        var associates: [Associate] = []
        if let value = fields.optional(4) {
            guard case .array(let all) = value, (1...Limits.participantsMax).contains(all.count)
            else { throw .outOfRange(field: 4) }
            for one in all { associates.append(try Associate(one)) }
        }
        try fields.finish()
        try self.init(
            epoch: epoch, entries: entries, associates: associates, strictThree: strictThree)
        guard self.entries == entries, self.associates == associates else {
            throw .outOfRange(field: 2)
        }
    }
}

// One change each; nil where it would leave nobody to vote, or two of one name. The epoch is
// raised once, by the height that makes the changes.
extension Roster {
    func numbered(_ epoch: UInt64) -> Roster { changed(epoch: epoch) ?? self }

    func adding(_ associate: Associate) -> Roster? {
        changed(associates: associates + [associate])
    }

    /// The associate votes from now on.
    func promoting(_ node: NodeID) -> Roster? {
        guard let associate = associate(node) else { return nil }
        return changed(entries: entries + [associate.entry], associates: without(node))
    }

    /// The participant no longer votes.
    func demoting(_ node: NodeID, to standing: Associate.Standing) -> Roster? {
        guard let entry = entries.first(where: { $0.node == node }) else { return nil }
        return changed(
            entries: entries.filter { $0.node != node },
            associates: associates + [Associate(entry, standing)])
    }

    func standing(_ node: NodeID, _ standing: Associate.Standing) -> Roster? {
        guard let associate = associate(node) else { return nil }
        return changed(associates: without(node) + [Associate(associate.entry, standing)])
    }

    func removing(_ node: NodeID) -> Roster? {
        changed(entries: entries.filter { $0.node != node }, associates: without(node))
    }

    /// The same member under another key, or at another address.
    func replacing(_ node: NodeID, by entry: RosterEntry) -> Roster? {
        changed(
            entries: entries.map { $0.node == node ? entry : $0 },
            associates: associates.map {
                $0.entry.node == node ? Associate(entry, $0.standing) : $0
            })
    }

    func strict(_ strictThree: Bool) -> Roster? { changed(strictThree: strictThree) }

    private func without(_ node: NodeID) -> [Associate] {
        associates.filter { $0.entry.node != node }
    }

    private func changed(
        epoch: UInt64? = nil, entries: [RosterEntry]? = nil, associates: [Associate]? = nil,
        strictThree: Bool? = nil
    ) -> Roster? {
        try? Roster(
            epoch: epoch ?? self.epoch, entries: entries ?? self.entries,
            associates: associates ?? self.associates,
            strictThree: strictThree ?? self.strictThree)
    }
}
