import AegisCore
import AegisIdentity
import AegisProtocol
import AegisTransport
import Synchronization

/// Who is in the mesh now, as the last decision has it: for the listener, for addresses and names.
/// The protocol core keeps its own; both follow from the same commits.
final class MeshMembership: Sendable {
    private struct State {
        var chain: ChainState
        var registry: PeerRegistry
        /// Who has shown a token here and waits for the decision: may read decisions.
        var newcomers: [NodeID] = []
        var onRemoval: @Sendable (NodeID) -> Void = { _ in }
    }

    private static let newcomersMax = 64

    let rules: MeshRules
    private let state: Mutex<State>

    init(_ rules: MeshRules, chain: ChainState, bindings: BindingMemory) {
        self.rules = rules
        state = Mutex(
            State(
                chain: chain,
                registry: PeerRegistry(
                    roster: chain.roster, observers: [chain.admin], bindings: bindings)))
    }

    var chain: ChainState { state.withLock { $0.chain } }
    var roster: Roster { state.withLock { $0.chain.roster } }
    func name(of node: NodeID) -> String {
        let chain = chain
        return node == chain.admin ? "admin" : chain.roster.name(of: node) ?? node.short
    }

    /// Members are let in; while a token is out, so is whoever may come with it, to the join
    /// endpoints only.
    func verdict(on peer: VerifiedPeer, now: UInt64) -> PeerVerdict {
        state.withLock { state in
            do throws(PeerRefusal) { return .admitted(try state.registry.admit(peer)) } catch {
                // It may follow the decisions until its organisation has certified it.
                if case .organisation = error { return .restricted(error) }
                guard case .notInRoster = error, !state.chain.retired.contains(peer.node),
                    !state.chain.convicted.contains(peer.node),
                    state.chain.tokens.contains(where: { $0.grant.notAfter > now })
                else { return .refused(error) }
                return .stranger
            }
        }
    }

    /// Whoever is told of nodes that are members no longer.
    func onRemoval(_ body: @escaping @Sendable (NodeID) -> Void) {
        state.withLock { $0.onRemoval = body }
    }

    /// A decision is on the disk. The members where they, or the admin, are others than before.
    func adopt(_ chain: ChainState) -> [RosterEntry]? {
        let (members, gone, onRemoval) = state.withLock { state in
            let isChanged =
                state.chain.rosterDigest != chain.rosterDigest || state.chain.admin != chain.admin
            state.chain = chain
            guard isChanged else { return ([RosterEntry]?.none, [NodeID](), state.onRemoval) }
            let gone = state.registry.replace(roster: chain.roster, observers: [chain.admin])
            state.newcomers.removeAll { chain.roster.member($0) != nil }
            return (chain.roster.members, gone, state.onRemoval)
        }
        for node in gone { onRemoval(node) }
        return members
    }

    func welcome(_ node: NodeID) {
        state.withLock { state in
            guard !state.newcomers.contains(node) else { return }
            state.newcomers.append(node)
            if state.newcomers.count > Self.newcomersMax { state.newcomers.removeFirst() }
        }
    }

    /// Whether this one, whose role is nil, may read decisions.
    func isWelcome(_ node: NodeID) -> Bool {
        state.withLock { $0.newcomers.contains(node) || $0.chain.roster.member(node) != nil }
    }
}
