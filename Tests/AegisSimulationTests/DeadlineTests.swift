import AegisProtocol
import AegisSimulation
import Testing

@Suite("Adaptive deadlines (PROTOCOL.md §2.5)")
struct DeadlineTests {
    /// Five nodes, four of which train 200 ms at most; the fifth as long as is said.
    private func report(
        _ milliseconds: Int, from: Int = 1, through: Int = 1_000, breaches: RuleBreaches = []
    ) -> SimulationReport {
        var options = SimulationOptions(participants: 5)
        options.rounds = 64
        options.straggling = 0
        options.adaptiveMilliseconds = 300
        options.stragglerMilliseconds = milliseconds
        options.stragglerFrom = from
        options.stragglerThrough = through
        options.faultMilliseconds = 1_000
        options.healMilliseconds = 4_000_000
        return SimulationSetup(seed: 3, options: options, breaches: breaches).report()
    }

    @Test("without a straggler it is what the rounds take, and never below the minimum")
    func calm() throws {
        let report = report(0)
        #expect(report.violation == nil)
        #expect(report.deadlines.count == 64)
        #expect(report.deadlines[0].milliseconds == 60_000)
        #expect(report.deadlines.dropFirst().allSatisfy { 300...700 ~= $0.milliseconds })
        // Whoever hears of a decision from others waits a moment before it trains.
        #expect(report.deadlines.count { $0.isIncluded } >= 60)
    }

    @Test("it follows a straggler up, and down again")
    func follows() throws {
        let report = report(2_000, from: 10, through: 35)
        #expect(report.violation == nil)
        let (before, during, after) = (
            report.deadlines[2..<9], report.deadlines[20..<35], report.deadlines[45...]
        )
        #expect(before.allSatisfy { $0.milliseconds < 1_000 })
        #expect(during.allSatisfy { $0.isIncluded && $0.milliseconds >= 2_000 })
        #expect(after.allSatisfy { $0.isIncluded && $0.milliseconds < 1_000 })
        // Left out while it grew, by name, and not for long.
        #expect(report.deadlines[9..<20].count { !$0.isIncluded } <= 8)
    }

    @Test("whoever is always slow is waited for as long as it takes, not until the hard deadline")
    func slow() throws {
        let report = report(3_000)
        #expect(report.violation == nil)
        #expect(report.deadlines.count { $0.isIncluded } > 55)
        #expect(report.deadlines.dropFirst().allSatisfy { $0.milliseconds < 10_000 })
    }

    @Test("one that never comes is given up, but for a longer look now and then")
    func never() throws {
        let report = report(100_000_000)
        #expect(report.violation == nil)
        #expect(!report.deadlines.contains { $0.isIncluded })
        #expect(report.deadlines.count { $0.milliseconds == 60_000 } <= 3)
        let late = report.deadlines[20...]
        #expect(late.count { $0.milliseconds > 1_000 } == 3)
        #expect(late.filter { $0.milliseconds > 1_000 }.allSatisfy { $0.round % 16 == 0 })
    }

    @Test("a deadline that counted what it cut off as nothing would leave a straggler out for ever")
    func impatient() throws {
        let patient = report(2_000, from: 10, through: 60)
        let impatient = report(2_000, from: 10, through: 60, breaches: .impatient)
        #expect(
            patient.deadlines.count { $0.isIncluded }
                > impatient.deadlines.count { $0.isIncluded } + 10)
    }
}
