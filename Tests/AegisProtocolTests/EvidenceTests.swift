import AegisCore
import AegisProtocol
import AegisSimulation
import Testing

@Suite("Evidence, and what follows from it (PROTOCOL.md §2.9)")
struct EvidenceTests {
    private let x = Digest.zero

    private func y(_ stage: Stage) -> Digest { stage.cryptography.digest([1]) }

    private func vote1(
        _ stage: Stage, _ value: Digest, by index: Int, view: UInt32 = 0, proposal: Digest = .zero
    ) -> SignedEnvelope {
        let vote = Vote1(
            scope: stage.rules.scope(height: 1, view: view), value: value, proposal: proposal)
        return stage.sign(.vote1, vote.payload, by: index)
    }

    private func vote2(_ stage: Stage, _ value: Digest, by index: Int) -> SignedEnvelope {
        let vote = Vote2(scope: stage.rules.scope(height: 1, view: 0), value: value)
        return stage.sign(.vote2, vote.payload, by: index)
    }

    private func timeout(
        _ stage: Stage, view: UInt32, highest: Timeout.Certified?, by index: Int
    ) -> SignedEnvelope {
        let timeout = Timeout(
            scope: stage.rules.scope(height: 1, view: view), highest: highest)
        return stage.sign(.timeout, timeout.payload, by: index)
    }

    private func update(_ stage: Stage, _ number: UInt8, by index: Int) throws -> SignedEnvelope {
        let active = try #require(stage.participants[0].chain.active)
        let blob = UpdateBlob(digest: stage.cryptography.digest([number]), byteCount: 1)
        let draft = UpdateDraft(
            run: active.specification.run, round: active.round, base: active.model,
            blob: try #require(blob), expiresAt: .max)
        let statement = UpdateStatement(
            mesh: stage.rules.mesh, node: stage.rules.roster.nodes[index],
            specification: active.specification, round: active.round, base: active.model,
            draft: draft)
        return stage.sign(.update, statement.payload, by: index)
    }

    @Test("two votes, or a vote and a timeout, that no honest node signs convict their signer")
    func offences() throws {
        let stage = try Stage(4)
        let cases: [(SignedEnvelope, SignedEnvelope, Conviction.Offence)] = [
            (vote1(stage, x, by: 1), vote1(stage, y(stage), by: 1), .votedTwice),
            (vote2(stage, x, by: 1), vote2(stage, y(stage), by: 1), .committedTwice),
            (
                vote2(stage, x, by: 1), timeout(stage, view: 0, highest: nil, by: 1),
                .forgotCertificate
            ),
        ]
        for (first, second, offence) in cases {
            let conviction = try stage.rules.verify(Evidence(first, second))
            #expect(conviction.offence == offence)
            #expect(conviction.node == stage.rules.roster.nodes[1])
            let statement = Statement.evidence(Evidence(first, second))
            #expect(try Statement(decoding: statement.encoded) == statement)
        }
    }

    @Test("what an honest node may sign convicts nobody")
    func noOffence() throws {
        let stage = try Stage(4)
        let certified = Timeout.Certified(view: 0, value: x)
        let vote = vote1(stage, x, by: 1)
        let cases: [(SignedEnvelope, SignedEnvelope)] = [
            (vote, vote), (vote, vote1(stage, y(stage), by: 1, view: 1)),
            (vote, vote1(stage, y(stage), by: 2)), (vote, vote2(stage, y(stage), by: 1)),
            (vote2(stage, x, by: 1), timeout(stage, view: 0, highest: certified, by: 1)),
            (timeout(stage, view: 0, highest: nil, by: 1), vote2(stage, x, by: 1)),
            (
                timeout(stage, view: 1, highest: nil, by: 1),
                timeout(stage, view: 2, highest: nil, by: 1)
            ),
        ]
        for (first, second) in cases {
            #expect(throws: EvidenceError.noContradiction) {
                try stage.rules.verify(Evidence(first, second))
            }
        }
        var bytes = vote1(stage, y(stage), by: 1).signature
        bytes[0] ^= 1
        let forged = SignedEnvelope(
            .vote1, from: stage.rules.roster.nodes[1],
            payload: Vote1(
                scope: stage.rules.scope(height: 1, view: 0), value: y(stage), proposal: .zero
            ).payload
        ) { _ in bytes }
        #expect(
            throws: EvidenceError.envelope(.badSignature(stage.rules.roster.nodes[1]))
        ) { try stage.rules.verify(Evidence(vote, forged)) }
    }

    @Test("E4: of a node that gave two updates none counts, in this round and later")
    func excluded() throws {
        var stage = try Stage(4)
        try stage.startRun(rounds: 2)
        stage.messages.removeAll { $0.from == 1 && $0.statement.isOf(.update) }
        let traitor = stage.rules.roster.nodes[1]
        for number in UInt8(1)...2 {
            let envelope = try update(stage, number, by: 1)
            stage.handle(.received(.signed(envelope), from: traitor), at: 0)
        }
        // It reaches everybody, each once.
        stage.deliver()
        for participant in stage.participants {
            #expect(participant.chain.convicted == [traitor])
            #expect(participant.chain.finished.first?.outcome == .completed)
        }
        for record in stage.commits[0].dropFirst() {
            #expect(try Header(decoding: record.header).included == [0, 2, 3])
        }
        let header = try Header(decoding: stage.commits[0][1].header)
        #expect(header.convicted == [1])
        #expect(try stage.rules.replay(stage.commits[0]) == stage.participants[0].chain)
    }

    @Test("without a run, evidence is decided by itself")
    func alone() throws {
        var stage = try Stage(4)
        let traitor = stage.rules.roster.nodes[3]
        for value in [x, y(stage)] {
            stage.handle(.received(.signed(vote1(stage, value, by: 3)), from: traitor), at: 0)
        }
        stage.deliver()
        for index in 0..<3 { try stage.elapse(.command, at: index) }
        stage.deliver()
        #expect(stage.participants[0].chain.convicted == [traitor])
        #expect(stage.participants[0].chain.height == 1)
    }

    @Test(
        "a convicted node coordinates nothing, unless more are convicted than there may be traitors"
    )
    func rotation() throws {
        let stage = try Stage(4)
        let nodes = stage.rules.roster.nodes
        let drawn = (UInt64(1)...8).map {
            stage.rules.coordinator(height: $0, view: 0, convicted: [nodes[2]])
        }
        #expect(Set(drawn) == [nodes[0], nodes[1], nodes[3]])
        let many = (UInt64(1)...8).map {
            stage.rules.coordinator(height: $0, view: 0, convicted: [nodes[1], nodes[2]])
        }
        #expect(Set(many) == Set(nodes))
    }

    @Test("one proof against each node is kept, whatever it does")
    func bounded() throws {
        var stage = try Stage(4)
        let traitor = stage.rules.roster.nodes[3]
        for view in UInt32(0)..<20 {
            for value in [x, y(stage)] {
                stage.handle(
                    .received(.signed(vote1(stage, value, by: 3, view: view)), from: traitor),
                    at: 0)
            }
        }
        let spread = stage.messages.filter {
            if case .evidence = $0.statement { $0.from == 0 } else { false }
        }
        #expect(spread.count == 3)
        #expect(stage.participants[0].isWithinLimits)
    }
}
