package import AegisAPI
package import ArgumentParser

package struct RunWatch: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Follows a run until it ends: a line for each round, and what goes on now.",
        discussion: "Ends with 0 when the run completed, 10 when it failed, 11 when it was "
            + "stopped.\n\nExample:\n  aegis run watch demo")

    @Argument(help: "The run's name or id.")
    package var run: String

    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        let path = try RunCommand.path(run)
        Console.endCleanlyOnInterrupt()
        try await common.withClient { client in
            var screen = WatchScreen(
                format: common.output, live: Console.outputIsTerminal, width: Console.columns)
            var failures = 0
            while true {
                do {
                    if let end = try await step(client, path: path, screen: &screen) {
                        Console.write(screen.ended(end))
                        if let failure = Self.failure(end) { throw failure }
                        return
                    }
                    failures = 0
                } catch let failure as Failure where failure.code == .adminUnreachable {
                    // The mesh goes on without its admin; so does a watch, for a minute.
                    failures += 1
                    guard failures < 120 else { throw failure }
                    Console.write(screen.progress("the admin doesn't answer; trying again"))
                }
                try await ContinuousClock().sleep(for: .milliseconds(500))
            }
        }
    }

    /// One look. The run where it is over and all its rounds are shown.
    private func step(
        _ client: AdminClient, path: String, screen: inout WatchScreen
    ) async throws -> RunView? {
        let run = try await client.send(.get(path), as: RunView.self)
        let rounds = try await client.send(.get(path + "/rounds"), as: Items<RoundView>.self)
        Console.write(try screen.rounds(rounds.items, all: run.state.isOver))
        guard !run.state.isOver else { return run }
        let nodes = try await client.send(
            .get("/participants"), as: Items<ParticipantView>.self)
        Console.write(screen.progress(WatchScreen.progressText(run, nodes.items)))
        return nil
    }

    package static func failure(_ run: RunView) -> Failure? {
        let reason = run.reason.map { ": " + $0 } ?? ""
        return switch run.state {
        case .failed: Failure(.runFailed, "run \(run.name) failed" + reason)
        case .stopped: Failure(.runStopped, "run \(run.name) was stopped" + reason)
        case .completed, .submitted, .running, .stopping: nil
        }
    }
}

/// What a watch has shown and what it shows next, as text to write.
package struct WatchScreen {
    private let format: OutputFormat
    private let live: Bool
    private let width: Int
    private var shown = 0
    private var headingShown = false
    private var progressShown = ""

    /// `live`: standard output is a terminal, so a line can be redrawn.
    package init(format: OutputFormat, live: Bool, width: Int) {
        self.format = format
        self.live = live
        self.width = width
    }

    /// Lines for the rounds that are new. A round is held back until somebody has measured it,
    /// unless the run is over.
    package mutating func rounds(_ rounds: [RoundView], all: Bool) throws -> String {
        var text = ""
        for round in rounds where round.round > shown {
            guard all || !round.measures.isEmpty else { break }
            shown = round.round
            switch format {
            case .text: text += (headingShown ? "" : RoundTable.heading) + RoundTable.row(round)
            case .json: text += String(decoding: try AegisAPI.encode(round), as: UTF8.self) + "\n"
            }
            headingShown = true
        }
        guard !text.isEmpty else { return "" }
        let cleared = clear()
        return cleared + text
    }

    /// Redraws the line below the table; on anything but a terminal there is no such line.
    package mutating func progress(_ text: String) -> String {
        guard live, format == .text, text != progressShown else { return "" }
        progressShown = text
        let cut = text.count > width - 1 ? text.prefix(width - 2) + "…" : text
        return Self.clearLine + cut
    }

    package mutating func ended(_ run: RunView) -> String {
        guard format == .text else { return "" }
        return clear()
            + "run \(run.name) \(run.state.rawValue): \(run.roundsCommitted) of "
            + Output.plural(run.rounds, "round") + ", accuracy " + Output.percent(run.accuracy)
            + ", epsilon at most " + Output.number(run.epsilonMax, places: 3) + "\n"
    }

    private mutating func clear() -> String {
        guard live, !progressShown.isEmpty else { return "" }
        progressShown = ""
        return Self.clearLine
    }

    private static let clearLine = "\r\u{1b}[K"

    /// `round 5 of 10, view 0: training 3/5, coordinator north, waiting for lakeside (40 %)`.
    package static func progressText(_ run: RunView, _ nodes: [ParticipantView]) -> String {
        let working = nodes.compactMap { node -> (String, NodeStatus, NodeStatus.RunProgress)? in
            guard node.reachable, let status = node.status, let current = status.run,
                current.id == run.id
            else { return nil }
            return (node.name, status, current)
        }
        let silent = nodes.filter { !$0.reachable }.map { $0.name + " (no answer)" }
        guard let round = working.map(\.2.round).max() else {
            return ([run.state.rawValue] + silent).joined(separator: ", ")
        }
        let current = working.filter { $0.2.round == round }
        let phase = Self.mostCommon(current.map(\.2.phase))
        let view = current.map(\.1.view).max() ?? 0
        var text = "round \(round) of \(run.rounds), view \(view): \(phase)"
        let progress = current.map(\.2.progress)
        if phase == "training", !progress.isEmpty {
            let mean = progress.reduce(0, +) / Double(progress.count)
            text += " " + Output.percent(mean, places: 0)
        }
        if let id = current.map(\.2.coordinator).first(where: { !$0.isEmpty }) {
            text += ", coordinator " + (nodes.first { $0.node == id }?.name ?? id)
        }
        let behind = working.filter { $0.2.round < round }
            .map { "\($0.0) (round \($0.2.round))" }
        let missing = Set(current.flatMap(\.2.waitingFor))
            .subtracting(nodes.filter { !$0.reachable }.map(\.name))
        let waiting = missing.sorted() + behind + silent
        return waiting.isEmpty ? text : text + ", waiting for " + waiting.joined(separator: ", ")
    }

    private static func mostCommon(_ words: [String]) -> String {
        let counts = Dictionary(grouping: words) { $0 }.mapValues(\.count)
        return counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? "-"
    }
}
