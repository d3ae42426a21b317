import AegisPrivacy
import Foundation
import Testing

@Suite("Audits: what guesses prove")
struct AuditTests {
    @Test(
        "one run: the p-value and the bound are jax-privacy's (Steinke et al. 2023)",
        arguments: try MechanismVectors.load().oneRun)
    func oneRun(_ vector: MechanismVectors.OneRun) throws {
        let audit = try #require(
            OneRunAudit(
                canaries: vector.canaries, guesses: vector.guesses, correct: vector.correct))
        let pValue = audit.pValue(epsilon: 1, delta: vector.delta)
        #expect(abs(pValue - vector.p1) <= 1e-7 * max(vector.p1, 1e-6), "\(pValue)")
        let epsilon = audit.epsilon(delta: vector.delta, significance: vector.significance)
        #expect(abs(epsilon - vector.epsilon) <= 2e-4, "\(epsilon), theirs \(vector.epsilon)")
        if let theirs = vector.gaussian {
            let ours = audit.gaussianEpsilon(
                delta: vector.delta, significance: vector.significance)
            #expect(abs(ours - theirs) <= 2e-3 * max(1, theirs), "\(ours), theirs \(theirs)")
        }
    }

    @Test(
        "Clopper and Pearson's limits are SciPy's",
        arguments: try MechanismVectors.load().clopperPearson)
    func clopperPearson(_ vector: MechanismVectors.ClopperPearson) throws {
        // Scores of two values make one threshold, with these counts.
        func scores(_ ones: Int, of count: Int) -> [Double] {
            (0..<count).map { $0 < ones ? 1 : 0 }
        }
        let audit = try #require(
            ScoreAudit(
                in: scores(vector.truePositives, of: vector.inCount),
                out: scores(vector.falsePositives, of: vector.outCount)))
        // Three thresholds: none, one, all; they share the significance.
        let epsilon = audit.clopperPearson(delta: 0, significance: vector.alpha * 3)
        #expect(abs(epsilon - vector.epsilon) <= 1e-9, "\(epsilon)")
    }

    @Test(
        "scores: area, Clopper-Pearson and one-run bounds are jax-privacy's",
        arguments: try MechanismVectors.load().scores)
    func scores(_ vector: MechanismVectors.Scores) throws {
        let audit = try #require(ScoreAudit(in: vector.inScores, out: vector.outScores))
        #expect(abs(audit.areaUnderCurve - vector.auroc) < 1e-12)
        for (delta, theirs) in [(0, vector.clopperPearson0), (1e-5, vector.clopperPearson5)] {
            let ours = audit.clopperPearson(delta: delta, significance: 0.05)
            #expect(abs(ours - theirs) < 1e-9, "δ = \(delta): \(ours), theirs \(theirs)")
        }
        let oneRun = audit.oneRun(delta: 1e-5, significance: 0.05)
        #expect(abs(oneRun - vector.oneRun5) < 2e-4, "\(oneRun), theirs \(vector.oneRun5)")
    }

    @Test("guesses that can't be are no audit")
    func refused() {
        for (m, r, v) in [(0, 0, 0), (10, 11, 1), (10, 5, 6), (10, -1, 0), (10, 5, -1)] {
            #expect(OneRunAudit(canaries: m, guesses: r, correct: v) == nil)
        }
        #expect(ScoreAudit(in: [], out: [1]) == nil)
        #expect(ScoreAudit(in: [.nan], out: [1]) == nil)
    }
}

@Suite("The mechanism audits itself")
struct MechanismAuditTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let rate: Double
        let sigma: Double
        let steps: Int
        let noise: NoiseGenerator
        let trials: Int
        /// ε at δ = 0.01, exactly: of the one step by its closed form, of the unsampled ones as
        /// one Gaussian; the sampled ten steps by composition (dp-accounting's PLD).
        let exact: Double
        var testDescription: String { "q \(rate), σ \(sigma), \(steps) steps, \(noise.rawValue)" }
    }

    /// ε of the Gaussian mechanism at δ by its closed form.
    private static func gaussian(_ mu: Double, delta: Double) -> Double {
        func excess(_ e: Double) -> Double {
            upperTail(e / mu - mu / 2) - exp(e) * upperTail(e / mu + mu / 2) - delta
        }
        var (low, high) = (0.0, 50.0)
        for _ in 0..<100 {
            let middle = (low + high) / 2
            if excess(middle) > 0 { low = middle } else { high = middle }
        }
        return high
    }

    /// ε of one sampled step: the hockey stick of the mixture (1 − q)N(0, σ²) + qN(1, σ²)
    /// against N(0, σ²), which crosses e^ε at one point.
    private static func sampled(_ q: Double, _ sigma: Double, delta: Double) -> Double {
        func excess(_ e: Double) -> Double {
            let x = sigma * sigma * log((exp(e) - 1 + q) / q) + 0.5
            let mixed = (1 - q) * upperTail(x / sigma) + q * upperTail((x - 1) / sigma)
            return mixed - exp(e) * upperTail(x / sigma) - delta
        }
        var (low, high) = (0.0, 50.0)
        for _ in 0..<100 {
            let middle = (low + high) / 2
            if excess(middle) > 0 { low = middle } else { high = middle }
        }
        return high
    }

    static let cases: [Case] = [
        Case(
            rate: 1, sigma: 1, steps: 1, noise: .fast, trials: 400_000,
            exact: gaussian(1, delta: 0.01)),
        Case(
            rate: 1, sigma: 3, steps: 10, noise: .fast, trials: 400_000,
            exact: gaussian(10.0.squareRoot() / 3, delta: 0.01)),
        Case(
            rate: 0.1, sigma: 0.5, steps: 1, noise: .fast, trials: 400_000,
            exact: sampled(0.1, 0.5, delta: 0.01)),
        Case(
            rate: 1, sigma: 1, steps: 1, noise: .exact, trials: 200_000,
            exact: gaussian(1, delta: 0.01)),
    ]

    private func audit(_ one: Case, noiseScale: Double = 1, seed: UInt64) throws -> Double {
        var audit = MechanismAudit(
            samplingRate: one.rate, noiseMultiplier: one.sigma, steps: one.steps,
            noise: one.noise)
        audit.noiseScale = noiseScale
        var generator = TestGenerator(state: seed)
        return try #require(
            audit.epsilonLower(
                trials: one.trials, delta: 0.01, significance: 0.01, using: &generator))
    }

    @Test("the bound lies below the exact ε and above 80 % of it", arguments: cases)
    func tight(_ one: Case) throws {
        let lower = try audit(one, seed: 17)
        #expect(lower <= one.exact, "\(lower) of \(one.exact)")
        #expect(lower >= 0.8 * one.exact, "\(lower) of \(one.exact)")
    }

    @Test("an implementation with half the noise is caught", arguments: cases)
    func halfTheNoise(_ one: Case) throws {
        let lower = try audit(one, noiseScale: 0.5, seed: 18)
        #expect(lower > one.exact, "\(lower) of \(one.exact)")
    }

    @Test("so is one with nine tenths of it")
    func nineTenths() throws {
        let lower = try audit(Self.cases[1], noiseScale: 0.9, seed: 19)
        #expect(lower > Self.cases[1].exact, "\(lower) of \(Self.cases[1].exact)")
    }

    @Test("a mechanism that can't be made is not audited")
    func refused() {
        var generator = TestGenerator(state: 1)
        for (rate, sigma, steps) in [(2.0, 1.0, 1), (1, -1, 1), (1, .nan, 1), (1, 1, 0)] {
            let audit = MechanismAudit(
                samplingRate: rate, noiseMultiplier: sigma, steps: steps, noise: .fast)
            #expect(
                audit.epsilonLower(
                    trials: 1_000, delta: 0.01, significance: 0.01, using: &generator) == nil)
        }
    }
}
