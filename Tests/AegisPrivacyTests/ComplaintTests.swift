import AegisPrivacy
import Testing

/// What users of other libraries complained about in public, and the test that keeps it from
/// happening here. Not of ours: microbatches with another sensitivity, group normalisation,
/// layers without per-record gradients.
///
///     Poisson figures for shuffled batches   only samplers make events: their initialiser is
///                                            internal, and there is no event of a shuffle
///     weighted or foreign samplers           the same
///     a binomial count, then a choice        PoissonSamplerTests: "each record is drawn with
///                                            rate q, independently of its neighbours"
///     division by a count of private data    DPSGD tests: "one full-batch step is the clipped
///                                            sum over B, plus noise of the size charged"
///     budget lost on save and resume         LedgerPowerCutTests; LedgerBookTests: "a ledger
///                                            goes on where it was, whatever died in between"
///     accounting restarts each round         OwnerPolicyTests: "a run has its own budget …"
///     σ by a formula without composition     PrivacyAccountantTests, all of it
///     empty batches crash                    "a step of empty draws is noise of σ·C/B alone,
///                                            and is counted"
///     virtual batches change the step        "two threads and small micro-batches make the
///                                            same step, to rounding"
///     asking changes the answer              below
///     calibration over the target, or waste  LossCalibrationTests: "noise is within 0.5 % …";
///                                            below
///     no answer for large or tiny ε          "the wildest mechanisms have a finite answer …"
///     calibration at ε = 0.01 never ends     below
///     slow, and gigabytes of gradients       benchmarks/learning-speed
///     ghost clipping differs                 "the clipped sum is that of gradients formed one
///                                            by one, to 1e-5"
///     adaptive clipping charged wrongly      "adaptive clipping finds the quantile, and its
///                                            noise is what was charged"
///     floating-point noise leaks             NoiseTests: "exact: what is released lies on the
///                                            grid, whatever the sum was"
///     noise from a weak generator            NoiseTests; nodes use CryptographicGenerator
///     search for settings is not charged     AccuracyTargetingTests, PrivacyTargetTests
///     batch normalisation                    "batch normalisation is refused: it mixes records"
///     nobody can check it                    AuditTests, `aegis privacy audit`
///     q = 1 gives log 0                      below
@Suite("What users of other libraries complained about")
struct ComplaintTests {
    @Test("asking changes nothing, however often")
    func asking() throws {
        var accountant = PrivacyAccountant()
        accountant.compose(
            try PrivacyPhase(samplingRate: 0.02, noiseMultiplier: 1.2, steps: 300))
        let before = accountant
        let first = accountant.epsilon(atDelta: 1e-5)
        for _ in 0..<3 {
            _ = accountant.epsilonLower(atDelta: 1e-5)
            _ = accountant.delta(atEpsilon: 1)
            #expect(accountant.epsilon(atDelta: 1e-5) == first)
        }
        #expect(accountant == before && accountant.phases[0].steps == 300)
    }

    @Test(
        "calibration never exceeds its target, and wastes no noise, by each accountant",
        arguments: AccountantKind.allCases)
    func calibration(_ kind: AccountantKind) throws {
        for (epsilon, delta, rate, steps) in [
            (0.01, 1e-5, 0.01, 1_000), (0.2, 1e-5, 1.0, 100), (0.2, 1e-5, 0.1, 500),
            (20, 1e-6, 0.05, 10), (1e-3, 1e-9, 0.001, 10),
        ] {
            let sigma = try Calibration.noiseMultiplier(
                epsilon: epsilon, delta: delta, samplingRate: rate, steps: steps,
                accountant: kind)
            func cost(_ sigma: Double) throws -> Double {
                let phase = try PrivacyPhase(
                    samplingRate: rate, noiseMultiplier: sigma, steps: steps)
                return PrivacyAccountant([phase], kind).epsilon(atDelta: delta)
            }
            #expect(try cost(sigma) <= epsilon, "\(epsilon) \(rate)")
            #expect(try cost(sigma * 0.998) > epsilon, "\(epsilon) \(rate)")
        }
    }

    @Test("rates of exactly one and next to it are continuous", arguments: AccountantKind.allCases)
    func wholeSample(_ kind: AccountantKind) throws {
        func cost(_ rate: Double) throws -> Double {
            let phase = try PrivacyPhase(samplingRate: rate, noiseMultiplier: 2, steps: 20)
            return PrivacyAccountant([phase], kind).epsilon(atDelta: 1e-6)
        }
        let (whole, nearly) = (try cost(1), try cost(1 - 1e-12))
        #expect(whole.isFinite && abs(whole / nearly - 1) < 1e-3)
    }
}
