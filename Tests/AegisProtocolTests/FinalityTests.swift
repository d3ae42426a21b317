import AegisCore
import AegisProtocol
import AegisSimulation
import Testing

@Suite("Co-signatures, final heights and forks (PROTOCOL.md §2.8, §2.9)")
struct FinalityTests {
    /// One round of a mesh that nothing disturbs.
    private func finished(_ count: Int) throws -> Stage {
        var stage = try Stage(count)
        try stage.startRun(rounds: 1)
        stage.deliver()
        return stage
    }

    private func coSign(
        _ stage: Stage, height: UInt64, _ value: Digest, by index: Int
    ) -> SignedEnvelope {
        stage.sign(
            .coSign,
            CoSign(scope: stage.rules.scope(height: height, view: 0), value: value).payload,
            by: index)
    }

    private func isCoSign(_ statement: Statement) -> Bool {
        if case .finalCertificate = statement { true } else { statement.isOf(.coSign) }
    }

    @Test("what all have decided all co-sign, and it is final", arguments: [1, 2, 3, 4, 7])
    func everybody(count: Int) throws {
        let stage = try finished(count)
        for index in 0..<count {
            let final = try #require(stage.participants[index].status.final)
            #expect(final.height == 2)
            #expect(final.value == stage.participants[index].chain.tip)
            #expect(final.signatures == count)
            #expect(final.resists == max(0, count - 1))
            #expect(stage.participants[index].status.coSignaturesMissing.isEmpty)
            let slots = stage.slots(index).filter { $0.type == .coSign }
            #expect(slots == [.coSign(height: 1), .coSign(height: 2)])
        }
    }

    @Test("three need all three; what the third says later makes it final")
    func laggard() throws {
        var stage = try Stage(3)
        try stage.startRun(rounds: 1)
        stage.deliver { !isCoSign($0.statement) || $0.from != 2 }
        #expect(stage.participants[0].status.final?.height == 1)
        #expect(stage.participants[0].status.coSignaturesMissing == [stage.ids[2]])
        stage.deliver()
        #expect(stage.participants[0].status.final?.height == 2)
        #expect(stage.participants[0].status.final?.resists == 2)
    }

    @Test("four need three; the fourth strengthens it, and it is stored again")
    func strengthened() throws {
        var stage = try Stage(4)
        try stage.startRun(rounds: 1)
        stage.deliver { !isCoSign($0.statement) || $0.from != 3 }
        #expect(stage.finals[0]?.finality.signatures == 3)
        #expect(stage.finals[0]?.finality.resists == 1)
        stage.deliver()
        #expect(stage.finals[0]?.finality.signatures == 4)
        #expect(stage.finals[0]?.finality.resists == 3)
    }

    @Test("co-signatures that were lost are asked for again, by whoever lacks them")
    func lost() throws {
        var stage = try Stage(3)
        try stage.startRun(rounds: 1)
        stage.deliver { !isCoSign($0.statement) }
        stage.messages = []
        #expect(stage.participants[0].status.final?.height == 1)
        for index in 0..<3 { try stage.elapse(.retransmission, at: index) }
        stage.deliver()
        for index in 0..<3 { #expect(stage.participants[index].status.final?.height == 2) }
    }

    @Test("over a restart a node knows what is final and signs the same once more, not another")
    func restarted() throws {
        var stage = try finished(3)
        let before = stage.slots(0).filter { $0.type == .coSign }
        try stage.restart(0)
        #expect(stage.participants[0].status.final?.height == 2)
        stage.deliver()
        #expect(stage.slots(0).filter { $0.type == .coSign }.isEmpty)
        #expect(before.count == 2)
        // What was not stored comes from the others.
        stage.finals[0] = nil
        try stage.restart(0)
        #expect(stage.participants[0].status.final == nil)
        stage.deliver()
        #expect(stage.participants[0].status.final?.height == 2)
    }

    @Test("a certificate proves something with enough equal co-signatures of its own roster only")
    func certificates() throws {
        let stage = try finished(4)
        let tip = stage.participants[0].chain.tip
        func certificate(_ signers: [Int], _ value: Digest) -> FinalCertificate {
            FinalCertificate(
                coSigns: signers.map { coSign(stage, height: 2, value, by: $0) })
        }
        let final = try stage.rules.verify(certificate([0, 1, 2], tip))
        #expect(final.signatures == 3)
        #expect(throws: CertificateError.tooFewSigners(2)) {
            try stage.rules.verify(certificate([0, 1], tip))
        }
        #expect(throws: CertificateError.signerTwice(stage.ids[1])) {
            try stage.rules.verify(certificate([0, 1, 1], tip))
        }
        let mixed = FinalCertificate(
            coSigns: certificate([0, 1], tip).coSigns + certificate([2], .zero).coSigns)
        #expect(throws: CertificateError.mixed) { try stage.rules.verify(mixed) }
        let other = try finished(3)
        let foreign = FinalCertificate(
            coSigns: (0..<3).map { coSign(other, height: 2, tip, by: $0) })
        #expect(throws: CertificateError.envelope(.foreignRoster)) {
            try stage.rules.verify(foreign)
        }
        let late = CoSign(scope: stage.rules.scope(height: 2, view: 1), value: tip)
        #expect(throws: StatementError.self) { try CoSign(payload: late.payload) }
    }

    @Test("two co-signatures of one height convict their signer (E7)")
    func contradiction() throws {
        var stage = try finished(4)
        let other = coSign(stage, height: 2, .zero, by: 3)
        stage.handle(.received(.signed(other), from: stage.ids[3]), at: 0)
        let own = try #require(
            stage.finals[0]?.certificate.coSigns.first { $0.sender == stage.ids[3] })
        let proof = Evidence(own, other)
        let conviction = try stage.rules.verify(proof)
        #expect(conviction.offence == .coSignedTwice)
        #expect(stage.journals[0].contains(.evidence(proof)))
        #expect(
            stage.effects[0].contains {
                if case .observe(.accused(stage.ids[3], .coSignedTwice)) = $0 {
                    true
                } else {
                    false
                }
            })
        // It is remembered, and decided when there is time.
        try stage.restart(0)
        stage.deliver()
        for index in 0..<3 { try stage.elapse(.command, at: index) }
        stage.deliver()
        #expect(stage.participants[1].chain.convicted == [stage.ids[3]])
    }

    /// A header of height 2 that nobody proposed, and a quorum's votes for it: all traitors.
    private func otherBranch(_ stage: Stage, by signers: [Int]) throws -> CommitRecord {
        let record = stage.commits[0][1]
        var header = try Header(decoding: record.header)
        header.committedTime += 1
        let value = stage.cryptography.digest(header.encoded)
        let vote = Vote2(scope: stage.rules.scope(height: 2, view: 0), value: value)
        return CommitRecord(
            header: header.encoded, body: record.body,
            certificate: signers.map { stage.sign(.vote2, vote.payload, by: $0) })
    }

    @Test("two certified values of one height stop a node for good, and it shows why")
    func forked() throws {
        var stage = try finished(3)
        let other = try otherBranch(stage, by: [1, 2])
        let weak = try otherBranch(stage, by: [1])
        stage.handle(.received(.commit(weak), from: stage.ids[2]), at: 0)
        #expect(!stage.participants[0].isHalted)
        stage.handle(.received(.commit(other), from: stage.ids[2]), at: 0)
        #expect(stage.participants[0].isHalted)
        #expect(stage.participants[0].status.phase == .halted)
        #expect(stage.participants[0].status.forkHeight == 2)
        let proof = ForkProof(stage.commits[0][1], other)
        let height = try stage.rules.verify(proof)
        #expect(height == 2)
        #expect(stage.journals[0].contains(.fork(proof)))
        // Whoever signed both is accused: here at least one of two (E2).
        let accused = stage.journals[0].compactMap { record -> NodeID? in
            if case .evidence(let evidence) = record { evidence.first.sender } else { nil }
        }
        #expect(!accused.isEmpty)
        #expect(accused.allSatisfy { [stage.ids[1], stage.ids[2]].contains($0) })
        // Everybody hears of it and stops, too.
        stage.deliver()
        #expect(stage.participants.allSatisfy { $0.isHalted })
        // It lasts over a restart.
        stage.messages = []
        try stage.restart(0)
        #expect(stage.participants[0].isHalted)
        stage.command(.start(Stage.specification(try Stage.run(7))), sequence: 2)
        stage.deliver()
        #expect(stage.slots(0).isEmpty)
    }

    /// The same mesh, where node 0's update never came to the others.
    private func withoutFirst() throws -> Stage {
        var stage = try Stage(3)
        try stage.startRun(rounds: 1)
        stage.deliver { !$0.statement.isOf(.update) || $0.from != 0 }
        for index in 0..<3 { try stage.elapse(.softDeadline, at: index) }
        stage.deliver { !$0.statement.isOf(.update) || $0.from != 0 }
        return stage
    }

    @Test("where everybody rests, a greeting shows that there are two chains")
    func resting() throws {
        var stage = try finished(3)
        stage.commits[1] = try withoutFirst().commits[1]
        let header = stage.commits[1][1].header
        stage.now = stage.now + .seconds(40)
        let hello = Hello(
            mesh: stage.rules.mesh, nonce: 7, height: 2, final: 2,
            tip: stage.cryptography.digest(header))
        stage.handle(.received(.hello(hello), from: stage.ids[1]), at: 0)
        #expect(stage.participants[0].status.forkHeight == 2)
    }

    @Test("a node that co-signed what its disk has lost doesn't follow another chain")
    func unlinked() throws {
        var stage = try finished(3)
        let (ours, other) = (stage.commits[1], try withoutFirst().commits[1])
        #expect(ours[1].header != other[1].header)
        stage.commits[0].removeLast()
        stage.finals[0] = nil
        for index in 1...2 { stage.commits[index] = other }
        try stage.restart(0)
        #expect(stage.participants[0].chain.height == 1)
        #expect(stage.participants[0].status.forkHeight == 2)
        // The very commit that it lost is taken; and it knows that it has forgotten something.
        for index in 1...2 { stage.commits[index] = ours }
        stage.messages = []
        try stage.restart(0)
        stage.deliver { $0.statement.isHello || $0.statement.isHelloReply }
        #expect(stage.participants[0].chain.height == 2)
        #expect(stage.participants[0].status.forkHeight == nil)
        #expect(stage.participants[0].status.phase == .silent)
    }

    @Test("a chain that branched off earlier is noticed by its next decision")
    func branch() throws {
        var stage = try finished(3)
        var other = try withoutFirst()
        other.command(.start(Stage.specification(try Stage.run(7))), sequence: 2)
        for index in 0..<3 { try other.elapse(.command, at: index) }
        other.deliver()
        #expect(other.commits[1].count > 2)
        // What node 1 has decided is the other branch.
        stage.commits[1] = other.commits[1]
        stage.handle(.received(.commit(other.commits[1][2]), from: stage.ids[1]), at: 0)
        #expect(stage.participants[0].status.forkHeight == 2)
    }
}
