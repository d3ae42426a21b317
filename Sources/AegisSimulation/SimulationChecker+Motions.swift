import AegisCore
import AegisProtocol

extension SimulationChecker {
    /// I22: a node makes of a height what the rules make of it, also where no header says it.
    mutating func concludes(_ node: Int, _ state: ChainState) {
        guard !isForked, state.height >= 1, state.height <= chain.count else { return }
        let expected = chain[Int(state.height) - 1].state
        if state.unbroken != expected.unbroken {
            fail("I22: \(name(node)) makes another state of height \(state.height)")
        }
    }

    /// I21: who commands, what the mesh holds itself to, and who comes, votes and goes changes by
    /// the one who may ask for it or by a quorum's words, and nothing less. Told from the commands
    /// alone.
    mutating func checkMotions(_ commit: Commit, _ before: ChainState) {
        for command in commit.commands { note(command) }
        let after = commit.state
        if after.admin != before.admin {
            require("another admin", commit, before) {
                if case .admin(let key) = $0 { key.new == after.admin } else { false }
            }
            forgetTokens(but: after.tokens)
        }
        if after.policy != before.policy {
            require("another policy", commit, before) { $0 == .policy(after.policy) }
        }
        // Those of the admin before are void, and would have to be granted again.
        for token in after.tokens
        where before.granted(token.grant.tokenID) == nil || after.admin != before.admin {
            requireChange("a token", commit, before) { $0 == .grantToken(token.grant) }
        }
        for node in after.roster.nodes where !before.roster.contains(node) {
            requireChange("a vote", commit, before) { change in
                switch change {
                case .promote(node), .resume(node): true
                case .rotateKey(let key), .replaceLostKey(let key): key.new == node
                default: false
                }
            }
        }
        for node in before.roster.members.map(\.node)
        where after.roster.member(node) == nil && !after.convicted.contains(node) {
            requireChange("a departure", commit, before) { change in
                switch change {
                case .evict(node, _), .leave(node): true
                case .rotateKey(let key), .replaceLostKey(let key): key.old == node
                default: false
                }
            }
        }
    }

    private mutating func note(_ command: Command) {
        switch command.action {
        case .membership(.word(let node, let motion)):
            words[node, default: []].removeAll { $0.agrees(with: motion) }
            words[node, default: []].append(motion)
        case .membership(.withdraw(let node, let motion)):
            words[node, default: []].removeAll { $0.agrees(with: motion) }
        default: break
        }
    }

    /// Whether the admin, or the node itself, asked for it at this height, or a quorum wants it.
    private mutating func requireChange(
        _ what: String, _ commit: Commit, _ before: ChainState,
        _ isMeant: (MembershipChange) -> Bool
    ) {
        let isAsked = commit.commands.contains {
            if case .membership(let change) = $0.action { isMeant(change) } else { false }
        }
        guard !isAsked else { return }
        require(what, commit, before) {
            if case .change(let change) = $0 { isMeant(change) } else { false }
        }
    }

    private mutating func require(
        _ what: String, _ commit: Commit, _ before: ChainState, _ isMeant: (Motion) -> Bool
    ) {
        // Whoever came or went at the same height may have decided with the others, or not.
        let (old, new) = (Set(before.roster.nodes), Set(commit.state.roster.nodes))
        let count = old.union(new).count { words[$0]?.contains(where: isMeant) ?? false }
        let needed = Roster.quorum(of: old.intersection(new).count, strictThree: false)
        guard count < needed else { return }
        fail("I21: the words of \(count) of \(needed) made \(what) at height \(before.height + 1)")
    }
}
