import AegisAPI
import AegisAggregation
import AegisCore
import AegisCrypto
import AegisLearning
import AegisNode
import AegisProtocol
import AegisStore
import TestFolders
import Testing

@Suite("Models, updates and their aggregate")
struct AggregationDeskTests {
    private let directory: TemporaryDirectory
    private let blobs: BlobStore
    private let desk: AggregationDesk
    private let nodes = (0..<4).map { _ in IdentityKey.generate().publicKey }.sorted()

    init() throws {
        directory = try TemporaryDirectory()
        blobs = try BlobStore(directory: directory.file("blobs"))
        desk = AggregationDesk(blobs: blobs)
    }

    private func values(_ seed: Int, count: Int = 64) -> [Float] {
        (0..<count).map { Float(($0 * 37 + seed * 101) % 97 - 48) / 1_024 }
    }

    private func fetchRequest(
        _ blob: Digest, _ specification: RunSpecification
    ) throws -> FetchRequest {
        let described = try #require(try ModelFile.describe(blob, in: blobs))
        let statement = UpdateStatement(
            mesh: Sample.mesh(), node: nodes[0], specification: specification, round: 1,
            base: Sample.digest(0),
            draft: UpdateDraft(
                run: specification.run, round: 1, base: Sample.digest(0), blob: described,
                expiresAt: 1))
        return FetchRequest(
            update: Sample.digest(9), statement: statement, specification: specification,
            from: [nodes[0]])
    }

    /// What the intake check says of these values.
    private func fault(
        _ values: [Float], as model: ModelDeclaration? = nil,
        in specification: RunSpecification = Sample.specification()
    ) throws -> UpdateFault? {
        let shape = try #require(
            ModelShape(Sample.specification(model ?? .none(parameters: values.count))))
        let blob = try ModelFile.store(values, shape: shape, in: blobs)
        let request = try fetchRequest(blob, specification)
        return failure(UpdateFault.self) { try desk.check(request) }
    }

    @Test("equal values have equal digests, stored or only computed")
    func digests() throws {
        let shape = try #require(ModelShape(Sample.specification()))
        let stored = try ModelFile.store(values(1), shape: shape, in: blobs)
        #expect(stored == ModelFile.digest(of: values(1), shape: shape))
        #expect(stored != ModelFile.digest(of: values(2), shape: shape))
        #expect(blobs.byteCount(of: stored) == ModelFile.byteCount(of: shape))
        #expect(try ModelFile.parameters(of: stored, shape: shape, in: blobs) == values(1))
    }

    @Test(
        "two nodes make the same model of the same updates",
        arguments: [
            AggregationDeclaration.Rule.mean, .trimmedMean, .median, .geometricMedian,
            .meanAroundMedian,
        ])
    func sameOnEveryNode(rule: AggregationDeclaration.Rule) throws {
        let specification = Sample.specification(rule: rule)
        let shape = try #require(ModelShape(specification))
        var results: [ComputeResult] = []
        for number in 0..<2 {
            let blobs = try BlobStore(directory: directory.file("node-\(number)"))
            let desk = AggregationDesk(blobs: blobs)
            let base = try desk.initialModel(specification)
            #expect(base.aggregate == .zero)
            let parts = try nodes.enumerated().map { index, node in
                AggregateRequest.Part(
                    node: node, update: Sample.digest(UInt8(index)),
                    blob: try ModelFile.store(values(index), shape: shape, in: blobs),
                    weight: 1)
            }
            results.append(
                try desk.aggregate(
                    AggregateRequest(
                        specification: specification, round: 1, base: base.model, parts: parts,
                        holders: [])
                ).result)
            #expect(blobs.contains(results[number].model))
        }
        #expect(results[0] == results[1])
    }

    @Test("the commit's digest of who is included orders the buckets, and nothing else does")
    func buckets() throws {
        var specification = Sample.specification(rule: .median)
        specification.aggregation.preSteps = [.bucketing]
        specification.aggregation.parameters = [.bucketSize: 2]
        let shape = try #require(ModelShape(specification))
        let base = try desk.initialModel(specification).model
        let models = try [0, 0, 50, 100, 150].map { first in
            let parts = try (0..<5).map { index in
                AggregateRequest.Part(
                    node: Sample.node(UInt8(index)), update: Sample.digest(UInt8(first + index)),
                    blob: try ModelFile.store(values(index), shape: shape, in: blobs), weight: 1)
            }
            return try desk.aggregate(
                AggregateRequest(
                    specification: specification, round: 1, base: base, parts: parts, holders: []
                )
            ).result.model
        }
        #expect(models[0] == models[1])
        #expect(Set(models).count > 1)
    }

    @Test("whom a rule left out is told, with the rule's name")
    func explanation() throws {
        var specification = Sample.specification(.none(parameters: 2), rule: .krum)
        specification.aggregation.byzantine = 1
        let shape = try #require(ModelShape(specification))
        let base = try desk.initialModel(specification).model
        let parts = try [[1, 1], [1, 2], [2, 1], [2, 2], [90, 90]].enumerated().map {
            index, values in
            AggregateRequest.Part(
                node: Sample.node(UInt8(index)), update: Sample.digest(UInt8(index)),
                blob: try ModelFile.store(values.map(Float.init), shape: shape, in: blobs),
                weight: 1)
        }
        let explanation = try desk.aggregate(
            AggregateRequest(
                specification: specification, round: 1, base: base, parts: parts, holders: [])
        ).explanation
        #expect(explanation.rule == "krum")
        #expect(explanation.verdicts.map(\.node) == parts.map(\.node.text))
        #expect(explanation.verdicts.count { $0.isKept } == 1)
        #expect(explanation.dropped.contains(Sample.node(4).text))
        #expect(explanation.verdicts[4].score > explanation.verdicts[0].score)
    }

    @Test("a weighted rule uses the weights that were signed")
    func weights() throws {
        var specification = Sample.specification(.none(parameters: 1), rule: .weightedMean)
        specification.aggregation.byzantine = 0
        specification.aggregation.weightMax = 10
        let shape = try #require(ModelShape(specification))
        let base = try desk.initialModel(specification).model
        let parts = try [(Float(0), UInt64(1)), (8, 3)].enumerated().map { index, part in
            AggregateRequest.Part(
                node: Sample.node(UInt8(index)), update: Sample.digest(UInt8(index)),
                blob: try ModelFile.store([part.0], shape: shape, in: blobs), weight: part.1)
        }
        let model = try desk.aggregate(
            AggregateRequest(
                specification: specification, round: 1, base: base, parts: parts, holders: [])
        ).result.model
        #expect(try ModelFile.parameters(of: model, shape: shape, in: blobs) == [6])
    }

    @Test("the protocol asks for as many updates as the rule needs")
    func updatesMin() {
        for rule in AggregationDeclaration.Rule.allCases where rule.isRobust {
            for byzantine in 1...4 {
                let declaration = AggregationDeclaration(
                    rule: rule, byzantine: byzantine, updateNormMaxMillionths: 1)
                let needed = declaration.aggregator(seed: .zero).rule.updatesMin
                #expect(declaration.updatesMin >= needed, "\(rule) \(byzantine)")
                // Where the rule knows f it asks for no less.
                #expect(needed == 1 || needed == declaration.updatesMin, "\(rule) \(byzantine)")
            }
        }
    }

    @Test("the mean is the mean")
    func mean() throws {
        let specification = Sample.specification(.none(parameters: 2))
        let shape = try #require(ModelShape(specification))
        let parts = try [[1, 4], [3, -4]].enumerated().map { index, values in
            AggregateRequest.Part(
                node: nodes[index], update: Sample.digest(UInt8(index)),
                blob: try ModelFile.store(values.map(Float.init), shape: shape, in: blobs),
                weight: 1)
        }
        let result = try desk.aggregate(
            AggregateRequest(
                specification: specification, round: 1,
                base: try desk.initialModel(specification).model, parts: parts, holders: [])
        ).result
        #expect(try ModelFile.parameters(of: result.model, shape: shape, in: blobs) == [2, 0])
    }

    private static let servers = [
        ServerDeclaration(optimizer: .average, learningRateMillionths: 500_000),
        ServerDeclaration(optimizer: .momentum, momentumMillionths: 900_000),
        ServerDeclaration(
            optimizer: .adam, learningRateMillionths: 100_000, momentumMillionths: 900_000,
            decayMillionths: 990_000, adaptivityMillionths: 1_000),
        ServerDeclaration(
            optimizer: .yogi, learningRateMillionths: 100_000, momentumMillionths: 900_000,
            decayMillionths: 990_000, adaptivityMillionths: 1_000),
    ]

    /// Node two joins at round 2 with the committed model alone: what the optimiser remembers is
    /// in it.
    @Test("a server optimiser goes on from the committed model alone", arguments: servers)
    func server(_ server: ServerDeclaration) throws {
        var specification = Sample.specification()
        specification.server = server
        #expect(try RunSpecification(specification.cbor) == specification)
        let shape = try #require(ModelShape(specification))
        func round(_ number: Int, base: Digest, in blobs: BlobStore) throws -> ComputeResult {
            let parts = try nodes.enumerated().map { index, node in
                AggregateRequest.Part(
                    node: node, update: Sample.digest(UInt8(index)),
                    blob: try ModelFile.store(
                        values(index + 10 * number), shape: shape, in: blobs), weight: 1)
            }
            return try AggregationDesk(blobs: blobs).aggregate(
                AggregateRequest(
                    specification: specification, round: number, base: base, parts: parts,
                    holders: [])
            ).result
        }
        let first = try round(1, base: desk.initialModel(specification).model, in: blobs)
        #expect(blobs.byteCount(of: first.model) == ModelFile.modelByteCount(of: shape))
        let second = try round(2, base: first.model, in: blobs)
        let other = try BlobStore(directory: directory.file("late"))
        _ = try other.write(try blobs.withMapped(first.model) { Array($0) })
        #expect(try round(2, base: first.model, in: other) == second)
        let plain = try #require(ModelShape(Sample.specification()))
        let parameters = try ModelFile.parameters(of: second.model, shape: shape, in: blobs)
        #expect(parameters.count == 64 && parameters.contains { $0 != 0 })
        // An update with a state beside it is not the run's.
        let withState = try ModelFile.storeModel(
            shape.initialModel(seed: 1), shape: shape, in: blobs)
        let request = try fetchRequest(withState, specification)
        let fault = failure(UpdateFault.self) { try desk.check(request) }
        #expect((fault != nil) == (shape.modelTensors.count > plain.modelTensors.count))
    }

    @Test("an update as declared is taken")
    func good() throws {
        #expect(try fault(values(1)) == nil)
    }

    @Test("another number of parameters is a wrong shape", arguments: [1, 63, 65, 640])
    func wrongShape(count: Int) throws {
        #expect(
            try fault(values(1, count: count)) == .wrongShape(expected: 64, actual: count))
    }

    @Test("as many parameters in other tensors are not the model's")
    func otherTensors() throws {
        let softmax = Sample.specification(.softmax)
        let fault = try fault(
            values(1, count: 7_850), as: .none(parameters: 7_850), in: softmax)
        guard case .notSafetensors = fault else {
            Issue.record("\(String(describing: fault))")
            return
        }
    }

    @Test("a value that is not finite is found", arguments: [Float.nan, .infinity, -.infinity])
    func notFinite(value: Float) throws {
        var values = values(1)
        values[17] = value
        #expect(try fault(values) == .notFinite(index: 17))
    }

    @Test("a norm above the bound is refused, one at the bound is not")
    func norm() throws {
        // 64 values of 1/8: a norm of exactly 1.
        #expect(try fault([Float](repeating: 0.125, count: 64)) == nil)
        let fault = try fault([Float](repeating: 0.25, count: 64))
        #expect(fault == .normAboveBound(norm: 2, bound: 1))
        // Whose square is not a Float any more.
        let huge = try self.fault([Float](repeating: .greatestFiniteMagnitude, count: 64))
        guard case .normAboveBound = huge else {
            Issue.record("\(String(describing: huge))")
            return
        }
    }

    @Test(
        "bytes that are no model are refused",
        arguments: [
            [UInt8](), [1, 2, 3], [UInt8](repeating: 0xff, count: 600),
            Array("PK\u{3}\u{4} a pickle in a zip".utf8),
        ])
    func garbage(bytes: [UInt8]) throws {
        let blob = try blobs.write(bytes)
        let request = try fetchRequest(blob, Sample.specification())
        let fault = failure(UpdateFault.self) { try desk.check(request) }
        guard case .notSafetensors = fault else {
            Issue.record("\(String(describing: fault))")
            return
        }
    }

    @Test("a large blob is described by its chunks")
    func chunks() throws {
        let count = (5 << 20) / 4
        let specification = Sample.specification(.none(parameters: count))
        let shape = try #require(ModelShape(specification))
        let blob = try ModelFile.store(
            [Float](repeating: 0, count: count), shape: shape, in: blobs)
        let described = try #require(try ModelFile.describe(blob, in: blobs))
        #expect(described.chunks.count == 6)
        #expect(try ModelFile.describe(Sample.digest(1), in: blobs) == nil)
    }
}
