import AegisCore
import AegisPrivacy
import AegisStore
import Synchronization
import Testing

/// What the tests of ledgers on disk start from.
enum LedgerSample {
    static let now: UInt64 = 1_800_000_000_000

    static func policy(epsilon: Double = 50) throws -> OwnerPolicy {
        let budget = try #require(PrivacyBudget(epsilon: epsilon, delta: 1e-5))
        return try #require(OwnerPolicy(lifetime: budget))
    }

    static func charge(steps: Int = 10) throws -> Charge {
        let sampler = try #require(
            PoissonSampler(samplingRate: 1, noiseMultiplier: 15, recordCount: 40))
        return try #require(
            Charge(event: sampler.event(afterSteps: steps), noise: .fast, delta: 1e-5))
    }

    static func key(_ round: UInt64, run: UInt8 = 7) -> ReleaseKey {
        ReleaseKey(run: [run], round: round)
    }
}

/// Anchors in memory.
final class AnchorsInMemory: LedgerAnchorStore {
    private let anchors = Mutex<[String: LedgerAnchor]>([:])

    func ledgerAnchor(of dataset: String) -> LedgerAnchor? { anchors.withLock { $0[dataset] } }

    func setLedgerAnchor(_ anchor: LedgerAnchor, of dataset: String) {
        anchors.withLock { $0[dataset] = anchor }
    }
}
