import AegisAPI
import AegisCore
import AegisCrypto
import AegisLearning
import AegisNode
import AegisPrivacy
import AegisProtocol
import AegisStore
import TestFolders
import Testing

@Suite("Local training")
struct TrainingDeskTests {
    private let directory: TemporaryDirectory
    private let database: NodeDatabase
    private let ledgers: LedgerFile
    private let blobs: BlobStore
    private let status = StatusBoard(node: "n", name: "north")
    private let node = IdentityKey.generate().publicKey
    private let specification = Sample.specification(.softmax, privacy: Sample.privacy)

    init() throws {
        LinearAlgebra.prepare()
        directory = try TemporaryDirectory()
        database = try NodeDatabase(path: directory.file("node.sqlite"))
        ledgers = try LedgerFile(path: directory.file("ledger.sqlite"))
        blobs = try BlobStore(directory: directory.file("blobs"))
        try TinyDataset.write(to: directory.path)
    }

    private func desk(epsilon: Double = 50) throws -> TrainingDesk {
        try TrainingDesk(
            node: node, ledgers: ledgers, database: database, blobs: blobs,
            declarations: [Sample.dataset(source: directory.path, epsilon: epsilon)],
            status: status)
    }

    private func spent() -> Double? { status.current.privacy.first?.epsilon }

    private func request(
        _ round: Int, _ specification: RunSpecification? = nil
    ) throws -> TrainingRequest {
        let specification = specification ?? self.specification
        let base = try AggregationDesk(blobs: blobs).initialModel(specification).model
        return TrainingRequest(
            specification: specification, round: round, base: base, holders: [])
    }

    @Test("an update is charged, stored and described")
    func update() throws {
        let desk = try desk()
        var shares: [Double] = []
        let draft = try desk.update(for: request(1)) { shares.append($0) }
        #expect(draft.round == 1 && draft.run == specification.run)
        #expect(draft.ledgerPosition == 3)
        #expect(blobs.byteCount(of: draft.blob.digest) == draft.blob.byteCount)
        #expect(shares.last == 1 && shares == shares.sorted())
        let shape = try #require(ModelShape(specification))
        let values = try ModelFile.parameters(of: draft.blob.digest, shape: shape, in: blobs)
        #expect(values.count == 7_850)
        #expect(values.allSatisfy(\.isFinite) && values.contains { $0 != 0 })
        #expect((status.current.privacy.first?.epsilon ?? 0) > 0)
    }

    @Test("asked again, the same update comes back and nothing is charged")
    func neverRedrawn() throws {
        let first = try desk().update(for: request(1)) { _ in }
        let lines = try ledgers.lines(of: "tiny").count
        let spent = status.current.privacy
        let desk = try desk()
        for _ in 0..<2 {
            let again = try desk.update(for: request(1)) { _ in
                Issue.record("the data was touched")
            }
            #expect(again.blob == first.blob)
        }
        #expect(try ledgers.lines(of: "tiny").count == lines)
        #expect(status.current.privacy == spent)
    }

    @Test("a released update whose file is gone is not drawn again")
    func releasedAndGone() throws {
        let desk = try desk()
        let draft = try desk.update(for: request(1)) { _ in }
        try blobs.remove(draft.blob.digest)
        #expect(throws: TrainingRefusal.releasedUpdateMissing) {
            try desk.update(for: request(1)) { _ in }
        }
        #expect(try ledgers.lines(of: "tiny").count == 4)
    }

    @Test(
        "every kind of model, and every refinement, trains",
        arguments: [
            ModelDeclaration.convolutional,
            .layers(
                [
                    LayerDeclaration(.convolution, [4, 5, 3, 0]), LayerDeclaration(.groupNorm, [2]),
                    LayerDeclaration(.relu), LayerDeclaration(.averagePool, [2, 2]),
                    LayerDeclaration(.dense, [10]),
                ].compactMap(\.self)),
        ])
    func models(model: ModelDeclaration) throws {
        var specification = Sample.specification(model, privacy: Sample.privacy)
        specification.training.refinements = TrainingRefinements(
            optimizer: .adam, schedule: .cosine, warmUpSteps: 2, proximalMillionths: 10_000,
            averagingMillionths: 900_000, views: 2, shift: 1, mirror: true)
        specification.privacy?.clipping = .adaptive(
            quantileMillionths: 500_000, countNoiseMillionths: 2_000_000)
        #expect(try RunSpecification(specification.cbor) == specification)
        let draft = try desk().update(for: request(1, specification)) { _ in }
        let shape = try #require(ModelShape(specification))
        let values = try ModelFile.parameters(of: draft.blob.digest, shape: shape, in: blobs)
        #expect(values.allSatisfy(\.isFinite) && values.contains { $0 != 0 })
    }

    @Test("what can't be trained is found before it is paid for")
    func notPaidFor() throws {
        var specification = specification
        specification.training.refinements.views = 4
        #expect(throws: TrainingError.invalidPlan) {
            try desk().update(for: request(1, specification)) { _ in }
        }
        var adaptive = self.specification
        adaptive.privacy?.clipping = .adaptive(
            quantileMillionths: 500_000, countNoiseMillionths: 100_000)
        #expect(throws: TrainingError.countNoiseTooSmall) {
            try desk().update(for: request(1, adaptive)) { _ in }
        }
        #expect(spent() == 0)
        let wrong = Sample.specification(
            .layers([LayerDeclaration(.dense, [7])].compactMap(\.self)), privacy: Sample.privacy)
        #expect(ModelShape(wrong) == nil)
    }

    @Test("each round costs, and the node tells how much")
    func epsilonGrows() throws {
        let desk = try desk()
        var costs = [try #require(spent())]
        var blobs: Set<Digest> = []
        for round in 1...3 {
            let draft = try desk.update(for: request(round)) { _ in }
            blobs.insert(draft.blob.digest)
            costs.append(try #require(spent()))
        }
        #expect(blobs.count == 3)
        #expect(costs[0] == 0)
        for (before, after) in zip(costs, costs.dropFirst()) { #expect(after > before) }
    }

    @Test("training stopped half-way is charged in full")
    func stoppedIsCharged() throws {
        struct Stop: Error {}
        let desk = try desk()
        #expect(throws: Stop.self) {
            try desk.update(for: request(1)) { if $0 >= 0.5 { throw Stop() } }
        }
        let stopped = try #require(spent())
        #expect(stopped > 0)
        _ = try desk.update(for: request(1)) { _ in }
        #expect(try #require(spent()) > stopped)
        #expect(try ledgers.lines(of: "tiny").count == 5)
    }

    @Test("without a privacy declaration nobody trains on a data set here")
    func noPrivacy() throws {
        let desk = try desk()
        #expect(throws: TrainingRefusal.noPrivacyDeclared) {
            try desk.update(for: request(1, Sample.specification(.softmax))) { _ in }
        }
        #expect(try ledgers.lines(of: "tiny").count == 1)
    }

    @Test("a data set that isn't declared, or is gone, is not charged")
    func noDataset() throws {
        let desk = try desk()
        var other = specification
        other.dataset = "other"
        #expect(throws: NodeError.self) { try desk.update(for: request(1, other)) { _ in } }
        let gone = try TrainingDesk(
            node: node, ledgers: ledgers, database: database, blobs: blobs,
            declarations: [Sample.dataset(source: "/nowhere")], status: status)
        #expect(throws: NodeError.self) { try gone.update(for: request(1)) { _ in } }
        #expect(try ledgers.lines(of: "tiny").count == 1)
    }

    @Test("beyond the budget the records are not touched")
    func budget() throws {
        let desk = try desk(epsilon: 0.1)
        #expect(throws: BudgetError.self) {
            try desk.update(for: request(1)) { _ in Issue.record("the data was touched") }
        }
        #expect(try ledgers.lines(of: "tiny").count == 2)
    }

    @Test("the same records under a second name are refused, not given a second budget")
    func secondName() throws {
        let desk = try TrainingDesk(
            node: node, ledgers: ledgers, database: database, blobs: blobs,
            declarations: [
                Sample.dataset(source: directory.path),
                Sample.dataset("other", source: directory.path),
            ], status: status)
        _ = try desk.update(for: request(1)) { _ in }
        var other = specification
        other.dataset = "other"
        #expect(throws: BudgetError.recordsBelong(to: "tiny")) {
            try desk.update(for: request(2, other)) { _ in Issue.record("data was touched") }
        }
        #expect(try ledgers.lines(of: "other").count == 1)
    }

    @Test("a run without training needs no data, and nodes differ")
    func withoutTraining() throws {
        let request = try request(1, Sample.specification())
        let desk = try TrainingDesk(
            node: node, ledgers: ledgers, database: database, blobs: blobs, declarations: [],
            status: status)
        let draft = try desk.update(for: request) { _ in }
        #expect(try desk.update(for: request) { _ in }.blob == draft.blob)
        let other = try TrainingDesk(
            node: IdentityKey.generate().publicKey, ledgers: ledgers, database: database,
            blobs: blobs,
            declarations: [], status: status)
        #expect(try other.update(for: request) { _ in }.blob != draft.blob)
        #expect(draft.ledgerPosition == 0)
    }
}
