import AegisPrivacy
import Testing

@Suite("Targeting an accuracy (Papernot and Steinke 2022)")
struct AccuracyTargetingTests {
    private func targeting(goal: Double) throws -> AccuracyTargeting {
        try AccuracyTargeting(
            goal: goal, delta: 1e-5, samplingRate: 0.05, steps: 200, noise: 0.5...8)
    }

    /// Falls with the noise: 0.8 at σ = 0.5, 0.2 at σ = 8.
    private static func pilot(_ phase: PrivacyPhase) -> Double {
        2 / (2 + phase.noiseMultiplier)
    }

    @Test("on published records the most noise that reaches the goal is found, for nothing")
    func published() throws {
        var generator = TestGenerator(state: 1)
        let report = try targeting(goal: 0.5).search(
            on: .published, using: &generator, pilot: Self.pilot)
        #expect(report.chosen.accuracy >= 0.5)
        #expect(abs(report.chosen.noiseMultiplier / 2 - 1) < 0.01)
        #expect(report.searchEpsilon == 0)
        #expect(report.curve.count <= 12)
        // More noise costs less.
        let costs = report.curve.map(\.epsilon)
        #expect(zip(costs, costs.dropFirst()).allSatisfy { $0 >= $1 })
    }

    @Test("private records are not touched by a search that nobody pays for")
    func notCharged() throws {
        var generator = TestGenerator(state: 1)
        let targeting = try targeting(goal: 0.5)
        #expect(throws: TargetingError.searchNotCharged) {
            try targeting.search(on: .privateRecords(nil), using: &generator) { _ in
                Issue.record("the pilot ran")
                return 1
            }
        }
    }

    @Test("a search on private records costs more than one training, and less than three")
    func charged() throws {
        var generator = TestGenerator(state: 3)
        let charge = try #require(TuningCharge(stopping: 0.1))
        let report = try targeting(goal: 0.3).search(
            on: .privateRecords(charge), using: &generator, pilot: Self.pilot)
        let once = PrivacyAccountant([try PrivacyPhase([0.05, 0.5, 200])], .rdp)
            .epsilon(atDelta: 1e-5)
        #expect(report.searchEpsilon > once)
        #expect(report.searchEpsilon < 3 * once)
        #expect(report.chosen.accuracy >= 0.3)
    }

    @Test("stopping at once costs what one training costs; trainings are geometric")
    func stopping() throws {
        let phase = try PrivacyPhase([0.01, 1, 1_000])
        let once = PrivacyAccountant([phase], .rdp).epsilon(atDelta: 1e-5)
        let sure = try #require(TuningCharge(stopping: 1))
        #expect(abs(sure.epsilon(of: phase, delta: 1e-5) / once - 1) < 0.06)
        #expect(TuningCharge(stopping: 0) == nil && TuningCharge(stopping: 1.5) == nil)
        let charge = try #require(TuningCharge(stopping: 0.2))
        var generator = TestGenerator(state: 9)
        var total = 0
        for _ in 0..<4_000 { total += charge.trainings(using: &generator) }
        // Mean 5, standard deviation √20/√4000 = 0.07.
        #expect(abs(Double(total) / 4_000 - 5) < 0.3)
        #expect(sure.trainings(using: &generator) == 1)
    }

    @Test("a goal out of reach is said to be, with the best that was seen")
    func outOfReach() throws {
        var generator = TestGenerator(state: 1)
        let targeting = try targeting(goal: 0.9)
        #expect(throws: TargetingError.goalNotReached(accuracyBest: 0.8)) {
            try targeting.search(on: .standIn, using: &generator, pilot: Self.pilot)
        }
        #expect(throws: TargetingError.invalidRange) {
            try AccuracyTargeting(
                goal: 2, delta: 1e-5, samplingRate: 0.1, steps: 1, noise: 1...2)
        }
    }
}
