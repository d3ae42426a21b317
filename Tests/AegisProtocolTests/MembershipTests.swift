import AegisCore
import AegisProtocol
import AegisSimulation
import Testing

/// A stage that also knows how one becomes a member.
extension Stage {
    static func token(_ number: UInt8) -> [UInt8] { Array(repeating: number, count: 8) }

    static func grant(
        _ number: UInt8, name: String = "", usesMax: Int = 1, boundNode: NodeID? = nil,
        notAfter: UInt64 = epoch + 3_600_000, purpose: JoinGrant.Purpose = .participant
    ) throws -> JoinGrant {
        JoinGrant(
            tokenID: token(number), tokenKey: try node(100 + number), purpose: purpose, name: name,
            usesMax: usesMax, notAfter: notAfter, boundNode: boundNode)
    }

    /// As AegisIdentity makes it: the node's signature around the token's.
    func joinRequest(
        by node: NodeID, name: String, token number: UInt8, key: NodeID? = nil
    ) throws -> SignedEnvelope {
        let request = JoinRequest(
            mesh: rules.mesh, tokenID: Self.token(number), node: node, tlsKey: .zero,
            acceptor: ids[0], acceptorTLSKey: .zero, name: name, address: "-",
            joinerNonce: Array(repeating: 1, count: 16),
            acceptorNonce: Array(repeating: 2, count: 16))
        let inner = cryptography.sign(
            .joinRequest, from: try key ?? Self.node(100 + number), payload: request.payload)
        return cryptography.sign(.joinRequest, from: node, payload: inner.bytes)
    }

    func command(
        by node: NodeID, _ change: MembershipChange, expiresAt: UInt64 = .max
    ) -> SignedEnvelope {
        let command = Command(
            mesh: rules.mesh, sequence: 0, expiresAt: expiresAt, action: .membership(change))
        return cryptography.sign(.command, from: node, payload: command.payload)
    }

    func replacement(of old: NodeID, by new: NodeID) -> KeyReplacement {
        let consent = KeyConsent(mesh: rules.mesh, old: old, new: new)
        return KeyReplacement(
            old: old, new: new,
            consent: cryptography.sign(.keyConsent, from: new, payload: consent.payload))
    }

    /// Everybody hears it, and all that follows is decided.
    mutating func settle(_ envelope: SignedEnvelope) throws {
        for index in participants.indices {
            handle(.received(.signed(envelope), from: envelope.sender), at: index)
        }
        try settle()
    }

    mutating func settle(_ change: MembershipChange) throws {
        let sequence = participants[0].chain.lastCommandSequence + 1
        command(.membership(change), sequence: sequence)
        try settle()
    }

    private mutating func settle() throws {
        deliver()
        for _ in 0..<8 {
            for index in participants.indices where participants[index].status.phase == .greeting {
                try elapse(.retransmission, at: index)
                deliver()
            }
            guard timers.contains(where: { $0[.command] != nil }) else { return }
            for index in participants.indices where timers[index][.command] != nil {
                try elapse(.command, at: index)
            }
            deliver()
        }
    }

    var roster: Roster { participants[0].chain.roster }

    func refused(_ index: Int = 0) -> [CommandRefusal] {
        effects[index].compactMap {
            if case .observe(.commandRefused(_, let refusal)) = $0 { refusal } else { nil }
        }
    }

    /// One more participant, by token, join, readiness and promotion.
    mutating func admit(_ number: UInt8) throws {
        try settle(.grantToken(try Self.grant(number)))
        try add(number)
        try settle(
            try joinRequest(by: Self.node(number), name: "node-\(number)", token: number))
        try settle(.promote(try Self.node(number)))
    }
}

@Suite("Who is in the mesh (PROTOCOL.md §2.10, §4.4)")
struct MembershipTests {
    @Test("one participant becomes two, three, four, and one again, and each decides with the rest")
    func growAndShrink() throws {
        var stage = try Stage(1)
        for (number, quorum) in [(UInt8(2), 2), (3, 2), (4, 3)] {
            try stage.admit(number)
            #expect(stage.roster.count == Int(number))
            #expect(stage.roster.quorum == quorum)
            #expect(Set(stage.participants.map(\.chain.tip)).count == 1)
            #expect(stage.participants.allSatisfy { $0.status.phase == .idle })
        }
        // Everybody's vote counts: a run goes through.
        stage.command(.start(Stage.specification(try Stage.run())), sequence: 100)
        for index in stage.participants.indices { try stage.elapse(.command, at: index) }
        stage.deliver()
        #expect(stage.participants[3].chain.finished.first?.rounds == 2)
        for number in [UInt8(1), 2, 3] {
            let leaver = try Stage.node(number)
            try stage.settle(stage.command(by: leaver, .leave(leaver)))
            #expect(stage.participants[3].chain.roster.count == 4 - Int(number))
            #expect(stage.participants[Int(number) - 1].status.phase == .observing)
        }
        let last = try Stage.node(4)
        try stage.settle(stage.command(by: last, .leave(last)))
        #expect(stage.participants[3].chain.roster.nodes == [last])
        #expect(stage.participants[3].chain.roster.epoch == stage.rules.roster.epoch + 12)
    }

    @Test("whoever has the genesis alone follows the commits through every epoch")
    func catchUp() throws {
        var stage = try Stage(3)
        for number in UInt8(4)...6 { try stage.admit(number) }
        let gone = try Stage.node(1)
        try stage.settle(stage.command(by: gone, .leave(gone)))
        var state = stage.rules.initialState
        for record in stage.commits[1] {
            state = try stage.rules.verify(record, extending: state).state
        }
        #expect(state == stage.participants[1].chain)
        #expect(state == (try stage.rules.replay(stage.commits[1])))
        try stage.add(7)
        #expect(stage.participants[6].chain == state)
        // A certificate of an earlier epoch proves nothing in a later one.
        let last = try #require(stage.commits[1].last)
        let forged = CommitRecord(
            header: last.header, body: last.body, certificate: stage.commits[1][0].certificate)
        let before = try stage.rules.replay(stage.commits[1].dropLast())
        #expect(throws: CommitError.self) {
            try stage.rules.verify(forged, extending: before)
        }
    }

    @Test("a token is used once, by whom it is for, before it expires; a repeat changes nothing")
    func tokens() throws {
        var stage = try Stage(2)
        let joiner = try Stage.node(50)
        let other = try Stage.node(51)
        let request = try stage.joinRequest(by: joiner, name: "north", token: 5)
        try stage.settle(request)
        #expect(stage.refused() == [.membership(.unknownToken)])
        try stage.settle(.grantToken(try Stage.grant(5, name: "north")))
        try stage.settle(try stage.joinRequest(by: joiner, name: "south", token: 5))
        #expect(stage.refused().last == .membership(.nameNotGranted("south")))
        // Not with another key than the token's.
        try stage.settle(
            try stage.joinRequest(by: other, name: "north", token: 5, key: Stage.node(99)))
        #expect(stage.refused().last == .membership(.unknownToken))
        try stage.settle(request)
        #expect(stage.roster.associate(joiner)?.standing == .learner)
        #expect(stage.roster.count == 2)
        let height = stage.participants[0].chain.height
        try stage.settle(request)
        try stage.settle(try stage.joinRequest(by: other, name: "north", token: 5))
        #expect(stage.refused().last == .membership(.tokenUsedUp))
        #expect(stage.participants[0].chain.height == height)

        try stage.settle(.grantToken(try Stage.grant(6, boundNode: joiner)))
        try stage.settle(try stage.joinRequest(by: other, name: "west", token: 6))
        #expect(stage.refused().last == .membership(.tokenOfAnotherNode))
        try stage.settle(.revokeToken(Stage.token(6)))
        try stage.settle(try stage.joinRequest(by: other, name: "west", token: 6))
        #expect(stage.refused().last == .membership(.unknownToken))
        try stage.settle(.grantToken(try Stage.grant(7, notAfter: Stage.epoch + 90_000_000)))
        #expect(stage.refused().last == .membership(.tokenLivesTooLong))
        try stage.settle(.grantToken(try Stage.grant(8, notAfter: Stage.epoch + 1_000)))
        stage.now = stage.now + .seconds(2)
        try stage.settle(try stage.joinRequest(by: other, name: "west", token: 8))
        #expect(stage.refused().last == .membership(.tokenExpired(at: Stage.epoch + 1_000)))
    }

    @Test("a token for several takes as many, each with a name of its own")
    func severalUses() throws {
        var stage = try Stage(2)
        try stage.settle(.grantToken(try Stage.grant(5, usesMax: 2, purpose: .observer)))
        try stage.settle(try stage.joinRequest(by: Stage.node(50), name: "a", token: 5))
        try stage.settle(try stage.joinRequest(by: Stage.node(51), name: "a", token: 5))
        #expect(stage.refused().last == .membership(.nameTaken("a")))
        try stage.settle(try stage.joinRequest(by: Stage.node(52), name: "b", token: 5))
        try stage.settle(try stage.joinRequest(by: Stage.node(53), name: "c", token: 5))
        #expect(stage.refused().last == .membership(.tokenUsedUp))
        #expect(stage.roster.associates.map(\.standing) == [.observer, .observer])
        try stage.settle(.promote(try Stage.node(50)))
        #expect(stage.roster.count == 2)
    }

    @Test("nobody votes before it has shown that it follows the chain, and one at a time")
    func promotion() throws {
        var stage = try Stage(3)
        for number in [UInt8(50), 51] {
            try stage.settle(.grantToken(try Stage.grant(number - 40)))
            try stage.settle(
                try stage.joinRequest(
                    by: Stage.node(number), name: "n\(number)", token: number - 40))
        }
        let (first, second) = (try Stage.node(50), try Stage.node(51))
        let chain = stage.participants[0].chain
        let unready = Command(
            mesh: stage.rules.mesh, sequence: 10, expiresAt: .max,
            action: .membership(.promote(first)))
        #expect(
            chain.refusal(of: unready, mesh: stage.rules.mesh, at: .max - 1)
                == .membership(.notReady(first)))
        try stage.settle(
            stage.command(by: first, .ready(first, height: chain.height, tip: .zero)))
        #expect(stage.refused().last == .membership(.unknownTip(height: chain.height)))
        for node in [first, second] {
            let chain = stage.participants[0].chain
            try stage.settle(
                stage.command(by: node, .ready(node, height: chain.height, tip: chain.tip)))
            #expect(stage.roster.associate(node)?.standing == .ready)
        }
        // Both at once: the second waits for the next height (f = 0: one more vote each).
        let before = stage.participants[0].chain.height
        stage.command(.membership(.promote(first)), sequence: 20)
        stage.command(.membership(.promote(second)), sequence: 21)
        for index in 0..<3 { try stage.elapse(.command, at: index) }
        stage.deliver()
        #expect(stage.participants[0].chain.height > before)
        let next = try stage.rules.replay(stage.commits[0].prefix(Int(before) + 1)).roster
        #expect(next.contains(first) && !next.contains(second))
        #expect(stage.roster.contains(second))
    }

    @Test("a suspended participant neither votes nor counts, and does both again once resumed")
    func suspension() throws {
        var stage = try Stage(4)
        let node = stage.ids[3]
        try stage.settle(.suspend(node, reason: "maintenance"))
        #expect(stage.roster.associate(node)?.standing == .suspended)
        #expect(stage.participants[3].status.phase == .observing)
        try stage.settle(.suspend(stage.ids[2], reason: "too"))
        #expect(stage.refused().last == .membership(.tooManySuspended))
        let slots = stage.slots(3).count
        stage.command(.start(Stage.specification(try Stage.run(), rounds: 1)), sequence: 30)
        for index in 0..<3 { try stage.elapse(.command, at: index) }
        stage.deliver()
        #expect(stage.participants[0].chain.finished.first?.rounds == 1)
        #expect(stage.participants[3].chain == stage.participants[0].chain)
        #expect(stage.slots(3).count == slots)
        let sequence = stage.participants[0].chain.lastCommandSequence + 1
        stage.command(.membership(.resume(node)), sequence: sequence)
        for index in 0..<3 { try stage.elapse(.command, at: index) }
        stage.deliver()
        #expect(stage.roster == stage.rules.roster.renumbered(stage.roster.epoch))
        try stage.elapse(.retransmission, at: 3)
        stage.deliver()
        #expect(stage.participants[3].status.phase == .idle)
    }

    @Test("the admin evicts one participant a day; whoever is out never comes back")
    func eviction() throws {
        var stage = try Stage(5)
        let (first, second) = (stage.ids[4], stage.ids[3])
        try stage.settle(.evict(first, reason: "left the project"))
        #expect(stage.roster.count == 4 && stage.roster.member(first) == nil)
        #expect(stage.participants[0].chain.retired == [first])
        try stage.settle(.evict(second, reason: "too"))
        guard case .membership(.tooSoon)? = stage.refused().last else {
            Issue.record("a second eviction in a day")
            return
        }
        try stage.settle(.grantToken(try Stage.grant(5)))
        try stage.settle(try stage.joinRequest(by: first, name: "again", token: 5))
        #expect(stage.refused().last == .membership(.neverAgain(first)))
        stage.now = stage.now + .seconds(86_401)
        let sequence = stage.participants[0].chain.lastCommandSequence + 5
        let late = Command(
            mesh: stage.rules.mesh, sequence: sequence, expiresAt: .max,
            action: .membership(.evict(second, reason: "next day")))
        try stage.settle(
            stage.cryptography.sign(.command, from: stage.admin, payload: late.payload))
        #expect(stage.roster.count == 3)
    }

    @Test("a key is replaced by what the old one signs, or the admin where it is lost")
    func rotation() throws {
        var stage = try Stage(4)
        let (old, new) = (stage.ids[0], try Stage.node(60))
        // Not without the new key's consent, and not by anybody else.
        let stolen = KeyReplacement(
            old: old, new: new,
            consent: stage.cryptography.sign(
                .keyConsent, from: old,
                payload: KeyConsent(mesh: stage.rules.mesh, old: old, new: new).payload))
        try stage.settle(stage.command(by: old, .rotateKey(stolen)))
        let good = stage.replacement(of: old, by: new)
        try stage.settle(stage.command(by: stage.ids[1], .rotateKey(good)))
        #expect(stage.roster == stage.rules.roster)
        try stage.settle(stage.command(by: old, .rotateKey(good)))
        #expect(stage.roster.contains(new) && !stage.roster.contains(old))
        #expect(stage.roster.name(of: new) == "node-0")
        #expect(stage.participants[1].chain.retired == [old])
        let lost = stage.ids[1]
        try stage.settle(
            .replaceLostKey(stage.replacement(of: lost, by: try Stage.node(61))))
        #expect(stage.participants[2].chain.roster.name(of: try Stage.node(61)) == "node-1")
    }

    @Test("an update of somebody who left meanwhile doesn't count, the others' stay good (§5)")
    func midRound() throws {
        var stage = try Stage(5)
        try stage.startRun(rounds: 1, participantsMin: 4)
        let leaver = stage.ids[4]
        // All have trained; the leaver's update is everywhere, but somebody's is late.
        stage.deliver {
            !($0.statement.isOf(.update) && $0.from == 0) && !$0.statement.isOf(.haveList)
        }
        stage.handle(
            .received(.signed(stage.command(by: leaver, .leave(leaver))), from: leaver), at: 0)
        stage.deliver {
            !($0.statement.isOf(.update) && $0.from == 0) && !$0.statement.isOf(.haveList)
        }
        for index in 0..<5 where stage.timers[index][.command] != nil {
            try stage.elapse(.command, at: index)
        }
        stage.deliver { !($0.statement.isOf(.update) && $0.from == 0) }
        #expect(stage.participants[1].chain.roster.count == 4)
        #expect(stage.participants[1].chain.finished.isEmpty)
        stage.deliver()
        #expect(stage.participants[1].chain.finished.first?.rounds == 1)
        let header = try Header(decoding: try #require(stage.commits[1].last).header)
        #expect(header.kind == .round && header.included == [0, 1, 2, 3])
        let trainings = stage.effects[1].count { if case .train = $0 { true } else { false } }
        #expect(trainings == 1)
    }

    @Test("changes survive their encoding, and garbage in their place is an error")
    func encoding() throws {
        let stage = try Stage(2)
        let node = stage.ids[0]
        let changes: [MembershipChange] = [
            .grantToken(try Stage.grant(5, usesMax: 3)),
            .grantToken(try Stage.grant(5, boundNode: node, purpose: .observer)),
            .revokeToken(Stage.token(5)), .promote(node), .suspend(node, reason: "r"),
            .resume(node), .evict(node, reason: ""),
            .replaceLostKey(stage.replacement(of: node, by: stage.ids[1])),
            .ready(node, height: 7, tip: .zero), .leave(node),
            .rotateKey(stage.replacement(of: node, by: stage.ids[1])),
            .moveAddress(node, "host:1"),
            .word(node, .admin(stage.replacement(of: stage.admin, by: try Stage.node(70)))),
            .word(node, .policy(MeshPolicy(strictThree: true, removalIntervalMilliseconds: 7))),
            .word(node, .change(.grantToken(try Stage.grant(5, usesMax: 3)))),
            .word(node, .change(.evict(stage.ids[1], reason: "r"))),
            .withdraw(node, .change(.promote(stage.ids[1]))),
            .withdraw(node, .policy(MeshPolicy(viewTimeoutMilliseconds: 50))),
        ]
        for change in changes {
            let sequence: UInt64 = change.author == .admin ? 3 : 0
            let command = Command(
                mesh: stage.rules.mesh, sequence: sequence, expiresAt: 9,
                action: .membership(change))
            #expect(try Command(payload: command.payload) == command)
            // A node's command has no number, the admin's has one.
            let other = Command(
                mesh: stage.rules.mesh, sequence: 3 - sequence, expiresAt: 9,
                action: .membership(change))
            #expect(throws: StatementError.self) { try Command(payload: other.payload) }
            for position in command.payload.indices {
                var bytes = command.payload
                bytes[position] ^= 0x41
                _ = try? Command(payload: bytes)
                _ = try? Command(payload: Array(bytes[..<position]))
            }
        }
    }
}

extension Roster {
    fileprivate func renumbered(_ epoch: UInt64) -> Roster? {
        try? Roster(epoch: epoch, entries: entries, strictThree: strictThree)
    }
}
