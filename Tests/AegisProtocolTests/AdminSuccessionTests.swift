import AegisCore
import AegisProtocol
import AegisSimulation
import Testing

@Suite("Another admin, by a quorum of the participants (PROTOCOL.md §4.5)")
struct AdminSuccessionTests {
    private static func next(_ number: UInt8 = 70) throws -> NodeID { try Stage.node(number) }

    /// The word of the participant at `index` for `admin`.
    private func approve(
        _ stage: inout Stage, _ index: Int, _ admin: NodeID, replacing old: NodeID? = nil
    ) throws {
        let replacement = stage.replacement(of: old ?? stage.admin, by: admin)
        let node = stage.ids[index]
        try stage.settle(stage.command(by: node, .word(node, .admin(replacement))))
    }

    private func state(_ stage: Stage) -> ChainState { stage.participants[0].chain }

    private func words(_ stage: Stage, for admin: NodeID) throws -> [NodeID] {
        let motion = Motion.admin(stage.replacement(of: stage.admin, by: admin))
        return state(stage).words(for: motion, at: state(stage).committedTime)
    }

    @Test(
        "the word of a quorum makes another admin, one less does not",
        arguments: [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (7, 5)])
    func quorum(count: Int, needed: Int) throws {
        var stage = try Stage(count)
        let next = try Self.next()
        for index in 0..<needed {
            #expect(state(stage).admin == stage.admin)
            #expect(try words(stage, for: next).count == index)
            try approve(&stage, index, next)
        }
        for participant in stage.participants {
            #expect(participant.chain.admin == next)
            #expect(participant.chain.words.isEmpty)
            #expect(participant.chain.retired == [stage.admin])
        }
    }

    @Test("what the admin before granted, asked for or had witnessed is over")
    func over() throws {
        var stage = try Stage(4)
        try stage.settle(.grantToken(try Stage.grant(5)))
        stage.command(.witness(AuditHead(records: 9, digest: .zero)), sequence: 7)
        try stage.settle(.moveOn)
        #expect(state(stage).auditHead?.records == 9 && state(stage).tokens.count == 1)
        for index in 0..<3 { try approve(&stage, index, try Self.next()) }
        #expect(state(stage).auditHead == nil && state(stage).tokens.isEmpty)

        let height = state(stage).height
        try stage.settle(.evict(stage.ids[3], reason: "revenge"))
        #expect(state(stage).height == height && stage.roster.count == 4)
        try stage.settle(try stage.joinRequest(by: Stage.node(5), name: "thief", token: 5))
        #expect(stage.roster.members.count == 4)

        let command = Command(
            mesh: stage.rules.mesh, sequence: 90, expiresAt: .max,
            action: .membership(.evict(stage.ids[3], reason: "by the next admin")))
        try stage.settle(
            stage.cryptography.sign(.command, from: try Self.next(), payload: command.payload))
        #expect(stage.roster.count == 3)
    }

    @Test("a participant has one word; who has no vote, or was convicted, has none")
    func oneWord() throws {
        var stage = try Stage(4)
        let (first, second) = (try Self.next(), try Self.next(71))
        try approve(&stage, 0, first)
        try approve(&stage, 1, first)
        try approve(&stage, 1, first)
        #expect(try words(stage, for: first) == [stage.ids[0], stage.ids[1]])
        // It thinks otherwise.
        try approve(&stage, 1, second)
        #expect(try words(stage, for: first) == [stage.ids[0]])
        #expect(try words(stage, for: second) == [stage.ids[1]])
        try stage.settle(.suspend(stage.ids[0], reason: "rests"))
        #expect(try words(stage, for: first).isEmpty)
        let height = state(stage).height
        try approve(&stage, 0, first)
        #expect(state(stage).height == height && state(stage).admin == stage.admin)
    }

    @Test("a word needs the next admin's consent, its author's signature, and the admin of today")
    func refused() throws {
        var stage = try Stage(4)
        let (next, node) = (try Self.next(), stage.ids[0])
        let height = state(stage).height
        // The key's consent is signed by somebody else.
        let consent = KeyConsent(mesh: stage.rules.mesh, old: stage.admin, new: next)
        let forged = KeyReplacement(
            old: stage.admin, new: next,
            consent: stage.cryptography.sign(.keyConsent, from: node, payload: consent.payload))
        try stage.settle(stage.command(by: node, .word(node, .admin(forged))))
        // In another's name, and in the admin's own.
        let good = stage.replacement(of: stage.admin, by: next)
        try stage.settle(stage.command(by: node, .word(stage.ids[1], .admin(good))))
        try stage.settle(stage.command(by: stage.admin, .word(stage.admin, .admin(good))))
        // A member can't be the admin as well, and a stranger has no word.
        try approve(&stage, 0, stage.ids[1])
        #expect(stage.refused().last == .membership(.alreadyAMember(stage.ids[1])))
        let stranger = try Stage.node(80)
        try stage.settle(stage.command(by: stranger, .word(stranger, .admin(good))))
        #expect(stage.refused().last == .membership(.notAParticipant(stranger)))
        try approve(&stage, 0, next, replacing: stranger)
        #expect(stage.refused().last == .membership(.notTheAdmin(stranger)))
        #expect(state(stage).height == height && state(stage).words.isEmpty)
    }

    @Test("an admin that was replaced never comes back, nor joins")
    func never() throws {
        var stage = try Stage(4)
        let next = try Self.next()
        for index in 0..<3 { try approve(&stage, index, next) }
        try approve(&stage, 0, stage.admin, replacing: next)
        #expect(stage.refused().last == .membership(.neverAgain(stage.admin)))
        for index in 0..<3 { try approve(&stage, index, try Self.next(71), replacing: next) }
        #expect(state(stage).admin == (try Self.next(71)))
        #expect(Set(state(stage).retired) == [stage.admin, next])
    }
}

extension MembershipChange {
    /// Nobody's wish, to have the stage decide what waits.
    fileprivate static var moveOn: MembershipChange { .revokeToken(Stage.token(99)) }
}
