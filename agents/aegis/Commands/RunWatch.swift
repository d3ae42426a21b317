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
            var grace = Self.graceLooks
            while true {
                do {
                    let end = try await step(
                        client, path: path, screen: &screen, waitsForMeasures: grace > 1)
                    if end != nil { grace -= 1 }
                    if let end, grace <= 0 || screen.isComplete(end) {
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

    /// So often a run that is over is looked at again for what nodes measure in its last round.
    private static let graceLooks = 10

    /// One look. The run where it is over.
    private func step(
        _ client: AdminClient, path: String, screen: inout WatchScreen, waitsForMeasures: Bool
    ) async throws -> RunView? {
        let run = try await client.send(.get(path), as: RunView.self)
        screen.expectsLoss = run.trains
        let rounds = try AegisAPI.decode(
            Items<RoundView>.self, from: try await client.sendAll(path + "/rounds"))
        Console.write(
            try screen.rounds(rounds.items, all: run.state.isOver && !waitsForMeasures))
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
        case .completed, .draft, .submitted, .running, .stopping: nil
        }
    }
}

/// What a watch has shown and what it shows next, as text to write.
package struct WatchScreen {
    private let format: OutputFormat
    private let live: Bool
    private let width: Int
    /// Whether the run trains, so that a round without a loss is not measured yet.
    package var expectsLoss = false
    private var shown = 0
    private var headingShown = false
    private var progressShown = ""

    /// `live`: standard output is a terminal, so a line can be redrawn.
    package init(format: OutputFormat, live: Bool, width: Int) {
        self.format = format
        self.live = live
        self.width = width
    }

    /// Whether every committed round of a run that is over has been shown.
    package func isComplete(_ run: RunView) -> Bool { shown >= run.roundsCommitted }

    /// Lines for the rounds that are new. A round is held back until all who took part have
    /// measured it or a later round is measured; with `all`, no longer.
    package mutating func rounds(_ rounds: [RoundView], all: Bool) throws -> String {
        var text = ""
        // Nodes tell the time of a round at once, and its loss when they have evaluated the model.
        let evaluates = rounds.contains { $0.loss != nil } || expectsLoss
        let measured = rounds.last { evaluates ? $0.loss != nil : !$0.measures.isEmpty }?.round ?? 0
        for round in rounds where round.round > shown {
            let enough = evaluates ? round.measures.filter { $0.loss != nil } : round.measures
            let isMeasured = enough.count >= round.participants.count
            guard all || isMeasured || round.round < measured else { break }
            shown = round.round
            switch format {
            case .text: text += (headingShown ? "" : RoundTable.heading) + RoundTable.row(round)
            case .json: text += String(decoding: try AegisAPI.encode(round), as: UTF8.self) + "\n"
            case .yaml: text += "---\n" + (try Output.document(try AegisAPI.encode(round), .yaml))
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
        var parts = [
            "run \(run.name) \(run.state.rawValue): \(run.roundsCommitted) of "
                + Output.plural(run.rounds, "round")
        ]
        if let accuracy = run.accuracy { parts.append("accuracy " + Output.percent(accuracy)) }
        if let epsilon = run.epsilonMax {
            parts.append("epsilon at most " + Output.number(epsilon, places: 3))
        }
        let dropped = RunShow.dropped(run).map { $0 + "\n" } ?? ""
        return clear() + parts.joined(separator: ", ") + "\n" + dropped
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

extension RunView {
    /// Whether its model is trained: only such rounds have a loss.
    fileprivate var trains: Bool {
        guard case .object(let fields) = specification, case .object(let model) = fields["model"]
        else { return true }
        return model["kind"] != "none"
    }
}
