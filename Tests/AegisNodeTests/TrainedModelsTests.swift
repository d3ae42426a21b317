import AegisAPI
import AegisCore
import AegisCrypto
import AegisLearning
import AegisNode
import AegisProtocol
import AegisStore
import TestFolders
import Testing

@Suite("What a node trains and measures, from the run's words and the owner's declaration")
struct TrainedModelsTests {
    private let directory: TemporaryDirectory
    private let database: NodeDatabase
    private let blobs: BlobStore
    private let status = StatusBoard(node: "n", name: "north")

    init() throws {
        LinearAlgebra.prepare()
        directory = try TemporaryDirectory()
        database = try NodeDatabase(path: directory.file("node.sqlite"))
        blobs = try BlobStore(directory: directory.file("blobs"))
    }

    private func desk(_ source: String, threads: Int = 1) throws -> TrainingDesk {
        try TrainingDesk(
            node: IdentityKey.generate().publicKey,
            ledgers: LedgerFile(path: directory.file("ledger.sqlite")), database: database,
            blobs: blobs, declarations: [Sample.dataset(source: source)], status: status,
            threads: threads)
    }

    private func request(_ specification: RunSpecification, round: Int = 1) throws
        -> TrainingRequest
    {
        TrainingRequest(
            specification: specification, round: round,
            base: try AggregationDesk(blobs: blobs).initialModel(specification).model,
            holders: [])
    }

    /// The update's values, and the measure of the run's first model.
    private func trainAndMeasure(
        _ specification: RunSpecification, source: String, threads: Int = 1
    ) throws -> (update: [Float], quality: ModelQuality?) {
        #expect(try RunSpecification(specification.cbor) == specification)
        let request = try request(specification)
        let draft = try desk(source, threads: threads).update(for: request) { _ in }
        let shape = try #require(ModelShape(specification))
        let evaluator = Evaluator(
            declarations: [Sample.dataset(source: source)], blobs: blobs, threads: threads)
        return (
            try ModelFile.parameters(of: draft.blob.digest, shape: shape, in: blobs),
            try evaluator.evaluate(request.base, of: specification)
        )
    }

    private func specification(
        _ model: ModelDeclaration, shape: [Int], classes: Int
    ) throws -> RunSpecification {
        var specification = Sample.specification(model, privacy: Sample.privacy)
        specification.records = try #require(RecordDeclaration(shape: shape, classes: classes))
        return specification
    }

    /// Two numbers, a word, and what depends on them; every fourth record is for the test.
    private func table(_ target: String) throws -> String {
        var rows = "x,y,note,high,amount\n"
        for index in 0..<60 {
            let x = index % 10
            rows += "\(x),\(index % 7),\(x > 4 ? "warm day" : "cold night")"
            rows += ",\(x > 4 ? "yes" : "no"),\(2 * x)\n"
        }
        try Files.write(Array(rows.utf8), to: directory.file("t.csv"))
        let columns =
            target == "text"
            ? "columns: [{name: note, type: text, vocabulary: 64}]"
            : "columns: [{name: x, type: number, min: 0, max: 9}, "
                + "{name: y, type: number, min: 0, max: 6}]"
        let goal =
            target == "number"
            ? "{column: amount, min: 0, max: 18}" : "{column: high, values: [\"no\", \"yes\"]}"
        let text = """
            name: tiny
            source: {format: csv, path: t.csv}
            \(columns)
            target: \(goal)
            split: {test: 0.25, seed: 1}
            public_test: true
            """
        try Files.write(Array(text.utf8), to: directory.file("\(target).yaml"))
        return directory.file("\(target).yaml")
    }

    @Test("a table with classes: softmax, and one output with binary cross-entropy")
    func classes() throws {
        let source = try table("classes")
        let one = ModelDeclaration.layers(
            [LayerDeclaration(.dense, [4]), LayerDeclaration(.tanh), LayerDeclaration(.dense, [1])]
                .compactMap(\.self))
        for (model, loss) in [
            (ModelDeclaration.softmax, Loss.crossEntropy), (one, .binaryCrossEntropy),
        ] {
            var specification = try specification(model, shape: [2], classes: 2)
            #expect(ModelShape(specification)?.loss == loss)
            specification.run = Sample.run(loss == .crossEntropy ? 1 : 2)
            let (update, quality) = try trainAndMeasure(specification, source: source)
            #expect(update.contains { $0 != 0 })
            let figures = try #require(quality)
            #expect(figures.records > 5 && figures.auc != nil && figures.f1 != nil)
            #expect(figures.accuracy != nil && figures.calibrationError != nil)
            #expect(figures.rmse == nil)
        }
    }

    @Test("a number is predicted, and its error told in its own unit")
    func regression() throws {
        let specification = try specification(
            .multilayerPerceptron(hidden: [4]), shape: [2], classes: 1)
        #expect(ModelShape(specification)?.loss == .squaredError)
        let (update, quality) = try trainAndMeasure(
            specification, source: try table("number"), threads: 2)
        #expect(update.contains { $0 != 0 })
        let figures = try #require(quality)
        // Of numbers from 0 to 18, by a model that knows nothing.
        #expect((1...30).contains(try #require(figures.rmse)))
        #expect(figures.mae != nil && figures.accuracy == nil && figures.auc == nil)
    }

    @Test("texts: a bag of words, then a layer")
    func texts() throws {
        let bag = ModelDeclaration.layers(
            [LayerDeclaration(.embeddingBag, [64, 4]), LayerDeclaration(.dense, [2])]
                .compactMap(\.self))
        let specification = try specification(bag, shape: [], classes: 2)
        let (update, quality) = try trainAndMeasure(specification, source: try table("text"))
        #expect(update.count == 64 * 4 + 10 && update.contains { $0 != 0 })
        #expect(quality?.auc != nil)
        // A model of numbers takes no text, and a text no model of numbers.
        #expect(ModelShape(try self.specification(.softmax, shape: [], classes: 2)) == nil)
        let numbers = try self.specification(bag, shape: [2], classes: 2)
        #expect(ModelShape(numbers) == nil)
    }

    @Test("wavelet features are made of the images, once, and charged to the same records")
    func scattering() throws {
        try TinyDataset.write(to: directory.path)
        let specification = Sample.specification(.scatterLinear, privacy: Sample.privacy)
        let (update, quality) = try trainAndMeasure(specification, source: directory.path)
        #expect(update.count == 3_970 * 10 && update.contains { $0 != 0 })
        #expect(quality?.records == 10)
        let other = Sample.specification(.softmax, run: Sample.run(2), privacy: Sample.privacy)
        #expect(try trainAndMeasure(other, source: directory.path).update.count == 7_850)
    }

    @Test("records of another shape, or with other targets, are refused before they are paid for")
    func otherRecords() throws {
        let source = try table("classes")
        for (shape, classes) in [([3], 2), ([2], 1), ([1, 28, 28], 2)] {
            let request = try request(specification(.softmax, shape: shape, classes: classes))
            let error = #expect(throws: TrainingError.self) {
                try desk(source).update(for: request) { _ in }
            }
            #expect(error == .recordsDoNotFit)
            #expect(error.map(TrainingFailure.words)?.contains("the run declares") == true)
        }
        #expect(status.current.privacy.first?.epsilon == 0)
    }

    @Test("an adaptive clip norm goes on where the last round left it, also after a restart")
    func clipNormGoesOn() throws {
        var adaptive = try specification(.softmax, shape: [2], classes: 2)
        adaptive.privacy?.clipping = .adaptive(
            quantileMillionths: 500_000, countNoiseMillionths: 2_000_000)
        let source = try table("classes")
        let norms = ClipNorms(database: database)
        #expect(try norms.norm(for: adaptive) == nil)
        var seen: [Float] = []
        for round in 1...3 {
            _ = try desk(source).update(for: request(adaptive, round: round)) { _ in }
            seen.append(try #require(try norms.norm(for: adaptive)))
        }
        #expect(Set(seen).count == 3 && seen.allSatisfy { $0 > 0 && $0.isFinite })
        // A run that follows starts from its own.
        var next = adaptive
        next.run = Sample.run(9)
        #expect(try norms.norm(for: next) == nil)
        try norms.keep(0.5, for: next)
        #expect(try norms.norm(for: next) == 0.5 && norms.norm(for: adaptive) == nil)
        var flat = next
        flat.privacy?.clipping = .flat
        #expect(try norms.norm(for: flat) == nil)
    }

    @Test("a federation's figures are the nodes', by their test records")
    func federation() throws {
        let nodes = [
            ModelQuality(records: 10, loss: 1, accuracy: 0.5, auc: 0.6),
            ModelQuality(records: 30, loss: 2, accuracy: 0.9, auc: 0.8),
            ModelQuality(records: 0, loss: 9, accuracy: 0),
        ]
        let all = try #require(ModelQuality(ofAll: nodes))
        #expect(all.records == 40 && abs(all.loss - 1.75) < 1e-12)
        #expect(abs((all.accuracy ?? 0) - 0.8) < 1e-12 && abs((all.auc ?? 0) - 0.75) < 1e-12)
        #expect(all.rmse == nil && ModelQuality(ofAll: []) == nil)
        let errors = [
            ModelQuality(records: 1, loss: 0, rmse: 3), ModelQuality(records: 1, loss: 0, rmse: 4),
        ]
        #expect(abs((ModelQuality(ofAll: errors)?.rmse ?? 0) - 12.5.squareRoot()) < 1e-12)
        #expect(!ModelQuality(records: 1, loss: .nan).isSound && all.isSound)
    }

    @Test("threads are the owner's to set, within reason")
    func threads() throws {
        let yaml = """
            name: north
            listen: 127.0.0.1:7100
            advertise: 127.0.0.1:7100
            admin: 127.0.0.1:7101
            """
        #expect(try NodeConfiguration(yaml: yaml).threads == nil)
        #expect(try NodeConfiguration(yaml: yaml + "\nthreads: 4").threads == 4)
        #expect(throws: ConfigurationError.self) {
            try NodeConfiguration(yaml: yaml + "\nthreads: 0")
        }
    }
}
