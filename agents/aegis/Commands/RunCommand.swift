package import AegisAPI
package import ArgumentParser
import Foundation

package struct RunCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Submits, follows, stops and exports runs.",
        subcommands: [
            RunSubmit.self, RunStart.self, RunDelete.self, RunList.self, RunShow.self,
            RunWatch.self, RunStop.self, RunExport.self, RunEvidence.self,
        ])

    package init() {}

    /// A run's name or id as a path segment; the admin says which characters a name may have.
    static func path(_ run: String, _ rest: String = "") throws(Failure) -> String {
        let plain = run.utf8.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                || "-_.".utf8.contains($0)
        }
        guard plain, !run.isEmpty else {
            throw Failure(.usage, "\(run) is not the name or id of a run")
        }
        return "/runs/" + run + rest
    }
}

package struct RunSubmit: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "submit",
        abstract: "Sends a run to the mesh. It starts when a quorum has committed it.",
        discussion: "docs/RUN.md lists the fields of the file.\n\n"
            + "Example:\n  aegis run submit simulations/run-demo.yaml")

    @Argument(help: "The run file, YAML or JSON.", completion: .file())
    package var file: String

    @Flag(help: "Keep it as a draft; `run start` hands it to the mesh.")
    package var draft = false

    @OptionGroup package var common: CommonOptions

    package init() {}

    package func request(key: String? = nil) throws(Failure) -> APIRequest {
        guard let bytes = FileManager.default.contents(atPath: file) else {
            throw Failure(.notFound, "\(file) can't be read")
        }
        guard bytes.count <= 1 << 18, let text = String(data: bytes, encoding: .utf8) else {
            throw Failure(.invalidInput, "\(file) is not a text file of at most 256 KiB")
        }
        return .post(
            draft ? "/runs?start=false" : "/runs", try YAMLDocument.parse(text, file: file),
            key: key)
    }

    package func run() async throws {
        let request = try request(key: UUID().uuidString)
        try await common.withClient { client in
            let bytes = try await client.send(request)
            guard common.output == .text else {
                return Console.write(try Output.document(bytes, common.output))
            }
            let run = try AegisAPI.decode(RunView.self, from: bytes)
            Console.writeError(Self.warnings(run))
            Console.write(
                draft
                    ? "run \(run.name) is a draft\nstart it: aegis run start \(run.name)\n"
                    : Self.text(run))
        }
    }
}

extension RunSubmit {
    package static func text(_ run: RunView) -> String {
        let noise = run.noiseToSignal.map {
            "noise to signal in a step: \(Output.number($0, places: 3))\n"
        }
        return "run \(run.name) submitted (\(run.id))\n" + (noise ?? "")
            + "follow it: aegis run watch \(run.name)\n"
    }

    package static func warnings(_ run: RunView) -> String {
        run.warnings.map { "aegis: warning: \($0)\n" }.joined()
    }
}

package struct RunList: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the runs, the newest first.",
        discussion: "Example:\n  aegis run list")

    @Option(help: "Only runs in this state.") package var state: String?
    @OptionGroup package var watch: WatchOptions
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        let path = "/runs" + PathSegment.query([("state", state)])
        try await common.show(
            watch: watch, { try await $0.sendAll(path) }, as: Items<RunView>.self
        ) { Self.text($0.items, state: state) }
    }

    package static func text(_ runs: [RunView], state: String? = nil) -> String {
        guard !runs.isEmpty else {
            return state.map { "no run is \($0)\n" } ?? "no runs yet: aegis run submit run.yaml\n"
        }
        return Table(
            [
                .init("RUN", cutTo: 12), .init("STATE"), .init("ROUNDS", .right),
                .init("LOSS", .right), .init("ACCURACY", .right), .init("EPSILON", .right),
                .init("SUBMITTED"),
            ],
            rows: runs.map { run in
                [
                    run.name, run.state.rawValue, "\(run.roundsCommitted)/\(run.rounds)",
                    Output.number(run.loss, places: 4), Output.percent(run.accuracy),
                    Output.number(run.epsilonMax, places: 2), Output.time(run.submittedAt),
                ]
            }
        ).text(width: Console.columns)
    }
}

package struct RunShow: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows one run and its rounds.",
        discussion: "Example:\n  aegis run show demo")

    @Argument(help: "The run's name or id.")
    package var run: String

    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        let path = try RunCommand.path(run)
        try await common.withClient { client in
            let bytes = try await client.send(.get(path))
            guard common.output == .text else {
                return Console.write(try Output.document(bytes, common.output))
            }
            let run = try AegisAPI.decode(RunView.self, from: bytes)
            let rounds = try AegisAPI.decode(
                Items<RoundView>.self, from: try await client.sendAll(path + "/rounds"))
            Console.write(Self.text(run, rounds.items))
        }
    }

    package static func text(_ run: RunView, _ rounds: [RoundView]) -> String {
        var lines = [
            "run \(run.name)  \(run.state.rawValue)  \(run.roundsCommitted) of "
                + Output.plural(run.rounds, "round"),
            "id \(run.id)",
            "submitted \(Output.time(run.submittedAt)) by \(run.submittedBy)",
        ]
        if let reason = run.reason { lines.append("reason: \(reason)") }
        if let sigma = run.noiseMultiplier, let delta = run.delta {
            lines.append(
                "privacy: noise multiplier \(Output.number(sigma, places: 4)), delta \(delta), "
                    + "epsilon so far \(Output.number(run.epsilonMax, places: 3))")
        }
        if let noise = run.noiseToSignal {
            lines.append("noise to signal in a step: \(Output.number(noise, places: 3))")
        }
        lines += run.warnings.map { "warning: \($0)" }
        if let dropped = dropped(run) { lines.append(dropped) }
        if let model = run.model {
            lines.append("model \(model)")
            lines.append(
                "height \(run.modelHeight ?? 0), "
                    + (run.final?.words ?? FinalityView.committed))
        }
        let head = lines.map { $0 + "\n" }.joined()
        return rounds.isEmpty ? head : head + "\n" + RoundTable.text(rounds)
    }
}

extension RunShow {
    /// `left out by the rule: lakeside in 9 of 10 rounds (suspicious)`; nil where nobody was.
    static func dropped(_ run: RunView) -> String? {
        guard !run.dropped.isEmpty else { return nil }
        let parts = run.dropped.map { count in
            "\(count.peer) in \(count.dropped) of \(Output.plural(count.judged, "round"))"
                + (count.isSuspicious ? " (suspicious)" : "")
        }
        return "left out by the rule: " + parts.joined(separator: ", ")
    }
}

package struct RunStop: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Asks the mesh to end a run after its current round.",
        discussion: "Example:\n  aegis run stop demo --reason \"wrong data set\"")

    @Argument(help: "The run's name or id.")
    package var run: String

    @Option(help: "Why; committed with the stop.")
    package var reason: String = "stopped by an operator"

    @OptionGroup package var common: CommonOptions

    package init() {}

    package func request() throws(Failure) -> APIRequest {
        .post(try RunCommand.path(run, "/stop"), .object(["reason": .text(reason)]))
    }

    package func run() async throws {
        let request = try request()
        try await common.withClient { client in
            let bytes = try await client.send(request)
            guard common.output == .text else {
                return Console.write(try Output.document(bytes, common.output))
            }
            let run = try AegisAPI.decode(RunView.self, from: bytes)
            Console.write("run \(run.name) is \(run.state.rawValue)\n")
        }
    }
}

package struct RunStart: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Hands a draft to the mesh.",
        discussion: "Example:\n  aegis run start demo")

    @Argument(help: "The run's name or id.") package var run: String
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        let path = try RunCommand.path(run, "/start")
        try await common.show(
            { try await $0.send(.post(path, .object([:]))) }, as: RunView.self
        ) { "run \($0.name) is \($0.state.rawValue)\n" }
    }
}

package struct RunDelete: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Discards a draft.",
        discussion: "Example:\n  aegis run delete demo")

    @Argument(help: "The run's name or id.") package var run: String
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        let path = try RunCommand.path(run)
        try await common.withClient { _ = try await $0.send(.delete(path)) }
        if common.output == .text { Console.write("draft \(run) is discarded\n") }
    }
}

package struct RunEvidence: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "evidence", abstract: "Writes all that proves a run to one tar file.",
        discussion: "Example:\n  aegis run evidence demo --to demo.tar")

    @Argument(help: "The run's name or id.") package var run: String
    @Option(help: "The file.", completion: .file()) package var to: String
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        let path = try RunCommand.path(run, "/evidence")
        guard FileManager.default.createFile(atPath: to, contents: nil),
            let file = FileHandle(forWritingAtPath: to)
        else { throw Failure(.cannotWrite, "\(to) can't be written") }
        try await common.withClient { client in
            try await client.stream(.get(path)) { try file.write(contentsOf: Data($0)) }
        }
        try file.close()
        if common.output == .text { Console.write("evidence of \(run) written to \(to)\n") }
    }
}
