import AegisProtocol
import AegisSimulation
import ArgumentParser
import Foundation

/// Every order and every loss of messages at one height.
struct ExploreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explore",
        abstract: "Tries every order of everything that may be said at one height.",
        discussion: """
            From each state every message that exists may reach every honest node, every timer may
            run out, and traitors sign whatever their keys can sign. The participants are those
            that a node runs. States that differ in nothing that matters are visited once. The
            status is 0 where no invariant was broken, 1 where one was; the way there is printed.

            Examples:
              aegis-sim explore --nodes 4 --views 2
              aegis-sim explore --nodes 3 --fork
              aegis-sim explore --nodes 4 --views 3
              aegis-sim explore --nodes 4 --views 2 --roster-change --limit 5000000
              aegis-sim explore --views 2 --break timeoutWithoutCertificate
            """)

    @Option(help: "Nodes that decide.")
    var nodes = 4
    @Option(help: "Traitors among them: the first ones.")
    var traitors = 1
    @Option(help: "Views: attempts to decide, each with its coordinator.")
    var views = 2
    @Option(
        help: """
            The coordinator of each view by its place, 0,1: the default is the first node, a \
            traitor, which proposes anything to anybody.
            """)
    var coordinators: PlaceList?
    @Flag(help: "The height decides that one more node leaves; the next height is explored, too.")
    var rosterChange = false
    @Flag(help: "Go on past two certified values, until two are decided.")
    var fork = false
    @Option(help: "Stop after so many states.")
    var limit: Int?
    @Option(help: "text or json.")
    var output = OutputFormat.text
    @Option(name: .customLong("break"), help: "A rule that every node breaks.")
    var breach: String?

    func validate() throws {
        guard (1...10).contains(nodes), (0...nodes).contains(traitors) else {
            throw ValidationError("--nodes is 1 to 10, --traitors not more")
        }
        guard (1...8).contains(views) else { throw ValidationError("--views is 1 to 8") }
        if let coordinators {
            guard coordinators.places.count == views,
                coordinators.places.allSatisfy({ $0 < nodes })
            else { throw ValidationError("--coordinators names a node for each view") }
        }
        guard traitors > 0 || coordinators != nil else {
            throw ValidationError("without traitors, say who coordinates: --coordinators 0,1")
        }
        guard limit.map({ $0 > 0 }) ?? true else {
            throw ValidationError("--limit is at least 1")
        }
        if let breach, !RuleBreaches.named.contains(where: { $0.name == breach }) {
            throw ValidationError("no rule is called \(breach)")
        }
    }

    func run() throws {
        var setup = ExplorerSetup(
            nodes: nodes, traitors: traitors, views: views,
            coordinators: coordinators?.places, isRosterChanging: rosterChange,
            breaches: RuleBreaches.named.first { $0.name == breach }?.breach ?? [],
            statesMax: limit)
        setup.isForkSought = fork
        var explorer = Explorer(setup)
        StopSignal.watch()
        var progress = Progress()
        let start = Progress.cpuSeconds
        let report = explorer.explore { current in
            let seconds = progress.seconds
            progress.show {
                "\(Progress.grouped(current.states)) states, "
                    + "\(Progress.grouped(current.transitions)) transitions, "
                    + "\(Progress.grouped(Int(Double(current.states) / seconds))) states/s, "
                    + "depth \(current.depth)"
            }
            return !StopSignal.isRaised
        }
        progress.end()
        let result = ExplorerResult(report, seconds: Progress.cpuSeconds - start)
        print(output == .json ? try result.json() : result.text)
        if report.violation != nil { throw ExitCode(1) }
        if let code = StopSignal.exitCode { throw ExitCode(code) }
    }
}

private struct ExplorerResult: Encodable {
    let states: Int
    let nodeStates: Int
    let transitions: Int
    let depth: Int
    let cpuSeconds: Double
    let tableBytes: Int
    let isComplete: Bool
    let violation: String?
    let transcript: [String]

    init(_ report: ExplorerReport, seconds: Double) {
        states = report.states
        nodeStates = report.locals
        transitions = report.transitions
        depth = report.depthMax
        cpuSeconds = seconds
        tableBytes = report.tableBytes
        isComplete = report.isComplete
        violation = report.violation
        transcript = report.transcript
    }

    var text: String {
        let end =
            if violation != nil {
                "an invariant is broken"
            } else if isComplete {
                "all states seen, no invariant broken"
            } else {
                "stopped before all states were seen, no invariant broken so far"
            }
        let summary =
            "\(end): \(Progress.grouped(states)) states, "
            + "of \(nodeStates) of single nodes, "
            + "\(Progress.grouped(transitions)) transitions, depth \(depth), "
            + "\(String(format: "%.1f", cpuSeconds)) CPU s, table \(tableBytes >> 20) MiB"
        return (transcript + [summary]).joined(separator: "\n")
    }

    func json() throws -> String {
        String(decoding: try readableJSON(), as: UTF8.self)
    }
}

/// `0,2`.
struct PlaceList: ExpressibleByArgument {
    let places: [UInt8]

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
            .map { UInt8($0) }
        guard !parts.isEmpty, !parts.contains(nil) else { return nil }
        places = parts.compactMap(\.self)
    }
}
