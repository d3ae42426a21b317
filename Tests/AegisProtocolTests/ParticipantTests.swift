import AegisCore
import AegisProtocol
import AegisSimulation
import Testing

@Suite("Rules of a node (PROTOCOL.md §2.6)")
struct ParticipantTests {
    @Test("a run of two rounds is decided in three heights, the same for all", arguments: 1...7)
    func happyPath(count: Int) throws {
        var stage = try Stage(count)
        try stage.startRun()
        stage.deliver()
        for participant in stage.participants {
            #expect(participant.chain.height == 3)
            #expect(participant.chain == stage.participants[0].chain)
            #expect(participant.chain.finished.first?.outcome == .completed)
            #expect(participant.status.phase == .idle)
        }
        let replayed = try stage.rules.replay(stage.commits[0])
        #expect(replayed == stage.participants[0].chain)
    }

    @Test("R1: while nodes train, no view timer runs")
    func noTimerInTraining() throws {
        var stage = try Stage(4)
        try stage.startRun()
        for timers in stage.timers { #expect(timers[.view] == nil) }
        stage.deliver { $0.statement.isOf(.update) }
        for timers in stage.timers { #expect(timers[.view] != nil) }
    }

    @Test("R2: a coordinator proposes once in a view, and after a restart resends the same bytes")
    func oneProposal() throws {
        var stage = try Stage(4)
        try stage.startRun()
        // Height 2, view 0: the third in the roster.
        stage.deliver { $0.statement.isOf(.update) || $0.statement.isOf(.haveList) }
        let before = stage.messages.filter { $0.statement.isOf(.proposal) }
        #expect(before.count == 3)
        stage.messages = []
        try stage.restart(2)
        #expect(!stage.slots(2).contains(.proposal(height: 2, view: 0)))
        let again = stage.messages.filter { $0.statement.isOf(.proposal) }
        #expect(again.first?.statement == before.first?.statement)
    }

    @Test("R3: a proposal counts from the view's coordinator only")
    func foreignProposal() throws {
        var stage = try Stage(4)
        try stage.startRun()
        stage.deliver { $0.statement.isOf(.update) || $0.statement.isOf(.haveList) }
        guard case .signed(let envelope)? = stage.messages.first?.statement else { return }
        let payload = stage.cryptography.verify(envelope)?.payload ?? []
        let copied = stage.sign(.proposal, payload, by: 1)
        stage.handle(.received(.signed(copied), from: stage.rules.roster.nodes[1]), at: 0)
        #expect(
            stage.refusals(0)
                == [.proposal(.notTheCoordinator(stage.rules.roster.nodes[1]))])
        #expect(!stage.slots(0).contains(.vote1(height: 2, view: 0)))
    }

    @Test("§2.11: before a vote goes out, what it promises is durable")
    func durableFirst() throws {
        var stage = try Stage(4)
        try stage.startRun()
        for index in 0..<4 { stage.effects[index] = [] }
        stage.deliver()
        let effects = stage.effects[0]
        let proposal = effects.firstIndex {
            if case .persist(.proposal) = $0 { true } else { false }
        }
        let vote1 = effects.firstIndex {
            if case .sign(.vote1, _, _) = $0 { true } else { false }
        }
        let certificate = effects.firstIndex {
            if case .persist(.voteCertificate) = $0 { true } else { false }
        }
        let vote2 = effects.firstIndex {
            if case .sign(.vote2, _, _) = $0 { true } else { false }
        }
        let apply = effects.firstIndex { if case .apply = $0 { true } else { false } }
        let train = effects.firstIndex { if case .train = $0 { true } else { false } }
        #expect(try #require(proposal) < #require(vote1))
        #expect(try #require(certificate) < #require(vote2))
        #expect(try #require(apply) < #require(train))
    }

    @Test("R6: who has given up on a view votes no more in it")
    func noVoteAfterTimeout() throws {
        var stage = try Stage(4)
        try stage.startRun()
        stage.deliver { $0.statement.isOf(.update) || $0.statement.isOf(.haveList) }
        try stage.elapse(.view, at: 0)
        #expect(stage.slots(0).contains(.timeout(height: 2, view: 0)))
        stage.deliver { $0.to == 0 }
        #expect(!stage.slots(0).contains(.vote1(height: 2, view: 0)))
        #expect(stage.participants[0].status.phase == .election)
    }

    @Test("R7: one timeout dethrones nobody, two do")
    func amplification() throws {
        var stage = try Stage(4)
        try stage.startRun()
        stage.deliver { $0.statement.isOf(.update) }
        stage.messages = []
        try stage.elapse(.view, at: 0)
        stage.deliver { $0.to == 3 }
        #expect(!stage.slots(3).contains(.timeout(height: 2, view: 0)))
        try stage.elapse(.view, at: 1)
        stage.deliver { $0.to == 3 }
        #expect(stage.slots(3).contains(.timeout(height: 2, view: 0)))
    }

    @Test("R8: a quorum's timeouts elect the next coordinator, who closes the round")
    func election() throws {
        var stage = try Stage(4)
        try stage.startRun(rounds: 1)
        // The coordinator of height 2, the third, is silent.
        stage.deliver { $0.statement.isOf(.update) }
        stage.messages = []
        try stage.elapse(.view, at: 0)
        try stage.elapse(.view, at: 1)
        stage.deliver { $0.from != 2 && $0.to != 2 }
        for index in [0, 1, 3] {
            #expect(stage.participants[index].chain.height == 2)
            #expect(stage.participants[index].chain.finished.first?.outcome == .completed)
        }
    }

    @Test("the value that some node may have committed is proposed again (R2, R3)")
    func certifiedValueSurvives() throws {
        var stage = try Stage(4)
        try stage.startRun(rounds: 1)
        // Everybody sees a certificate, only node 0 hears the second votes.
        stage.deliver { message in
            if case .commit = message.statement { return false }
            return message.to == 0 || !message.statement.isOf(.vote2)
        }
        #expect(stage.participants[0].chain.height == 2)
        let committed = stage.participants[0].chain.tip
        stage.messages = []
        for index in [1, 2, 3] { try stage.elapse(.view, at: index) }
        stage.deliver { $0.from != 0 && $0.to != 0 }
        for index in [1, 2, 3] { #expect(stage.participants[index].chain.tip == committed) }
    }

    @Test("a coordinator that has stopped answering is waited for a shorter time")
    func silentCoordinator() throws {
        var stage = try Stage(4)
        try stage.startRun()
        let coordinator = stage.rules.coordinator(height: 2, view: 0)
        let frozen = try #require(stage.ids.firstIndex(of: coordinator))
        let node = (frozen + 1) % 4
        stage.deliver { $0.from != frozen && $0.to != frozen }
        // Before anybody waits for it, it doesn't matter.
        stage.handle(.peerSilent(coordinator), at: node)
        #expect(stage.timers[node][.view] == nil)
        stage.handle(.peerReachable(coordinator), at: node)
        try stage.elapse(.softDeadline, at: node)
        let patient = try #require(stage.timers[node][.view])
        #expect(patient >= stage.now + .seconds(5))
        stage.handle(.peerSilent(coordinator), at: node)
        #expect(stage.timers[node][.view] == stage.now + .seconds(2))
        // Its update is waited for as before: it may only be slow.
        let other = (frozen + 2) % 4
        stage.handle(.peerSilent(coordinator), at: other)
        #expect(stage.timers[other][.softDeadline] != nil)
        #expect(!stage.slots(other).contains { $0.type == .haveList && $0.height == 2 })
    }

    @Test("R9: a straggler is answered with the last commit, at most once a second")
    func straggler() throws {
        var stage = try Stage(4)
        try stage.startRun(rounds: 1)
        stage.deliver { $0.to != 3 }
        #expect(stage.participants[0].chain.height == 2)
        stage.messages = []
        try stage.elapse(.retransmission, at: 3)
        let said = stage.messages
        stage.messages = []
        for message in said + said where message.to == 0 {
            stage.handle(
                .received(message.statement, from: stage.rules.roster.nodes[3]), at: 0)
        }
        let answers = stage.messages.filter { $0.from == 0 && $0.to == 3 }
        let commits = answers.filter { if case .commit = $0.statement { true } else { false } }
        #expect(commits.count == 1)
        stage.deliver { $0.to == 3 }
        #expect(stage.participants[3].chain.height == 2)
    }

    @Test("R10: a restart takes back view, votes and timeouts, and signs nothing else")
    func restart() throws {
        var stage = try Stage(4)
        try stage.startRun()
        stage.deliver { !$0.statement.isOf(.vote2) }
        try stage.elapse(.view, at: 0)
        let before = stage.participants[0].bindings
        #expect(before.timeoutView == 0 && before.highestView == 0 && before.vote2View == 0)
        try stage.restart(0)
        #expect(stage.participants[0].bindings == before)
        #expect(stage.slots(0).isEmpty)
        stage.deliver()
        #expect(stage.participants[0].chain.finished.first?.outcome == .completed)
    }

    @Test("a coordinator whose process is gone is waited for one second, not five (§2.12)")
    func deadCoordinator() throws {
        var stage = try Stage(4)
        try stage.startRun()
        stage.deliver { $0.statement.isOf(.update) && $0.to == 0 }
        #expect(try #require(stage.timers[0][.view]) >= stage.now + .seconds(5))
        stage.handle(.peerUnreachable(stage.rules.roster.nodes[2]), at: 0)
        #expect(stage.timers[0][.view] == stage.now + .seconds(1))
    }

    @Test("a node that abstains is not waited for, and still votes")
    func abstention() throws {
        var stage = try Stage(4)
        try stage.startRun(rounds: 1)
        stage.messages.removeAll { $0.from == 3 && $0.statement.isOf(.update) }
        let statement = AbstentionStatement(
            mesh: stage.rules.mesh, run: try Stage.run(), round: 1,
            node: stage.rules.roster.nodes[3], reason: "no budget left")
        let envelope = stage.sign(.consent, statement.payload, by: 3)
        for index in 0..<3 {
            stage.handle(
                .received(.signed(envelope), from: stage.rules.roster.nodes[3]), at: index)
        }
        stage.deliver()
        #expect(stage.participants[3].chain.height == 2)
        let header = try Header(decoding: try #require(stage.commits[0].last).header)
        #expect(header.included == [0, 1, 2])
    }

    @Test("a stopped run is over at once, in the middle of a round")
    func stop() throws {
        var stage = try Stage(3)
        try stage.startRun()
        stage.messages = []
        stage.command(.stop(try Stage.run(), reason: "enough"), sequence: 2)
        for index in 0..<3 { try stage.elapse(.command, at: index) }
        stage.deliver()
        #expect(stage.participants[0].chain.finished.first?.outcome == .stopped(reason: "enough"))
        #expect(stage.participants[0].chain.active == nil)
    }
}
