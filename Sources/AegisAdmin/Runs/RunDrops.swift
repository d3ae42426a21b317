import AegisAPI
import AegisCore
import AegisProtocol
import Synchronization

/// How often a run's rule left out whom. Rounds that no late measure changes are read once.
final class RunDrops: Sendable {
    fileprivate struct Known {
        var tally = DropTally()
        var through = 0
    }

    private let known = Mutex<[RunID: Known]>([:])
    private static let runsMax = 256
    fileprivate static let pageRounds = 256
    /// Nodes that far behind the one that told most may still tell otherwise.
    static let changingRounds = 8

    /// By the nodes' ids.
    func counts(of run: RunID, in database: AdminDatabase) async throws -> [DropCount] {
        guard let last = try await database.lastExplained(of: run) else { return [] }
        var settled = known.withLock { $0[run] } ?? Known()
        try await settled.add(run, through: last - Self.changingRounds, in: database)
        let kept = settled
        known.withLock { known in
            if known.count >= Self.runsMax { known.removeAll() }
            known[run] = kept
        }
        try await settled.add(run, through: last, in: database)
        return settled.tally.counts
    }
}

extension RunDrops.Known {
    fileprivate mutating func add(
        _ run: RunID, through last: Int, in database: AdminDatabase
    ) async throws {
        while through < last {
            let page = (through + 1)...min(last, through + RunDrops.pageRounds)
            for (_, explanation) in try await database.explanations(of: run, rounds: page) {
                tally.add(explanation, run: run.description)
            }
            through = page.upperBound
        }
    }
}
