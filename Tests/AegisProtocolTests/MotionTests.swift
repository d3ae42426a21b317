import AegisCore
import AegisProtocol
import AegisSimulation
import Testing

@Suite("What a quorum of the participants wants, without the admin (PROTOCOL.md §2.10, §4.4)")
struct MotionTests {
    private func give(_ stage: inout Stage, _ index: Int, _ motion: Motion) throws {
        try stage.settle(stage.command(by: stage.ids[index], .word(stage.ids[index], motion)))
    }

    private func takeBack(_ stage: inout Stage, _ index: Int, _ motion: Motion) throws {
        try stage.settle(stage.command(by: stage.ids[index], .withdraw(stage.ids[index], motion)))
    }

    private func state(_ stage: Stage) -> ChainState { stage.participants[0].chain }

    private func words(_ stage: Stage, for motion: Motion) -> [NodeID] {
        state(stage).words(for: motion, at: state(stage).committedTime)
    }

    @Test("a node joins and gets its vote by words alone")
    func sponsored() throws {
        var stage = try Stage(4)
        let token = Motion.change(.grantToken(try Stage.grant(5)))
        let newcomer = try Stage.node(5)
        for index in 0..<3 {
            try stage.settle(try stage.joinRequest(by: newcomer, name: "east", token: 5))
            #expect(stage.roster.members.count == 4)
            #expect(words(stage, for: token).count == index)
            try give(&stage, index, token)
        }
        #expect(state(stage).granted(Stage.token(5)) != nil && state(stage).words.isEmpty)
        try stage.settle(try stage.joinRequest(by: newcomer, name: "east", token: 5))
        #expect(stage.roster.associate(newcomer)?.standing == .learner)

        // Words for a learner that doesn't follow yet wait until it does.
        let promotion = Motion.change(.promote(newcomer))
        try give(&stage, 0, promotion)
        #expect(words(stage, for: promotion).isEmpty)
        let tip = (state(stage).height, state(stage).tip)
        try stage.settle(
            stage.command(by: newcomer, .ready(newcomer, height: tip.0, tip: tip.1)))
        #expect(words(stage, for: promotion) == [stage.ids[0]])
        for index in 1..<3 { try give(&stage, index, promotion) }
        #expect(stage.roster.contains(newcomer) && state(stage).words.isEmpty)
        #expect(state(stage).lastCommandSequence == 0)
    }

    @Test(
        "another policy holds from the next height on: quorum, views, evictions",
        arguments: [(3, 2), (4, 3), (7, 5)])
    func policy(count: Int, needed: Int) throws {
        var stage = try Stage(count)
        let wanted = MeshPolicy(
            strictThree: true, viewTimeoutMilliseconds: 9_000, removalIntervalMilliseconds: 1)
        for index in 0..<needed {
            #expect(state(stage).policy != wanted)
            try give(&stage, index, .policy(wanted))
        }
        for (index, participant) in stage.participants.enumerated() {
            #expect(participant.chain.policy == wanted && participant.chain.roster.epoch == 2)
            #expect(participant.chain.roster.quorum == (count == 3 ? 3 : needed))
            let changes = stage.effects[index].count {
                if case .observe(.policyChanged(wanted)) = $0 { true } else { false }
            }
            #expect(changes == 1)
        }
        try give(&stage, 0, .policy(wanted))
        #expect(stage.refused().last == .membership(.noChange))
        // A loose mesh of three takes two, a strict one all to be loose again.
        guard count == 3 else { return }
        for index in 0..<2 { try give(&stage, index, .policy(MeshPolicy())) }
        #expect(state(stage).policy == wanted)
        try give(&stage, 2, .policy(MeshPolicy()))
        #expect(state(stage).policy == MeshPolicy() && stage.roster.quorum == 2)
    }

    @Test("a quorum evicts whom it likes, an admin one a day")
    func eviction() throws {
        var stage = try Stage(7)
        try stage.settle(.evict(stage.ids[6], reason: "asked"))
        #expect(stage.roster.count == 6)
        for target in [5, 4] {
            let motion = Motion.change(.evict(stage.ids[target], reason: "two organisations left"))
            for index in 0..<stage.roster.quorum { try give(&stage, index, motion) }
            #expect(stage.roster.count == target)
        }
        try stage.settle(.evict(stage.ids[3], reason: "asked"))
        guard case .membership(.tooSoon)? = stage.refused().last else {
            Issue.record("\(String(describing: stage.refused().last))")
            return
        }
    }

    @Test("a word taken back, changed, or a week old doesn't count")
    func noLonger() throws {
        var stage = try Stage(4)
        let (rest, other) = (
            Motion.change(.suspend(stage.ids[3], reason: "a")),
            Motion.change(.evict(stage.ids[3], reason: "b"))
        )
        try give(&stage, 0, rest)
        try give(&stage, 0, rest)
        #expect(stage.refused().last == .membership(.noChange))
        try give(&stage, 1, rest)
        try takeBack(&stage, 1, rest)
        #expect(words(stage, for: rest) == [stage.ids[0]])
        try takeBack(&stage, 1, rest)
        #expect(stage.refused().last == .membership(.noChange))
        // One word on one member.
        try give(&stage, 0, other)
        #expect(words(stage, for: rest).isEmpty && words(stage, for: other) == [stage.ids[0]])

        try give(&stage, 1, other)
        stage.now = Instant(nanoseconds: stage.now.nanoseconds + 8 * 86_400 * 1_000_000_000)
        try give(&stage, 2, other)
        #expect(words(stage, for: other) == [stage.ids[2]] && stage.roster.count == 4)
        let open = state(stage).motions(at: state(stage).committedTime)
        #expect(open.map(\.motion) == [other] && open.map(\.words) == [[stage.ids[2]]])
        for index in 0..<2 { try give(&stage, index, other) }
        #expect(stage.roster.count == 3)
    }

    @Test("what has come about otherwise isn't wanted any more, what hasn't still is")
    func moot() throws {
        var stage = try Stage(4)
        let eviction = Motion.change(.evict(stage.ids[3], reason: "b"))
        let rest = Motion.change(.suspend(stage.ids[3], reason: "a"))
        try give(&stage, 0, eviction)
        try give(&stage, 1, rest)
        try stage.settle(.suspend(stage.ids[3], reason: "by the admin"))
        #expect(words(stage, for: rest).isEmpty && words(stage, for: eviction) == [stage.ids[0]])
        try stage.settle(.resume(stage.ids[3]))
        for index in 1..<3 { try give(&stage, index, eviction) }
        #expect(stage.roster.count == 3 && state(stage).words.isEmpty)
    }

    @Test("who has no vote has no word, and one has so many words at most")
    func limits() throws {
        var stage = try Stage(4)
        let stranger = try Stage.node(80)
        let motion = Motion.change(.evict(stage.ids[3], reason: ""))
        try stage.settle(stage.command(by: stranger, .word(stranger, motion)))
        #expect(stage.refused().last == .membership(.notAParticipant(stranger)))
        try stage.settle(stage.command(by: stage.ids[0], .word(stage.ids[1], motion)))
        #expect(state(stage).words.isEmpty)
        for number in UInt8(1)...9 {
            try give(&stage, 0, .change(.grantToken(try Stage.grant(number))))
        }
        #expect(stage.refused().last == .membership(.tooManyWords))
        #expect(state(stage).words.count == ProtocolLimits.wordsMax)
        // Nobody is stuck with them.
        try takeBack(&stage, 0, .change(.grantToken(try Stage.grant(1))))
        try give(&stage, 0, .change(.grantToken(try Stage.grant(9))))
        #expect(words(stage, for: .change(.grantToken(try Stage.grant(9)))) == [stage.ids[0]])
    }

    @Test("only what an admin may ask for can be moved, and no word nests in a word")
    func kinds() throws {
        let stage = try Stage(2)
        let node = stage.ids[0]
        let replacement = stage.replacement(of: node, by: try Stage.node(70))
        let refused: [MembershipChange] = [
            .leave(node), .moveAddress(node, "a:1"), .replaceLostKey(replacement),
            .word(node, .change(.promote(node))),
        ]
        let good = Command(
            mesh: stage.rules.mesh, sequence: 0, expiresAt: 9,
            action: .membership(.word(node, .change(.promote(node)))))
        #expect(throws: Never.self) { try Command(payload: good.payload) }
        for change in refused {
            let command = Command(
                mesh: stage.rules.mesh, sequence: 0, expiresAt: 9,
                action: .membership(.word(node, .change(change))))
            #expect(throws: StatementError.self) { try Command(payload: command.payload) }
        }
    }
}
