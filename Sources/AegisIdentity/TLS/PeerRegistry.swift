package import AegisCore
package import AegisProtocol

package enum PeerRole: Hashable, Sendable {
    case participant
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
}

/// Who may connect: the roster is the trust root, and a binding once replaced is dead
/// (PROTOCOL.md §4.3).
package struct PeerRegistry: Hashable, Sendable {
    package private(set) var roster: Roster?
    package var observers: Set<NodeID>
    package var joiners: Set<NodeID>
    private var newest: [NodeID: Seen] = [:]

    private struct Seen: Hashable {
        let sequence: UInt64
        let tlsKey: Digest
    }

    package init(
        roster: Roster?, observers: Set<NodeID> = [], joiners: Set<NodeID> = []
    ) {
        self.roster = roster
        self.observers = observers
        self.joiners = joiners
    }

    package func role(of node: NodeID) -> PeerRole? {
        if roster?.contains(node) == true { return .participant }
        if observers.contains(node) { return .observer }
        return joiners.contains(node) ? .joiner : nil
    }

    /// The peer's role, and its binding remembered as the newest.
    package mutating func admit(_ peer: VerifiedPeer) throws(PeerRefusal) -> PeerRole {
        guard let role = role(of: peer.node) else { throw .notInRoster(peer.node) }
        let binding = peer.binding
        if let seen = newest[peer.node] {
            guard binding.sequence >= seen.sequence else {
                throw .staleBinding(
                    peer.node, sequence: binding.sequence, seen: seen.sequence)
            }
            guard binding.sequence > seen.sequence || binding.tlsKey == seen.tlsKey else {
                throw .conflictingBinding(peer.node, sequence: binding.sequence)
            }
        }
        newest[peer.node] = Seen(sequence: binding.sequence, tlsKey: binding.tlsKey)
        return role
    }

    /// The next roster. What is known of nodes that are gone is forgotten; their connections are
    /// to be closed: the nodes returned.
    package mutating func replace(roster: Roster) -> [NodeID] {
        let gone = (self.roster?.nodes ?? []).filter { !roster.contains($0) }
        self.roster = roster
        let departed = gone.filter { role(of: $0) == nil }
        for node in departed { newest[node] = nil }
        return departed
    }
}
