import AegisAPI
import AegisAdmin
import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisStore
import AegisTelemetry
import Logging
import Synchronization
import Testing

@Suite("What the admin sees of a mesh") struct ObserverTests {
    /// A founded mesh of one node, and an admin that looks at it when it is told to.
    private struct Observed {
        let mesh: TestMesh
        let member: TestNode
        let node: SoleNode
        let observer: MeshObserver
        let runs: RunDesk
        let folder: TemporaryFolder

        init() async throws {
            mesh = try TestMesh()
            member = try await mesh.join("north")
            try await mesh.desk.found()
            let payload = try unwrap(try await mesh.database.genesis()).payload
            try await mesh.desk.sign(member.sign(payload))
            node = try SoleNode(member, genesis: try unwrap(try await mesh.desk.genesis()))
            folder = try TemporaryFolder()
            let blobs = try BlobStore(directory: folder.path + "/blobs")
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            let commands = CommandSigner(
                database: mesh.database, mesh: mesh.desk.founding.statement.mesh,
                identity: mesh.identity)
            observer = MeshObserver(
                desk: mesh.desk, calls: node, blobs: blobs, logger: logger,
                witness: AuditWitness(
                    database: mesh.database, commands: commands, seconds: 3_600))
            runs = RunDesk(
                database: mesh.database, observer: observer, blobs: blobs,
                commands: commands)
        }

        func submit(_ name: String) async throws -> RunView {
            let json = """
                {"name": "\(name)", "dataset": "none", "rounds": 3,
                 "model": {"kind": "none", "parameters": 10}}
                """
            return try await runs.submit(
                try AegisAPI.document(Array(json.utf8)), by: "ada", now: Timestamp.now())
        }
    }

    private func kind(_ body: () async throws -> Void) async -> String? {
        do {
            try await body()
            return nil
        } catch let problem as Problem { return problem.type } catch { return "\(error)" }
    }

    @Test("a run goes from submitted to completed by what the mesh has committed")
    func run() async throws {
        let observed = try await Observed()
        // The founding is enough: nobody need have looked at the mesh yet.
        let submitted = try await observed.submit("demo")
        #expect(submitted.state == .submitted)
        #expect(
            await kind { _ = try await observed.submit("demo") } == "urn:aegis:problem:name-taken")
        #expect(
            await kind { _ = try await observed.submit("next") } == "urn:aegis:problem:run-active")

        // The first look hands the command over, the second sees what became of it.
        try await observed.observer.look()
        #expect(observed.node.posts == 1)
        try await observed.observer.look()
        let run = try await observed.runs.view("demo")
        #expect(run.state == .completed)
        #expect(run.roundsCommitted == 3)
        #expect(try await observed.runs.view(submitted.id) == run)
        #expect(observed.node.posts == 1)

        let rounds = try await observed.runs.rounds("demo", after: 0, limit: 9)
        #expect(rounds.map(\.round) == [1, 2, 3])
        #expect(rounds.map(\.height) == [2, 3, 4])
        #expect(rounds.allSatisfy { $0.coordinator == "north" && $0.participants == ["north"] })
        #expect(rounds.map(\.loss) == [1, 0.5, 1.0 / 3])
        let certificates = try await observed.runs.certificates("demo", after: 0, limit: 9)
        #expect(certificates.map(\.height) == [1, 2, 3, 4])
        #expect(try await observed.runs.model("demo").bytes == 7)
    }

    @Test("a model is a result once its height is final; before that, only where one says so")
    func provisional() async throws {
        let observed = try await Observed()
        observed.node.isQuietOnFinality.withLock { $0 = true }
        _ = try await observed.submit("demo")
        for _ in 0..<2 { try await observed.observer.look() }
        let run = try await observed.runs.view("demo")
        #expect(run.modelHeight == 4)
        #expect(run.final == nil)
        #expect(
            await kind { _ = try await observed.runs.model("demo") }
                == "urn:aegis:problem:not-final")
        #expect(try await observed.runs.model("demo", provisional: true).bytes == 7)
        observed.node.isQuietOnFinality.withLock { $0 = false }
        #expect(try await observed.runs.model("demo").bytes == 7)
        let final = try #require(try await observed.runs.view("demo").final)
        #expect(final.height == 4)
        #expect(final.signatures == 1)
    }

    @Test("what a node says of rounds that nobody has committed is not kept, and hides nothing")
    func inventedRounds() async throws {
        let observed = try await Observed()
        _ = try await observed.submit("one")
        for _ in 0..<2 { try await observed.observer.look() }
        for round in 50..<60 { observed.node.inventRound(round, height: 2) }
        _ = try await observed.submit("two")
        // Each look brings in four measurements at most.
        for _ in 0..<6 { try await observed.observer.look() }
        #expect(try await observed.runs.view("one").loss == 1.0 / 3)
        #expect(try await observed.runs.view("two").loss == 1.0 / 3)
        let rounds = try await observed.runs.rounds("one", after: 0, limit: 9)
        #expect(rounds.map(\.round) == [1, 2, 3])
        #expect(try await observed.runs.rounds("two", after: 1, limit: 1).map(\.round) == [2])
        #expect(try await observed.runs.newestRounds("two", limit: 2).map(\.round) == [2, 3])
        // Of a height that is not known yet they wait, and are asked for again.
        observed.node.inventRound(60, height: 1_000)
        for _ in 0..<2 { try await observed.observer.look() }
        let told = try #require(await observed.observer.nodes().values.first?.status?.rounds.last)
        #expect(told.height == 1_000)
        #expect(try await observed.runs.view("two").loss == 1.0 / 3)
    }

    @Test("a restarted admin knows what it has seen, and a second run follows")
    func restart() async throws {
        let observed = try await Observed()
        try await observed.observer.look()
        _ = try await observed.submit("one")
        for _ in 0..<2 { try await observed.observer.look() }
        let again = MeshObserver(
            desk: observed.mesh.desk, calls: observed.node,
            blobs: try BlobStore(directory: observed.folder.path + "/blobs2"),
            logger: Logger(label: "test"))
        observed.node.isDown.withLock { $0 = true }
        try await again.look()
        #expect(try await again.chain()?.state == observed.observer.chain()?.state)
        #expect(try await again.chain()?.state.height == 4)
        #expect(await again.nodes().values.allSatisfy { !$0.reachable })
        observed.node.isDown.withLock { $0 = false }
        _ = try await observed.submit("two")
        for _ in 0..<2 { try await observed.observer.look() }
        #expect(try await observed.runs.view("two").state == .completed)
        #expect(try await observed.runs.stored().map(\.specification.name) == ["two", "one"])
    }

    /// A log of `count` records, the one numbered `altered` by somebody else.
    private func log(_ count: Int, altered: Int = 0) async throws -> [String] {
        let database = try AdminDatabase()
        for number in 1...count {
            try await database.appendAudit(entry(number, actor: number == altered ? "eve" : "ada"))
        }
        return try await database.auditLines(after: 0, limit: count).map(\.line)
    }

    private func entry(_ number: Int, actor: String = "ada") -> AuditEntry {
        AuditEntry(
            at: noon + UInt64(number), actor: actor, action: "POST /api/v1/runs",
            parameters: .zero, outcome: "done", request: "r\(number)")
    }

    @Test("the mesh signs the end of the audit log: a log rewritten or cut off contradicts it")
    func witness() async throws {
        let observed = try await Observed()
        let database = observed.mesh.database
        try await observed.observer.look()
        #expect(try await database.lastWitness() == nil)
        for number in 1...5 { try await database.appendAudit(entry(number)) }
        // Records of `noon` are old enough by now: asked for at one look, seen at the next.
        for _ in 0..<2 { try await observed.observer.look() }
        let witness = try #require(try await database.lastWitness())
        #expect(witness.sequence == 5)
        #expect(witness.height == 1)
        #expect(try await observed.observer.chain()?.state.auditHead?.records == 5)
        let posts = observed.node.posts
        for _ in 0..<2 { try await observed.observer.look() }
        #expect(observed.node.posts == posts)

        try await database.appendAudit(entry(6))
        let finding = try await database.verifyAudit()
        #expect(finding.intact)
        #expect(finding.records == 6)
        #expect(finding.witnessed == witness)
        func walk(_ lines: [String]) throws -> AuditChain {
            var chain = AuditChain(witnesses: [witness]) { SHA256.digest(of: $0).description }
            for line in lines { try chain.take(line) }
            try chain.finish()
            return chain
        }
        #expect(try walk(try await log(6)).witnessed == witness)
        // Each digest and each link of it is right; only the mesh knows better.
        let rewritten = try await log(6, altered: 2)
        #expect(throws: AuditChain.Fault.notWhatWasWitnessed(sequence: 5, height: 1)) {
            try walk(rewritten)
        }
        let short = try await log(4)
        #expect(throws: AuditChain.Fault.shorterThanWitnessed(sequence: 5, height: 1)) {
            try walk(short)
        }
        // What came after the last signature can be anything; that is why it is said.
        #expect(try walk(try await log(6, altered: 6)).witnessed?.sequence == 5)
    }

    @Test("the end of a run has its records signed, without waiting")
    func witnessAtTheEnd() async throws {
        let observed = try await Observed()
        try await observed.observer.look()
        var fresh = entry(1)
        fresh.at = Timestamp.now()
        try await observed.mesh.database.appendAudit(fresh)
        _ = try await observed.submit("demo")
        try await observed.observer.look()
        #expect(try await observed.mesh.database.lastWitness() == nil)
        for _ in 0..<2 { try await observed.observer.look() }
        #expect(try await observed.runs.view("demo").state == .completed)
        #expect(try await observed.mesh.database.lastWitness()?.sequence == 1)
        // A second run goes on after it.
        _ = try await observed.submit("again")
        for _ in 0..<2 { try await observed.observer.look() }
        #expect(try await observed.runs.view("again").state == .completed)
    }

    @Test("a command that nobody commits fails its run when it has expired")
    func expired() async throws {
        let observed = try await Observed()
        try await observed.observer.look()
        observed.node.isDown.withLock { $0 = true }
        let body = try AegisAPI.document(
            Array(
                """
                {"name": "late", "dataset": "none", "rounds": 1,
                 "model": {"kind": "none", "parameters": 1}}
                """.utf8))
        let past = Timestamp.now() - 700_000
        let run = try await observed.runs.submit(body, by: "ada", now: past)
        #expect(run.state == .failed)
        #expect(run.reason?.contains("expired") == true)
        #expect(
            await kind {
                _ = try await observed.runs.stop(
                    "late", reason: "x", by: "ada", now: Timestamp.now())
            } == "urn:aegis:problem:run-ended")
    }

    @Test("two certified values of one height are a fork, kept and shown")
    func fork() async throws {
        let observed = try await Observed()
        try await observed.observer.look()
        _ = try await observed.submit("one")
        for _ in 0..<2 { try await observed.observer.look() }
        #expect(try await observed.observer.chain()?.fork == nil)

        // The same key elsewhere decides the same run at another time, and then one more.
        let genesis = try #require(try await observed.mesh.desk.genesis())
        let twin = try SoleNode(observed.member, genesis: genesis, wallStart: noon + 60_000)
        let north = try #require(genesis.roster.entries.first)
        _ = try await observed.submit("two")
        for command in try await observed.mesh.database.commands() {
            try await twin.post(
                "/mesh/v1/statements", CBOR.array([.bytes(command.envelope)]).encoded, to: north)
        }
        #expect(twin.height == 8)
        let other = MeshObserver(
            desk: observed.mesh.desk, calls: twin,
            blobs: try BlobStore(directory: observed.folder.path + "/blobs2"),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await other.look()
        #expect(try await other.chain()?.state.height == 4)
        #expect(
            try await other.chain()?.fork
                == "height 1 has two certified values; north showed the second")
        #expect(try await observed.mesh.database.fork()?.height == 1)
    }
}
