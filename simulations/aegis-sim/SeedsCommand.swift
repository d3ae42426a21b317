import AegisSimulation
import ArgumentParser
import Foundation

/// Scenarios under seeds.
struct SeedsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "seeds",
        abstract: "Simulates meshes under faults and traitors drawn from seeds (the default).",
        discussion: """
            The same core that a node runs, on a virtual clock, network and disk, under faults and
            traitors drawn from the seed. Every invariant is checked after every step. The status
            is 0 where all held, 1 where one was broken; each failure comes with the command that
            replays it.

            Ctrl-C ends it early, with the figures so far and the command that goes on.

            Examples:
              aegis-sim --list
              aegis-sim --scenario all --simulations 1000000 --threads 2 --resume million.json
              aegis-sim --seeds 1000..2000 --scenario byzantine-coordinator --output json
              aegis-sim --seeds 42 --scenario mixed --replay
              aegis-sim --seeds 0..20000 --scenario mixed --break smallQuorum
            """)

    @Option(help: "A seed, or a range of them: 1000..2000, the last one included.")
    var seeds: SeedRange = SeedRange(first: 0, last: 999)
    @Option(
        help: """
            So many simulations, shared by the scenarios' weights, each with the seeds from the \
            first one of --seeds on.
            """)
    var simulations: Int?
    @Option(help: "Threads that simulate at the same time. The results don't depend on it.")
    var threads = 1
    @Option(help: "Keep here how far it has come, and go on from there where it exists.")
    var resume: String?
    @Option(help: "Leave out so many simulations: what a stopped command says to go on with.")
    var after = 0
    @Option(
        help: """
            A scenario's name, or `all`: every one but those with more traitors than a mesh bears.
            """)
    var scenario = "mixed"
    @Option(help: "Where the scenarios' files are.")
    var scenarios = "simulations/scenarios"
    @Option(help: "text or json.")
    var output = OutputFormat.text
    @Flag(help: "List the scenarios.")
    var list = false
    @Flag(help: "Print what happened, step by step; for one seed.")
    var replay = false
    @Option(
        name: [.customLong("crypto"), .customLong("cryptography")],
        help: "symbolic (fast) or real (Ed25519 and SHA-256).")
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
    @Option(help: "Leave a scenario after so many failures.")
    var failures = 1
    @Flag(inversion: .prefixedNo, help: "Narrow each failure down.")
    var minimise = true

    func validate() throws {
        guard !replay || seeds.first == seeds.last && scenario != "all" else {
            throw ValidationError("--replay takes one seed and one scenario")
        }
        guard failures > 0 else { throw ValidationError("--failures is at least 1") }
        guard threads > 0 else { throw ValidationError("--threads is at least 1") }
        guard simulations.map({ $0 > 0 }) ?? true else {
            throw ValidationError("--simulations is at least 1")
        }
        guard after >= 0 else { throw ValidationError("--after is at least 0") }
        guard after == 0 || resume == nil else {
            throw ValidationError("--after and --resume are two ways of going on: take one")
        }
        if let breach, Breakage(breach) == nil {
            throw ValidationError("nothing is called \(breach) that could be broken")
        }
    }

    func run() throws {
        let folder = ScenarioFolder(path: scenarios)
        if list { return try printList(of: folder) }
        let chosen =
            scenario == "all"
            ? try folder.all().filter { !$0.isBeyond } : [try folder.scenario(scenario)]
        let plan = SetupPlan(
            settings: settings, faults: faults, breakage: breach.flatMap(Breakage.init),
            cryptography: cryptography.cryptography)
        if replay { return try AegisSim.replay(plan.setup(seeds.first, of: chosen[0])) }
        let order =
            simulations.map { SimulationOrder(chosen, simulations: $0, first: seeds.first) }
            ?? SimulationOrder(chosen, seeds: seeds)
        let words = words(to: order.count)
        let workload = SeedsWorkload(order: order, plan: plan)
        let file = resume.map(CampaignFile.init)
        let record =
            try file?.record(plan: words)
            ?? CampaignRecord(workload, plan: words, done: min(after, order.count))
        let isDone = try Campaign(
            workload,
            limits: .init(
                failuresMax: failures, seconds: seconds, isMinimising: minimise, threads: threads),
            record: record, file: file
        ).run(output, rest: rest(after:))
        if !isDone, let code = StopSignal.exitCode { throw ExitCode(code) }
    }

    /// What is to be done, but not how: the same for every command that goes on with it.
    private func words(to count: Int) -> String {
        var words = ["--scenario \(scenario)"]
        if simulations != nil {
            words.append("--seeds \(seeds.first).. --simulations \(count)")
        } else {
            words.append("--seeds \(seeds.first)..\(seeds.last)")
        }
        words += settings.map { "--set \($0.name)=\($0.value)" }
        if let faults {
            words.append(
                "--faults \(faults.numbers.sorted().map(String.init).joined(separator: ","))")
        }
        if let breach { words.append("--break \(breach)") }
        if cryptography == .real { words.append("--crypto real") }
        return words.joined(separator: " ")
    }

    /// This command again, from there on.
    private func rest(after done: Int) -> String {
        guard resume == nil else { return AegisSim.sameCommand }
        var words = CommandLine.arguments
        words[0] = "aegis-sim"
        if let index = words.firstIndex(of: "--after") {
            words.removeSubrange(index..<min(index + 2, words.count))
        }
        words.removeAll { $0.hasPrefix("--after=") }
        return (words + ["--after \(done)"]).joined(separator: " ")
    }

    private func printList(of folder: ScenarioFolder) throws {
        let all = try folder.all()
        if output == .json {
            let list = ScenarioList(
                scenarios: all.map { .init(name: $0.name, summary: $0.summary) },
                breakable: Breakage.names)
            return print(String(decoding: try list.readableJSON(), as: UTF8.self))
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
