import AegisSimulation
import ArgumentParser

/// Twins (arXiv 2004.10617): every way in which links are cut and coordinators follow each other.
struct TwinsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "twins",
        abstract: "Runs one node twice with one key under schedules of cuts and coordinators.",
        discussion: """
            A schedule says, for each of the first views of every height, into which sets the
            processes fall and who coordinates. The schedules are enumerated in a fixed order that
            goes all over them; those that differ only in the honest nodes' or the twins' names
            are run once. Every invariant is checked after every step, and everybody must finish
            once the schedule is over. A violation prints the schedule that replays it.

            Examples:
              aegis-sim twins --views 3 --limit 30000
              aegis-sim twins --views 8 --limit 1000000 --threads 2 --resume twins.json
              aegis-sim twins --views 3 --break vote2WithoutQuorum
            """)

    @Option(help: "Views that the schedule rules.")
    var views = 8
    @Option(help: "Nodes, the one that runs twice included.")
    var nodes = 4
    @Option(help: "Sets into which the processes may fall in a view.")
    var sets = 2
    @Option(help: "Stop after so many schedules, those of earlier commands included.")
    var limit = 20_000
    @Option(help: "Threads that simulate at the same time. The results don't depend on it.")
    var threads = 1
    @Option(help: "Keep here how far it has come, and go on from there where it exists.")
    var resume: String?
    @Option(help: "Replay this schedule, as a violation prints it.")
    var schedule: String?
    @Option(help: "text or json.")
    var output = OutputFormat.text
    @Option(
        name: [.customLong("crypto"), .customLong("cryptography")],
        help: "symbolic (fast) or real (Ed25519 and SHA-256).")
    var cryptography = CryptographyChoice.symbolic
    @Option(name: .customLong("break"), help: "A rule that every node breaks.")
    var breach: String?

    func validate() throws {
        guard (1...64).contains(views) else { throw ValidationError("--views is 1 to 64") }
        guard (2...7).contains(nodes) else { throw ValidationError("--nodes is 2 to 7") }
        guard (1...nodes + 1).contains(sets) else {
            throw ValidationError("--sets is 1 to the number of processes")
        }
        guard limit > 0, threads > 0 else {
            throw ValidationError("--limit and --threads are at least 1")
        }
        if let breach, Breakage(breach) == nil {
            throw ValidationError("nothing is called \(breach) that could be broken")
        }
    }

    func run() throws {
        guard let enumeration = TwinsEnumeration(nodes: nodes, views: views, setsMax: sets) else {
            throw ValidationError("too many schedules to be numbered: fewer --views or --sets")
        }
        let workload = TwinsWorkload(
            enumeration: enumeration, breakage: breach.flatMap(Breakage.init),
            cryptography: cryptography.cryptography)
        if let schedule { return try replay(schedule, workload) }
        if output == .text {
            print(
                "\(nodes) nodes, one of them twice, \(views) views, at most \(sets) sets: "
                    + "\(enumeration.choices.count) choices in a view, "
                    + "\(enumeration.distinct) schedules")
        }
        let plan =
            "twins --nodes \(nodes) --views \(views) --sets \(sets)"
            + (breach.map { " --break \($0)" } ?? "")
            + (cryptography == .real ? " --crypto real" : "")
        let file = resume.map(CampaignFile.init)
        let isDone = try Campaign(
            workload, limits: .init(threads: threads, simulationsMax: limit),
            record: try file?.record(plan: plan) ?? CampaignRecord(workload, plan: plan),
            file: file
        ).run(output) { _ in AegisSim.sameCommand }
        if !isDone, let code = StopSignal.exitCode { throw ExitCode(code) }
    }

    private func replay(_ text: String, _ workload: TwinsWorkload) throws {
        guard let schedule = TwinsSchedule(text, nodes: nodes) else {
            throw ValidationError("\(text) is no schedule of \(nodes) nodes")
        }
        try AegisSim.replay(workload.setup(schedule))
    }
}
