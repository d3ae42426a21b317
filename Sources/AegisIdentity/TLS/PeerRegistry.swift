package import AegisCore
package import AegisProtocol

package enum PeerRole: Hashable, Sendable {
    case participant
    /// A member without a vote: a learner, one that watches, or one that is suspended.
    case associate
    /// Reads, never votes: the admin.
    case observer
    /// Has asked to join; may only use the join endpoint.
    case joiner
}

package enum PeerRefusal: Error, Hashable, Sendable {
    case notInRoster(NodeID)
    /// The node has rotated its key since.
    case staleBinding(NodeID, sequence: UInt64, seen: UInt64)
    /// Two TLS keys under one sequence number: a copied identity, or a broken node.
    case conflictingBinding(NodeID, sequence: UInt64)
    /// No organisation's authority that is required here vouches for the node.
    case organisation(NodeID, OrganisationError)
}

/// Who may connect: the roster is the trust root, and a binding once replaced is dead
/// (PROTOCOL.md §4.3).
package struct PeerRegistry: Sendable {
    package private(set) var roster: Roster?
    package private(set) var observers: Set<NodeID>
    package var joiners: Set<NodeID>
    private let bindings: BindingMemory

    package init(
        roster: Roster?, observers: Set<NodeID> = [], joiners: Set<NodeID> = [],
        bindings: BindingMemory = BindingMemory()
    ) {
        self.roster = roster
        self.observers = observers
        self.joiners = joiners
        self.bindings = bindings
    }

    package func role(of node: NodeID) -> PeerRole? {
        if roster?.contains(node) == true { return .participant }
        if roster?.associate(node) != nil { return .associate }
        if observers.contains(node) { return .observer }
        return joiners.contains(node) ? .joiner : nil
    }

    /// The peer's role, and its binding remembered as the newest.
    package func admit(_ peer: VerifiedPeer) throws(PeerRefusal) -> PeerRole {
        guard let role = role(of: peer.node) else { throw .notInRoster(peer.node) }
        // The admin has the founders' word; it sees neither updates nor votes.
        if let reason = peer.organisation, role == .participant || role == .associate {
            throw .organisation(peer.node, reason)
        }
        try bindings.admit(peer.binding)
        return role
    }

    /// The next roster, and who observes. What is known of nodes that are gone is forgotten; their
    /// connections are to be closed: the nodes returned.
    package mutating func replace(roster: Roster, observers: Set<NodeID>) -> [NodeID] {
        let gone =
            (self.roster?.members ?? []).map(\.node).filter { roster.member($0) == nil }
            + self.observers.subtracting(observers)
        self.roster = roster
        self.observers = observers
        let departed = gone.filter { role(of: $0) == nil }
        bindings.forget(departed)
        return departed
    }
}
