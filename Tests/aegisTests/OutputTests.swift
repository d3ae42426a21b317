import AegisAPI
import Foundation
import Testing
import aegis

@Suite("What is shown") struct OutputTests {
    static func round(_ number: Int, measured: Bool = true) -> RoundView {
        RoundView(
            round: number, height: UInt64(number) + 1, view: number == 2 ? 1 : 0,
            coordinator: "a-hospital-with-a-long-name", participants: ["north", "south"],
            model: "sha256:00", certificate: nil,
            measures: measured
                ? [
                    .init(
                        node: "n", name: "north", seconds: 1.5, loss: 0.5, accuracy: 0.75,
                        epsilon: 1.25),
                    .init(
                        node: "s", name: "south", seconds: 2.25, loss: 0.7, accuracy: 0.77,
                        epsilon: 1.5),
                ] : [])
    }

    static func run(_ state: RunView.State, reason: String? = nil) -> RunView {
        var run = RunView(
            id: String(repeating: "0", count: 32), name: "demo", state: state, reason: reason,
            submittedAt: "2026-03-01T09:30:00.250Z", submittedBy: "admin", rounds: 10,
            roundsCommitted: 2, dataset: "fashion-mnist", noiseMultiplier: 1.1, delta: 1e-5,
            specification: .object([:]))
        run.loss = 0.6
        run.accuracy = 0.76
        run.epsilonMax = 1.5
        return run
    }

    private func isNarrow(_ text: String) -> Bool {
        text.split(separator: "\n").allSatisfy { $0.count <= 80 }
    }

    @Test("tables fit 80 columns, whatever the names")
    func tables() {
        let long = String(repeating: "x", count: 64)
        let node = ParticipantView(
            node: String(repeating: "n", count: 52), name: long, address: long + ":65535",
            joinedAt: "2026-03-01T09:30:00.250Z", reachable: true, lastSeen: nil,
            status: NodeStatus(
                node: "n", name: long, version: "0.1.0", state: .training, height: 123_456,
                view: 0, peakResidentMegabytes: 149.6, run: nil,
                privacy: [
                    .init(dataset: "d", epsilon: 123.456, delta: 1e-5, budgetEpsilon: 1_000)
                ], refusals: [], rounds: []))
        #expect(isNarrow(NodeList.text([node])))
        var run = Self.run(.running)
        run.name = long
        #expect(isNarrow(RunList.text([run])))
        #expect(isNarrow(RoundTable.text([Self.round(1), Self.round(100_000)])))
        var explained = Self.round(1)
        explained.aggregation = RoundExplanation(
            rule: "krum", scoreMeaning: "neighbour distance",
            verdicts: (0..<32).map { _ in
                .init(node: long, isKept: false, share: 0, score: 1)
            })
        #expect(isNarrow(RoundTable.row(explained)))
        #expect(RoundTable.row(explained).hasSuffix(" and 30 more\n"))
        let token = JoinTokenView(
            id: "0123456789abcdef", name: long, state: .expired,
            createdAt: "2026-03-01T09:30:00.250Z", createdBy: "admin",
            expiresAt: "2026-03-01T09:30:00.250Z", usedBy: String(repeating: "n", count: 52))
        #expect(isNarrow(TokenList.text([token])))
    }

    @Test("the metrics have a line a round and a column of ε a node")
    func metrics() {
        let text = RunResults.csv([Self.round(1), Self.round(2, measured: false)])
        #expect(
            text == """
                round,height,view,coordinator,participants,seconds,loss,accuracy,\
                epsilon_north,epsilon_south,accuracy_north,accuracy_south,\
                auc,f1,calibration_error,rmse,mae,r2
                1,2,0,a-hospital-with-a-long-name,north south,2.250,0.600000,0.760000,\
                1.250000,1.500000,0.750000,0.770000,,,,,,
                2,3,1,a-hospital-with-a-long-name,north south,,,,,,,,,,,,,

                """)
    }

    @Test("what else was measured: of the federation, and of each node where they differ")
    func quality() {
        let north = ModelQuality(records: 100, loss: 0.5, accuracy: 0.75, auc: 0.9, f1: 0.7)
        var south = north
        #expect(RoundTable.quality(Self.round(1)) == "")
        #expect(Self.measured(north, south).split(separator: "\n").count == 3)
        south.auc = 0.8
        let text = Self.measured(north, south)
        #expect(isNarrow(text) && text.split(separator: "\n").count == 5)
        #expect(text.contains("all") && text.contains("0.8500") && text.contains("south"))
        let numbers = ModelQuality(records: 10, loss: 0.1, rmse: 3, mae: 2, r2: 0.5)
        #expect(Self.measured(numbers, numbers).contains("RMSE"))
    }

    private static func measured(_ north: ModelQuality, _ south: ModelQuality) -> String {
        let round = round(7)
        var measures = round.measures
        (measures[0].quality, measures[1].quality) = (north, south)
        return RoundTable.quality(
            RoundView(
                round: 7, height: 8, view: 0, coordinator: "north", participants: [],
                model: nil, certificate: nil, measures: measures))
    }

    @Test("a watch shows each round once, and holds one back until it is measured")
    func watch() throws {
        var screen = WatchScreen(format: .text, live: false, width: 80)
        #expect(try screen.rounds([], all: false) == "")
        let first = try screen.rounds(
            [Self.round(1), Self.round(2, measured: false)], all: false)
        #expect(first.split(separator: "\n").count == 2)
        #expect(first.hasPrefix("ROUND  COORDINATOR"))
        #expect(screen.progress("training") == "")
        let second = try screen.rounds([Self.round(1), Self.round(2)], all: false)
        #expect(second.split(separator: "\n").count == 1)
        #expect(!second.contains("\u{1b}"))
        let last = try screen.rounds(
            [Self.round(1), Self.round(2), Self.round(3, measured: false)], all: true)
        #expect(last.contains("    3  "))
    }

    @Test("on a terminal the line of progress is redrawn and cleared")
    func live() throws {
        var screen = WatchScreen(format: .text, live: true, width: 20)
        #expect(screen.progress("a line that is too long") == "\r\u{1b}[Ka line that is too…")
        #expect(screen.progress("a line that is too long") == "")
        #expect(try screen.rounds([Self.round(1)], all: false).hasPrefix("\r\u{1b}[KROUND"))
        #expect(!screen.ended(Self.run(.completed)).contains("\u{1b}"))
    }

    @Test("as JSON a watch writes one object a round")
    func json() throws {
        var screen = WatchScreen(format: .json, live: true, width: 80)
        let text = try screen.rounds([Self.round(1), Self.round(2)], all: false)
        let lines = text.split(separator: "\n")
        #expect(lines.count == 2)
        let round = try AegisAPI.decode(RoundView.self, from: Array(lines[1].utf8))
        #expect(round == Self.round(2))
        #expect(screen.progress("x") == "" && screen.ended(Self.run(.completed)) == "")
    }

    @Test("progress names the phase, the coordinator and who is waited for")
    func progress() {
        let run = Self.run(.running)
        func node(_ name: String, round: Int?, up: Bool = true) -> ParticipantView {
            ParticipantView(
                node: "id-" + name, name: name, address: "h:1", joinedAt: "", reachable: up,
                lastSeen: nil,
                status: round.map { round in
                    NodeStatus(
                        node: "id-" + name, name: name, version: "", state: .training, height: 3,
                        view: 0, peakResidentMegabytes: 1,
                        run: .init(
                            id: run.id, name: "demo", round: round, rounds: 10,
                            phase: "training", progress: 0.4, coordinator: "id-north",
                            waitingFor: ["lakeside"]),
                        privacy: [], refusals: [], rounds: [])
                })
        }
        #expect(
            WatchScreen.progressText(
                run,
                [
                    node("north", round: 5), node("south", round: 4),
                    node("lakeside", round: nil, up: false),
                ])
                == "round 5 of 10, view 0: training 40%, coordinator north, "
                + "waiting for south (round 4), lakeside (no answer)")
        #expect(WatchScreen.progressText(Self.run(.submitted), []) == "submitted")
    }

    @Test("a watch ends by how the run ended")
    func ends() {
        #expect(RunWatch.failure(Self.run(.completed)) == nil)
        #expect(RunWatch.failure(Self.run(.failed, reason: "r"))?.code == .runFailed)
        #expect(RunWatch.failure(Self.run(.stopped))?.code == .runStopped)
    }

    @Test("a problem becomes an error, its faults, a hint and an exit code")
    func failures() {
        let failure = Failure(
            Problem(
                .invalidRequest,
                faults: [.init(field: "rounds", message: "must be a whole number, is 0")]))
        #expect(failure.code == .invalidInput)
        #expect(
            failure.text == """
                aegis: error: the request has faults
                  rounds: must be a whole number, is 0
                aegis: hint: docs/RUN.md lists every field of a run and its range

                """)
        #expect(Failure(Problem(.forbidden)).code == .notPermitted)
        #expect(Failure(Problem(.notFound)).code == .notFound)
        #expect(Failure(Problem(.internalError)).code == .internalError)
    }
}
