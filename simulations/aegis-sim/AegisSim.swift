import AegisSimulation
import ArgumentParser
import Foundation

@main
struct AegisSim: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "aegis-sim",
        abstract: "Tries to break the mesh protocol, one simulated mesh for each seed.",
        discussion: """
            The same core that a node runs, on a virtual clock, network and disk, under faults and
            traitors drawn from the seed. Every invariant is checked after every step. The status
            is 0 where all held, 1 where one was broken; each failure comes with the command that
            replays it.

            Examples:
              aegis-sim --list
              aegis-sim --seeds 1000..2000 --scenario byzantine-coordinator --output json
              aegis-sim --seeds 42 --scenario mixed --replay
              aegis-sim --seeds 0..20000 --scenario mixed --break smallQuorum
            """)

    @Option(help: "A seed, or a range of them: 1000..2000, the last one included.")
    var seeds: SeedRange = SeedRange(first: 0, last: 999)
    @Option(help: "A scenario's name, or `all`.")
    var scenario = "mixed"
    @Option(help: "Where the scenarios' files are.")
    var scenarios = "simulations/scenarios"
    @Option(help: "text or json.")
    var output = OutputFormat.text
    @Flag(help: "List the scenarios.")
    var list = false
    @Flag(help: "Print what happened, step by step; for one seed.")
    var replay = false
    @Option(help: "symbolic (fast) or real (Ed25519 and SHA-256).")
    var cryptography = CryptographyChoice.symbolic
    @Option(
        name: .customLong("set"),
        help: "Set an option in the place of the scenario: loss=0. May be repeated.")
    var settings: [Setting] = []
    @Option(help: "Of the faults only these strike: 3,17,42. As a minimised failure prints it.")
    var faults: FaultList?
    @Option(
        name: .customLong("break"),
        help: "A rule that every node breaks, to see whether it is noticed. --list shows them.")
    var breach: String?
    @Option(help: "Stop after so many seconds.")
    var seconds: Double?
    @Option(help: "Stop after so many failures.")
    var failures = 1
    @Flag(inversion: .prefixedNo, help: "Narrow each failure down.")
    var minimise = true

    func validate() throws {
        guard !replay || seeds.first == seeds.last && scenario != "all" else {
            throw ValidationError("--replay takes one seed and one scenario")
        }
        guard failures > 0 else { throw ValidationError("--failures is at least 1") }
        if let breach, Breakage(breach) == nil {
            throw ValidationError("nothing is called \(breach) that could be broken")
        }
    }

    func run() throws {
        let folder = ScenarioFolder(path: scenarios)
        if list { return try printList(of: folder) }
        let chosen = scenario == "all" ? try folder.all() : [try folder.scenario(scenario)]
        let plan = SetupPlan(
            settings: settings, faults: faults, breakage: breach.flatMap(Breakage.init),
            cryptography: cryptography.cryptography)
        if replay {
            var simulation = Simulation(plan.setup(seeds.first, of: chosen[0]), isRecording: true)
            let report = simulation.run()
            for line in simulation.lines { print(line) }
            print(report)
            if report.violation != nil { throw ExitCode(1) }
            return
        }
        var isBroken = false
        for scenario in chosen {
            var campaign = Campaign(scenario: scenario, plan: plan)
            campaign.run(
                seeds, failuresMax: failures, seconds: seconds, isMinimising: minimise)
            print(output == .json ? try campaign.json() : campaign.text, terminator: "\n")
            isBroken = isBroken || !campaign.failures.isEmpty
        }
        if isBroken { throw ExitCode(1) }
    }

    private func printList(of folder: ScenarioFolder) throws {
        let all = try folder.all()
        if output == .json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            let list = ScenarioList(
                scenarios: all.map { .init(name: $0.name, summary: $0.summary) },
                breakable: Breakage.names)
            return print(String(decoding: try encoder.encode(list), as: UTF8.self))
        }
        let width = all.map(\.name.count).max() ?? 0
        for scenario in all {
            let gap = String(repeating: " ", count: width - scenario.name.count + 2)
            print(scenario.name + gap + scenario.summary)
        }
        print(
            "\nRules and duties that --break can break:\n" + Breakage.names.joined(separator: " "))
    }
}

private struct ScenarioList: Encodable {
    struct Entry: Encodable {
        let name: String
        let summary: String
    }

    let scenarios: [Entry]
    let breakable: [String]
}
