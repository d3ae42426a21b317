import AegisCore
package import AegisPrivacy
import AegisProtocol
import AegisStore

/// `aegis-node dataset recover`: a ledger in the place of one that is lost, with what the owner
/// says was spent. Until then nothing is trained on the data set.
package struct LedgerRecovery: Sendable {
    package enum Spent: Hashable, Sendable {
        /// What the chain says, as if each round had been trained so many times.
        case chain(attempts: Int)
        /// The owner knows that these records were never trained on.
        case nothing
    }

    package struct Outcome: Sendable {
        package let rounds: Int
        package let runs: [String]
        package let epsilon: Double
        package let budget: PrivacyBudget
    }

    private let directory: NodeDirectory

    package init(_ directory: NodeDirectory) { self.directory = directory }

    package func recover(_ dataset: String, spent: Spent) throws -> Outcome {
        let lock = try ProcessLock(directory: directory.path)
        defer { withExtendedLifetime(lock) {} }
        let configuration = try directory.configuration()
        guard let declaration = configuration.datasets.first(where: { $0.name == dataset }) else {
            throw NodeError.datasetMissing(dataset)
        }
        guard let policy = declaration.budget.policy else {
            throw NodeError.dataset(dataset, reason: "its budget is out of range")
        }
        let (_, _, claims) = try MembershipAct.history(of: directory, name: configuration.name)
        let database = try NodeDatabase(path: directory.databasePath)
        let file = try LedgerFile(path: directory.ledgerPath(configuration))
        guard try file.lines(of: dataset).isEmpty else {
            throw NodeError.dataset(dataset, reason: "it has a ledger, which is gone on with")
        }
        let now = MachineClock.wallMilliseconds
        var book = LedgerBook(file: file, anchors: database)
        // What was spent is written down whether or not the owner's budget would allow it today.
        try book.open(dataset, policy: try Self.unlimited(policy), at: now)
        let claimed = claims.byDataset[dataset] ?? []
        if case .chain(let attempts) = spent {
            for claim in claimed {
                guard
                    let charge = Charge(
                        event: claim.event, noise: declaration.noise ?? .fast,
                        delta: declaration.budget.delta)
                else { throw TrainingRefusal.notTrainable }
                for _ in 0..<max(attempts, 1) {
                    _ = try book.reserve(claim.key, of: dataset, for: charge, at: now)
                }
            }
        }
        try book.open(dataset, policy: policy, at: now)
        let ledger = try book.ledger(of: dataset)
        var runs: [String] = []
        for claim in claimed where !runs.contains(claim.run) { runs.append(claim.run) }
        return Outcome(
            rounds: spent == .nothing ? 0 : claimed.count, runs: spent == .nothing ? [] : runs,
            epsilon: ledger.spent, budget: policy.lifetime)
    }

    private static func unlimited(_ policy: OwnerPolicy) throws -> OwnerPolicy {
        guard let budget = PrivacyBudget(epsilon: 1e6, delta: policy.lifetime.delta),
            let unlimited = OwnerPolicy(lifetime: budget)
        else { throw TrainingRefusal.notTrainable }
        return unlimited
    }
}
