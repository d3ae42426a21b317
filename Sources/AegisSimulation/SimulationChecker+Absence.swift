import AegisCore
import AegisProtocol

// Who loses its vote for being away (PROTOCOL.md §2.10).
extension SimulationChecker {
    /// I20: whoever gave no sign in twenty rounds loses its vote, one for each round, while there
    /// are more than four; nobody else does. Told from the headers alone.
    mutating func checkAbsence(_ commit: Commit, _ roster: Roster) {
        let header = commit.header
        guard header.kind == .round else { return }
        let silent = roster.entries.indices.filter {
            !header.included.contains($0) && !header.listSenders.contains($0)
        }.map { roster.entries[$0].node }
        silentRounds.append(Set(silent))
        if silentRounds.count > ProtocolLimits.absentRoundsMax { silentRounds.removeFirst() }
        let isLong = silentRounds.count == ProtocolLimits.absentRoundsMax
        let gone =
            isLong ? silent.filter { node in silentRounds.allSatisfy { $0.contains(node) } } : []
        let demoted = roster.nodes.filter {
            commit.state.roster.associate($0)?.standing == .learner
        }
        if let node = demoted.first(where: { !gone.contains($0) }) {
            fail("I20: \(node.short) lost its vote at \(header.height) and was not away for long")
        }
        if demoted.count > 1 || !demoted.isEmpty && commit.state.roster.count < 4 {
            fail("I20: too many lost their votes at \(header.height)")
        }
        let left = gone.filter { commit.state.roster.contains($0) }
        if demoted.isEmpty, !left.isEmpty, commit.state.roster.count > 4 {
            fail("I20: \(left[0].short) has been away for long at \(header.height) and votes")
        }
    }
}
