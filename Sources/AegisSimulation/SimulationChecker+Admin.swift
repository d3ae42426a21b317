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

    /// I21: another admin takes over by a quorum's words and nothing less, and what the old one
    /// wanted is over. Told from the commands alone.
    mutating func checkAdmin(_ commit: Commit, _ before: ChainState) {
        for command in commit.commands {
            guard case .membership(.approveAdmin(let node, let replacement)) = command.action
            else { continue }
            if replacement.old == before.admin { adminWords[node] = replacement.new }
        }
        let height = commit.header.height
        guard commit.state.admin != before.admin else { return }
        // Whoever came or went at the same height may have been counted.
        let deciders = Set(before.roster.nodes).union(commit.state.roster.nodes)
        let words = deciders.count { adminWords[$0] == commit.state.admin }
        let needed = min(before.roster.quorum, commit.state.roster.quorum)
        if words < needed {
            fail("I21: the words of \(words) of \(needed) made another admin at height \(height)")
        }
        if !commit.state.tokens.isEmpty {
            fail("I21: tokens of the admin before are good after height \(height)")
        }
        adminWords = [:]
        forgetTokens()
    }
}
