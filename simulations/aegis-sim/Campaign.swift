import AegisSimulation
import Foundation

/// One scenario under many seeds, and how that went.
struct Campaign {
    struct Failure: Encodable {
        let seed: UInt64
        let violation: String
        let command: String
        let minimisedCommand: String?
        /// The transcript of the minimised failure.
        let transcript: [String]
    }

    let scenario: Scenario
    let plan: SetupPlan
    private(set) var failures: [Failure] = []
    private(set) var runs = 0
    private var events = 0
    private var heights = 0
    private var cpuSeconds = 0.0
    private var trace: UInt64 = 0
    private var range = SeedRange(first: 0, last: 0)

    init(scenario: Scenario, plan: SetupPlan) {
        self.scenario = scenario
        self.plan = plan
    }

    mutating func run(
        _ seeds: SeedRange, failuresMax: Int, seconds: Double?, isMinimising: Bool
    ) {
        range = seeds
        let start = Self.cpuTime
        for seed in seeds.first...seeds.last {
            if let seconds, Self.cpuTime - start > seconds { break }
            let report = plan.setup(seed, of: scenario).report()
            runs += 1
            events += report.events
            heights += report.heights
            trace = (trace ^ report.trace) &* 0x0000_0100_0000_01b3
            guard let violation = report.violation else { continue }
            failures.append(failure(report, violation, isMinimising: isMinimising))
            if failures.count >= failuresMax { break }
        }
        cpuSeconds = Self.cpuTime - start
    }

    private func failure(
        _ report: SimulationReport, _ violation: String, isMinimising: Bool
    ) -> Failure {
        var simplest = report.setup
        if isMinimising {
            var minimiser = Minimiser(report)
            simplest = minimiser.minimised(report.setup)
        }
        var simulation = Simulation(simplest, isRecording: true)
        _ = simulation.run()
        return Failure(
            seed: report.setup.seed, violation: violation,
            command: plan.command(for: report.setup, of: scenario),
            minimisedCommand: isMinimising ? plan.command(for: simplest, of: scenario) : nil,
            transcript: simulation.lines)
    }

    private static var cpuTime: Double { Double(clock()) / Double(CLOCKS_PER_SEC) }

    private var seedsPerHour: Int {
        cpuSeconds > 0 ? Int(Double(runs) / cpuSeconds * 3_600) : 0
    }

    var text: String {
        var lines = [
            "\(scenario.name): \(runs) seeds from \(range.first), \(failures.count) failed, "
                + "\(heights) heights, \(events) events, "
                + "\(String(format: "%.1f", cpuSeconds)) CPU s (\(seedsPerHour) seeds an hour), "
                + "trace \(String(trace, radix: 16))"
        ]
        for failure in failures {
            lines += [
                "", "seed \(failure.seed): \(failure.violation)", "  replay: \(failure.command)",
            ]
            if let command = failure.minimisedCommand { lines.append("  minimised: \(command)") }
            let shown = failure.transcript.suffix(40)
            lines += ["  the end of it (\(failure.transcript.count) lines):"]
            lines += shown.map { "    " + $0 }
        }
        return lines.joined(separator: "\n")
    }

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let result = Result(
            scenario: scenario.name, firstSeed: range.first, seeds: runs, heights: heights,
            events: events, cpuSeconds: cpuSeconds, seedsPerCPUHour: seedsPerHour,
            trace: String(trace, radix: 16), failures: failures)
        return String(decoding: try encoder.encode(result), as: UTF8.self)
    }

    private struct Result: Encodable {
        let scenario: String
        let firstSeed: UInt64
        let seeds: Int
        let heights: Int
        let events: Int
        let cpuSeconds: Double
        let seedsPerCPUHour: Int
        let trace: String
        let failures: [Failure]
    }
}
