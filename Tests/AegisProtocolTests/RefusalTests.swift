import AegisCore
import AegisProtocol
import AegisSimulation
import Testing

@Suite("What a node refuses, and how it says so (PROTOCOL.md §5)")
struct RefusalTests {
    /// An update of node 1 that differs from a good one as `change` says, shown to node 0.
    private func refusals(
        mesh: UInt8 = 7, run: UInt8 = 9, round: Int = 1, base: Digest? = nil,
        signer: Int = 1, type: StatementType = .update, expiresAt: UInt64 = .max
    ) throws -> [Refusal] {
        var stage = try Stage(4)
        try stage.startRun()
        let run = try Stage.run(run)
        let active = try #require(stage.participants[0].chain.active)
        let digest = stage.cryptography.digest([42])
        let draft = UpdateDraft(
            run: run, round: round, base: base ?? active.model,
            blob: try #require(UpdateBlob(digest: digest, byteCount: 1)), expiresAt: expiresAt)
        let statement = UpdateStatement(
            mesh: try #require(MeshID(Array(repeating: mesh, count: 16))),
            node: stage.rules.roster.nodes[1], specification: Stage.specification(run),
            round: round, base: draft.base, draft: draft)
        let envelope = stage.sign(type, statement.payload, by: signer)
        stage.handle(.received(.signed(envelope), from: stage.rules.roster.nodes[1]), at: 0)
        return stage.refusals(0)
    }

    @Test("an update of another mesh, base, signer, type or time is refused with the reason")
    func updates() throws {
        #expect(try refusals() == [])
        #expect(try refusals(mesh: 8) == [.envelope(.foreignMesh)])
        #expect(try refusals(base: .zero) == [.update(.wrongBase)])
        #expect(try refusals(expiresAt: 5) == [.update(.expired)])
        let node = try Stage.node(2)
        #expect(try refusals(signer: 2) == [.update(.signerIsNot(node))])
        #expect(try refusals(type: .founding) == [.unexpected(.founding)])
    }

    @Test("a second, different update of one node is kept as proof, a third is not")
    func twoUpdates() throws {
        var stage = try Stage(4)
        try stage.startRun()
        let active = try #require(stage.participants[0].chain.active)
        for number in UInt8(1)...3 {
            let draft = UpdateDraft(
                run: active.specification.run, round: 1, base: active.model,
                blob: try #require(
                    UpdateBlob(digest: stage.cryptography.digest([number]), byteCount: 1)),
                expiresAt: .max)
            let statement = UpdateStatement(
                mesh: stage.rules.mesh, node: stage.rules.roster.nodes[1],
                specification: active.specification, round: 1, base: active.model, draft: draft)
            let envelope = stage.sign(.update, statement.payload, by: 1)
            stage.handle(.received(.signed(envelope), from: stage.rules.roster.nodes[1]), at: 0)
        }
        #expect(stage.refusals(0) == [.update(.second), .tooMany])
    }

    @Test("a second update counts against its giver, whoever brings it")
    func secondBroughtByAnother() throws {
        var stage = try Stage(4)
        try stage.startRun()
        let active = try #require(stage.participants[0].chain.active)
        let (giver, carrier) = (stage.rules.roster.nodes[1], stage.rules.roster.nodes[2])
        for (number, peer) in [(1 as UInt8, giver), (2, carrier)] {
            let draft = UpdateDraft(
                run: active.specification.run, round: 1, base: active.model,
                blob: try #require(
                    UpdateBlob(digest: stage.cryptography.digest([number]), byteCount: 1)),
                expiresAt: .max)
            let statement = UpdateStatement(
                mesh: stage.rules.mesh, node: giver, specification: active.specification,
                round: 1, base: active.model, draft: draft)
            let envelope = stage.sign(.update, statement.payload, by: 1)
            stage.handle(.received(.signed(envelope), from: peer), at: 0)
        }
        let blamed = stage.effects[0].compactMap { effect in
            if case .observe(.refused(let node, _)) = effect { node } else { nil }
        }
        #expect(blamed == [giver])
    }

    @Test("a tampered envelope is refused by name")
    func tampered() throws {
        var stage = try Stage(4)
        let vote = Vote2(scope: stage.rules.scope(height: 1, view: 0), value: .zero)
        var bytes = stage.sign(.vote2, vote.payload, by: 1).bytes
        bytes[bytes.count - 1] ^= 1
        let statement = try Statement(decoding: bytes)
        stage.handle(.received(statement, from: stage.rules.roster.nodes[1]), at: 0)
        #expect(
            stage.refusals(0) == [.envelope(.badSignature(stage.rules.roster.nodes[1]))])
    }

    @Test("a command counts from the admin's key only")
    func foreignCommand() throws {
        var stage = try Stage(4)
        let command = Command(
            mesh: stage.rules.mesh, sequence: 1, expiresAt: .max,
            action: .start(Stage.specification(try Stage.run())))
        let envelope = stage.sign(.command, command.payload, by: 1)
        stage.handle(.received(.signed(envelope), from: stage.rules.roster.nodes[1]), at: 0)
        #expect(stage.refusals(0) == [.notTheAdmin(stage.rules.roster.nodes[1])])
    }

    @Test("R6: a timeout that names a certificate nobody has seen is not counted")
    func unsupportedTimeout() throws {
        var stage = try Stage(4)
        let timeout = Timeout(
            scope: stage.rules.scope(height: 1, view: 1),
            highest: .init(view: 0, value: stage.cryptography.digest([1])))
        let envelope = stage.sign(.timeout, timeout.payload, by: 1)
        stage.handle(.received(.signed(envelope), from: stage.rules.roster.nodes[1]), at: 0)
        #expect(stage.refusals(0) == [.unsupportedTimeout])
    }

    @Test("a commit with too few votes, or for another header, proves nothing (I8)")
    func commits() throws {
        var stage = try Stage(4)
        try stage.startRun()
        let record = try #require(stage.commits[0].first)
        let rules = stage.rules
        #expect(try rules.verify(record, extending: rules.initialState).state.height == 1)
        let fewer = CommitRecord(
            header: record.header, body: record.body,
            certificate: Array(record.certificate.dropLast()))
        #expect(throws: CommitError.certificate(.tooFewSigners(2))) {
            try rules.verify(fewer, extending: rules.initialState)
        }
        let twice = CommitRecord(
            header: record.header, body: record.body,
            certificate: [record.certificate[0]] + record.certificate.dropLast())
        #expect(throws: CommitError.self) {
            try rules.verify(twice, extending: rules.initialState)
        }
        var header = try Header(decoding: record.header)
        header.model = .zero
        let other = CommitRecord(
            header: header.encoded, body: record.body, certificate: record.certificate)
        #expect(throws: CommitError.anotherValue) {
            try rules.verify(other, extending: rules.initialState)
        }
    }
}
