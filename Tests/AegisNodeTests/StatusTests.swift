import AegisAPI
import AegisCore
import AegisCrypto
import AegisIdentity
import AegisNode
import AegisProtocol
import TestFolders
import Testing

@Suite("What a node says of itself")
struct StatusTests {
    @Test("a refusal is worth a line once and is counted after that")
    func refusalCounting() {
        let board = StatusBoard(node: "n", name: "north")
        #expect(board.refused("lakeside", "bad"))
        for _ in 0..<3 { #expect(!board.refused("lakeside", "bad")) }
        #expect(board.refused("lakeside", "worse"))
        #expect(board.refused("hillside", "bad"))
        #expect(
            board.current.refusals == [
                .init(peer: "lakeside", reason: "bad", count: 4),
                .init(peer: "lakeside", reason: "worse", count: 1),
                .init(peer: "hillside", reason: "bad", count: 1),
            ])
    }

    @Test("a peer that invents reasons fills neither the log nor the others' place")
    func inventedReasons() {
        let board = StatusBoard(node: "n", name: "north")
        _ = board.refused("hillside", "bad")
        let logged = (0..<1_000).count { board.refused("lakeside", "reason \($0)") }
        #expect(logged == StatusBoard.refusalsPerPeerMax + 1)
        let refusals = board.current.refusals
        #expect(refusals.count == logged + 1)
        #expect(refusals.contains { $0.peer == "hillside" && $0.count == 1 })
        #expect(refusals.last?.reason == StatusBoard.furtherReasons)
        #expect(refusals.last?.count == 1_000 - StatusBoard.refusalsPerPeerMax)
        // What was known before is still counted under its own name.
        #expect(!board.refused("lakeside", "reason 3"))
        #expect(board.current.refusals.contains { $0.reason == "reason 3" && $0.count == 2 })
    }

    @Test("many peers take no more memory than is granted")
    func refusalsBounded() {
        let board = StatusBoard(node: "n", name: "north")
        for number in 0..<(3 * StatusBoard.refusalsMax) {
            #expect(board.refused("peer \(number)", "bad"))
        }
        #expect(board.current.refusals.count == StatusBoard.refusalsMax)
        #expect(
            board.current.refusals.last?.peer == "peer \(3 * StatusBoard.refusalsMax - 1)")
    }

    @Test("rounds of one run are kept in order, the last measurement of each")
    func measurements() {
        func measurement(
            _ run: String, _ round: Int, height: UInt64? = nil, loss: Double?
        ) -> RoundMeasurement {
            RoundMeasurement(
                run: run, round: round, height: height ?? UInt64(round), view: 0, coordinator: "c",
                participants: ["c"], seconds: 1, loss: loss, accuracy: nil, epsilon: nil,
                model: "m")
        }
        let board = StatusBoard(node: "n", name: "north")
        board.measured(measurement("a", 2, loss: nil))
        board.measured(measurement("a", 1, loss: nil))
        board.measured(measurement("a", 2, loss: 0.5))
        #expect(board.current.rounds.map(\.round) == [1, 2])
        #expect(board.current.rounds.last?.loss == 0.5)
        board.measured(measurement("b", 1, height: 4, loss: nil))
        #expect(board.current.rounds.map(\.run) == ["b"])
        // A model may be evaluated when the next run has begun.
        board.measured(measurement("a", 2, loss: 0.4))
        #expect(board.current.rounds.map(\.run) == ["b"])
        for round in 2...300 { board.measured(measurement("b", round, height: 500, loss: nil)) }
        #expect(board.current.rounds.map(\.round) == Array((301 - NodeStatus.roundsMax)...300))
    }

    @Test("the JSON reads back as what it was")
    func json() throws {
        let board = StatusBoard(node: "n", name: "north")
        _ = board.refused("lakeside", "a \"quoted\" reason")
        board.update { $0.height = 12 }
        let read = try AegisAPI.decode(NodeStatus.self, from: board.json)
        #expect(read.height == 12)
        #expect(read.refusals == board.current.refusals)
        #expect(read.peakResidentMegabytes > 1)
    }

    @Test(
        "what the owner can do about a failure stands beside it",
        arguments: [
            (NodeError.notJoined("/d"), "aegis-node join"),
            (.alreadyJoined("/d"), "another --dir"),
            (.directory(.insecureMode(path: "/d/k", mode: 0o644, allowed: 0o700)), "chmod"),
            (.directory(.alreadyExists(path: "/d")), "another --dir"),
            (.datasetExists("x"), "node.yaml"), (.datasetMissing("x"), "dataset add"),
            (.datasetFileMissing("/d/x"), "dataset-fashion-mnist"),
            (.token(.notAToken), "aegisjoin1_"), (.token(.badChecksum), "again"),
            (.joinRefused(code: "token-used", detail: ""), "aegis token create"),
            (.joinRefused(code: "token-expired", detail: ""), "aegis token create"),
            (.joinRefused(code: "unknown-token", detail: ""), "aegis token create"),
            (.joinRefused(code: "name-taken", detail: ""), "another name"),
            (.adminUnreachable("h:1", reason: "down"), "aegis-admin"),
            (.leftOutOfGenesis, "ask the admin"),
        ])
    func hints(error: NodeError, part: String) {
        let report = FailureReport(error)
        #expect(report.hint?.contains(part) == true, "\(report)")
        #expect(!report.message.isEmpty)
        // Words for people, not the spelling of a Swift value.
        #expect(!report.message.contains("NodeError"))
    }

    @Test("other failures are told as well")
    func otherFailures() {
        let broken = failure(ConfigurationError.self) { _ = try NodeConfiguration(yaml: "a: b") }
        let configuration = FailureReport(broken ?? SystemError(errno: 0))
        #expect(configuration.message.hasPrefix("node.yaml: "))
        #expect(configuration.hint != nil)
        #expect(FailureReport(NodeError.slice("9/3")).message.contains("9/3"))
        #expect(FailureReport(SystemError(errno: 5)).hint == nil)
    }
}

@Suite("The list of commits")
struct CommitListTests {
    private static func record(_ number: UInt8, bytes: Int = 10) -> CommitRecord {
        CommitRecord(
            header: [number], body: [UInt8](repeating: number, count: bytes),
            certificate: [
                EnvelopeSigner(.generate()).sign(.vote2, [number])
            ])
    }

    @Test("what is encoded is decoded, in its order")
    func roundTrip() throws {
        let records = (0..<3).map { Self.record($0) }
        #expect(try CommitList.decode(CommitList.encode(records.map(\.encoded))) == records)
        #expect(try CommitList.decode(CommitList.encode([])).isEmpty)
    }

    @Test("more than a page is not looked at")
    func countBound() throws {
        let record = Self.record(1)
        let body = CommitList.encode(
            Array(repeating: record.encoded, count: CommitList.countMax + 5))
        #expect(try CommitList.decode(body).count == CommitList.countMax)
    }

    @Test("a body beyond the bound is refused before it is read")
    func bytesBound() throws {
        let body = CommitList.encode([[UInt8](repeating: 0, count: CommitList.bytesMax + 1)])
        #expect(throws: CBORError.self) { try CommitList.decode(body) }
    }

    @Test("a list of anything else is refused")
    func foreignContent() {
        #expect(throws: StatementError.self) {
            try CommitList.decode(CBOR.fields([1: 2]).encoded)
        }
        #expect(throws: StatementError.self) {
            try CommitList.decode(CBOR.array([.text("commit")]).encoded)
        }
        #expect(throws: StatementError.self) {
            try CommitList.decode(CommitList.encode([[1, 2, 3]]))
        }
        #expect(throws: (any Error).self) { try CommitList.decode([]) }
        #expect(throws: (any Error).self) { try CommitList.decode([0x9f]) }
    }
}
