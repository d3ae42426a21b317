import AegisCore
import AegisProtocol
import AegisSimulation
import Testing

@Suite("Hello, and silence after a rollback (PROTOCOL.md §2.11)")
struct GreetingTests {
    @Test("nothing is signed before a quorum, this node included, has answered")
    func firstSignature() throws {
        var stage = try Stage(4)
        stage.messages = []
        try stage.restart(0)
        #expect(stage.participants[0].status.phase == .greeting)
        stage.command(.start(Stage.specification(try Stage.run())))
        for index in 0..<4 { try stage.elapse(.command, at: index) }
        #expect(stage.slots(0).isEmpty)
        let hellos = stage.messages.filter { $0.from == 0 && $0.statement.isHello }
        #expect(hellos.count == 3)
        stage.deliver { $0.to == 1 && $0.statement.isHello || $0.to == 0 && $0.from == 1 }
        #expect(stage.slots(0).isEmpty)
        stage.deliver()
        #expect(stage.participants[0].status.phase != .greeting)
        #expect(stage.slots(0).contains { $0.type == .vote1 })
    }

    @Test("where others have left meanwhile, fewer answers are enough")
    func shrunk() throws {
        var stage = try Stage(4)
        stage.messages = []
        try stage.restart(0)
        stage.deliver { $0.to == 1 && $0.statement.isHello || $0.to == 0 && $0.from == 1 }
        #expect(stage.participants[0].status.phase == .greeting)
        for leaver in stage.ids[2...3] {
            let leave = stage.command(by: leaver, .leave(leaver))
            for index in 1...3 {
                stage.handle(.received(.signed(leave), from: leaver), at: index)
            }
        }
        for index in 1...3 { try stage.elapse(.command, at: index) }
        stage.deliver { $0.from != 0 && $0.to != 0 }
        let commit = try #require(stage.commits[1].last)
        stage.handle(.received(.commit(commit), from: stage.ids[1]), at: 0)
        #expect(stage.participants[0].chain.roster.nodes == Array(stage.ids[0...1]))
        #expect(stage.participants[0].status.phase != .greeting)
    }

    @Test(
        "a disk that went back in time silences its node for two heights, and then it votes again")
    func rollback() throws {
        var stage = try Stage(4)
        try stage.startRun(rounds: 4)
        let (journal, commits) = (stage.journals[0], stage.commits[0])
        stage.deliver { !$0.statement.isOf(.update) || $0.from != 3 }
        // Height 2 waits for node 3; now it votes.
        stage.deliver { message in
            if case .commit = message.statement { return false }
            return !message.statement.isOf(.vote2)
        }
        #expect(stage.slots(0).contains(.vote1(height: 2, view: 0)))
        stage.messages = []
        stage.journals[0] = journal
        stage.commits[0] = commits
        try stage.restart(0)
        stage.deliver { $0.statement.isHello || $0.statement.isHelloReply }
        #expect(stage.participants[0].status.phase == .silent)
        #expect(stage.journals[0].contains(.silence(through: 3)))
        for index in 1...3 { try stage.elapse(.retransmission, at: index) }
        stage.deliver()
        // It asks for the value that it has forgotten.
        let missed = try #require(stage.commits[1].last)
        stage.handle(.received(.commit(missed), from: stage.rules.roster.nodes[1]), at: 0)
        stage.deliver()
        #expect(stage.participants[0].chain.height == 2)
        for index in 1...3 { try stage.elapse(.softDeadline, at: index) }
        stage.deliver()
        // The others go on, it follows, and from height 4 on it takes part.
        #expect(stage.participants[0].chain.height == 3)
        try stage.elapse(.training, at: 0)
        stage.deliver()
        #expect(stage.participants[0].chain.finished.first?.outcome == .completed)
        #expect(!stage.slots(0).contains { slot in slot.height.map { $0 <= 3 } ?? false })
        #expect(stage.slots(0).contains { slot in slot.height.map { $0 > 3 } ?? false })
    }

    @Test("the silence outlasts a restart")
    func silenceIsDurable() throws {
        var stage = try Stage(4)
        stage.journals[0].append(.silence(through: 9))
        try stage.restart(0)
        stage.deliver()
        #expect(stage.participants[0].status.phase == .silent)
    }

    @Test("a node whose journal is gone is silent; a liar's word silences nobody")
    func proofs() throws {
        var stage = try Stage(4)
        try stage.restart(0)
        let hello = try #require(stage.messages.first { $0.from == 0 }?.statement.hello)
        let forged = stage.sign(
            .timeout,
            Timeout(scope: stage.rules.scope(height: 1, view: 7), highest: nil).payload, by: 1)
        for (index, lie) in [(1, forged), (2, nil)] {
            stage.handle(
                .received(
                    .helloReply(
                        HelloReply(
                            mesh: stage.rules.mesh, nonce: hello.nonce, height: 0, lastSeen: lie)),
                    from: stage.rules.roster.nodes[index]), at: 0)
        }
        #expect(stage.participants[0].status.phase == .idle)
        var durable = DurableState(chain: stage.rules.initialState)
        durable.isJournalLost = true
        var lost = try Participant(
            configuration: ParticipantConfiguration(
                node: stage.rules.roster.nodes[0], rules: stage.rules, seed: 1),
            restoring: durable)
        _ = lost.handle(.start, at: stage.now, wallTime: Stage.epoch)
        #expect(lost.status.phase == .greeting)
    }

    @Test("an old answer counts for nothing, and neither does one of another mesh")
    func freshness() throws {
        var stage = try Stage(4)
        try stage.restart(0)
        let hello = try #require(stage.messages.first { $0.from == 0 }?.statement.hello)
        let other = try #require(MeshID(Array(repeating: 8, count: 16)))
        for index in 1...3 {
            for (mesh, nonce) in [(stage.rules.mesh, hello.nonce &+ 1), (other, hello.nonce)] {
                stage.handle(
                    .received(
                        .helloReply(
                            HelloReply(mesh: mesh, nonce: nonce, height: 0, lastSeen: nil)),
                        from: stage.rules.roster.nodes[index]), at: 0)
            }
        }
        #expect(stage.participants[0].status.phase == .greeting)
    }

    @Test("hello and its answer survive their encoding, and an answer has one signature at most")
    func encoding() throws {
        var stage = try Stage(4)
        try stage.startRun()
        let mesh = stage.rules.mesh
        let envelope = stage.sign(.vote1, [1, 2, 3], by: 1)
        let all: [Statement] = [
            .hello(Hello(mesh: mesh, nonce: .max, height: 3)),
            .helloReply(HelloReply(mesh: mesh, nonce: 1, height: 3, lastSeen: nil)),
            .helloReply(HelloReply(mesh: mesh, nonce: 1, height: 3, lastSeen: envelope)),
        ]
        for statement in all { #expect(try Statement(decoding: statement.encoded) == statement) }
        let record = JournalRecord.silence(through: 77)
        #expect(try JournalRecord(decoding: record.encoded) == record)
    }
}

extension Statement {
    fileprivate var hello: Hello? { if case .hello(let hello) = self { hello } else { nil } }
    var isHello: Bool { hello != nil }
    var isHelloReply: Bool {
        if case .helloReply = self { true } else { false }
    }
}
