import AegisLearning
import Testing

/// A model of few numbers for each kind of layer, and some that combine them.
struct ModelCase: CustomTestStringConvertible, Sendable {
    let name: String
    let input: TensorShape
    let layers: [Layer]
    var loss = Loss.crossEntropy

    var testDescription: String { name }

    func model() throws -> Model { try Model(input: input, layers: layers) }

    func records(count: Int, seed: UInt64) throws -> TestRecords {
        let model = try model()
        if case .embeddingBag(let vocabulary, _) = layers[0] {
            return try tokenRecords(
                count: count, vocabulary: vocabulary, most: 9, classes: model.outputs, seed: seed)
        }
        return try randomRecords(
            count: count, inputs: model.inputs ?? 0, outputs: model.outputs, loss: loss,
            seed: seed)
    }

    private static let image = TensorShape.image(channels: 3, height: 9, width: 8)

    static let all = [
        ModelCase(name: "softmax", input: .vector(13), layers: [.dense(outputs: 4)]),
        ModelCase(
            name: "linear regression", input: .vector(13), layers: [.dense(outputs: 3)],
            loss: .squaredError),
        ModelCase(
            name: "logistic regression", input: .vector(13), layers: [.dense(outputs: 1)],
            loss: .binaryCrossEntropy),
        ModelCase(
            name: "ReLU network", input: .vector(13),
            layers: [
                .dense(outputs: 20), .activation(.relu), .dense(outputs: 17), .activation(.relu),
                .dense(outputs: 4),
            ]),
        ModelCase(
            name: "wide tanh network", input: .vector(70),
            layers: [.dense(outputs: 33), .activation(.tanh), .dense(outputs: 18)]),
        ModelCase(
            name: "convolution with padding and stride", input: image,
            layers: [
                .convolution(channels: 5, kernel: 3, stride: 2, padding: 1), .activation(.relu),
                .dense(outputs: 4),
            ]),
        ModelCase(
            name: "two convolutions", input: image,
            layers: [
                .convolution(channels: 17, kernel: 3), .activation(.tanh),
                .convolution(channels: 35, kernel: 2, stride: 1, padding: 1), .activation(.relu),
                .dense(outputs: 4),
            ]),
        ModelCase(
            name: "pooling", input: image,
            layers: [
                .maxPool(size: 2, stride: 1), .convolution(channels: 4, kernel: 3),
                .maxPool(size: 2, stride: 2), .activation(.tanh),
                .averagePool(size: 2, stride: 1), .dense(outputs: 4),
            ]),
        ModelCase(
            name: "group norm", input: image,
            layers: [
                .convolution(channels: 6, kernel: 3), .groupNorm(groups: 3), .activation(.relu),
                .dense(outputs: 8), .groupNorm(groups: 2), .dense(outputs: 4),
            ]),
        ModelCase(
            name: "embedding bag", input: .tokens,
            layers: [
                .embeddingBag(vocabulary: 11, width: 6), .activation(.tanh), .dense(outputs: 3),
            ]),
    ]
}

@Suite("Per-record clipping by ghost norms (Goodfellow 2015; Li et al. 2021; Bu et al. 2022)")
struct GradientTests {
    /// The sum of gradients formed one by one, each clipped.
    static func clippedSum(_ gradients: [[Double]], _ clip: Double?) -> [Double] {
        var sum = [Double](repeating: 0, count: gradients[0].count)
        for gradient in gradients {
            let norm = gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
            let factor = clip.map { norm > $0 ? $0 / norm : 1 } ?? 1
            for index in sum.indices { sum[index] += factor * gradient[index] }
        }
        return sum
    }

    static func distance(_ ours: [Float], _ expected: [Double]) -> Double {
        let scale = expected.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return zip(ours, expected).reduce(0) {
            $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1)
        }.squareRoot() / max(scale, 1e-30)
    }

    @Test(
        "the clipped sum is that of gradients formed one by one, to 1e-5", arguments: ModelCase.all)
    func ghost(of test: ModelCase) throws {
        let model = try test.model()
        let records = try test.records(count: 23, seed: 5)
        let parameters = model.initialParameters(seed: 11)
        let naive = NaiveModel(model: model)
        let gradients = records.naive.map {
            naive.gradient(parameters.map(Double.init), $0, loss: test.loss).gradient
        }
        let norms = gradients.map { $0.reduce(0) { $0 + $1 * $1 }.squareRoot() }.sorted()
        // None, half and all of the records clipped; and no clipping at all.
        for clip in [norms[22] * 2, norms[11], norms[0] / 2, nil] as [Double?] {
            let expected = Self.clippedSum(gradients, clip)
            for microBatch in [1, 7, 23, 64] {
                let ours = model.gradientSum(
                    of: Array(0..<23), in: records.records, at: parameters, loss: test.loss,
                    clipNorm: clip.map { Float($0) }, microBatch: microBatch)
                let distance = Self.distance(ours, expected)
                #expect(distance <= 1e-5, "clip \(clip ?? 0), micro-batch \(microBatch)")
            }
        }
    }

    @Test("the oracle's own gradient is the slope of its loss", arguments: ModelCase.all)
    func finiteDifferences(of test: ModelCase) throws {
        let model = try test.model()
        let record = try test.records(count: 3, seed: 9).naive[2]
        let naive = NaiveModel(model: model)
        let parameters = model.initialParameters(seed: 2).map(Double.init)
        let gradient = naive.gradient(parameters, record, loss: test.loss).gradient
        for index in stride(from: 0, to: parameters.count, by: max(1, parameters.count / 60)) {
            var (up, down) = (parameters, parameters)
            up[index] += 1e-6
            down[index] -= 1e-6
            let slope =
                (naive.gradient(up, record, loss: test.loss).loss
                    - naive.gradient(down, record, loss: test.loss).loss) / 2e-6
            #expect(abs(slope - gradient[index]) < 1e-6)
        }
    }

    @Test(
        "no record's part is longer than the clip norm, whatever the parameters",
        arguments: ModelCase.all)
    func sensitivity(of test: ModelCase) throws {
        let model = try test.model()
        let records = try test.records(count: 12, seed: 6).records
        for scale in [1, 1e3, 1e12, 1e30] as [Float] {
            let parameters = model.initialParameters(seed: 3).map { $0 * scale }
            for record in 0..<12 {
                let sum = model.gradientSum(
                    of: [record], in: records, at: parameters, loss: test.loss, clipNorm: 0.5)
                let norm = sum.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
                #expect(norm <= 0.5, "scale \(scale) record \(record)")
            }
        }
    }

    @Test("an empty draw has a zero sum", arguments: ModelCase.all)
    func empty(of test: ModelCase) throws {
        let model = try test.model()
        let sum = model.gradientSum(
            of: [], in: try test.records(count: 3, seed: 1).records,
            at: model.initialParameters(seed: 0), loss: test.loss, clipNorm: 1)
        #expect(sum == [Float](repeating: 0, count: model.parameterCount))
    }

    @Test("a model's outputs, loss and accuracy are the oracle's", arguments: ModelCase.all)
    func evaluation(of test: ModelCase) throws {
        let model = try test.model()
        let records = try test.records(count: 60, seed: 8)
        let parameters = model.initialParameters(seed: 4)
        let naive = NaiveModel(model: model)
        let wide = parameters.map(Double.init)
        let outputs = records.naive.flatMap { naive.outputs(wide, $0) }
        for threads in [1, 3] {
            let ours = model.predictions(parameters, on: records.records, threads: threads)
            #expect(ours.count == outputs.count)
            #expect(zip(ours, outputs).allSatisfy { abs(Double($0) - $1) < 1e-4 })
            let loss = records.naive.reduce(0) {
                $0 + naive.gradient(wide, $1, loss: test.loss).loss / 60
            }
            let evaluation = model.evaluate(
                parameters, on: records.records, loss: test.loss, threads: threads)
            #expect(abs(evaluation.loss - loss) < 1e-5 * max(1, loss))
            #expect(evaluation.count == 60)
        }
    }
}

@Suite("Each way to a convolution's norms (Bu et al. 2022), and views of records (De et al. 2022)")
struct MixedGhostTests {
    private static let convolutions = ModelCase.all.filter { $0.name.contains("convolution") }

    @Test(
        "kept, Gram and twice formed give the same clipped sum",
        arguments: convolutions, ConvolutionNorm.allCases)
    func ways(of test: ModelCase, norm: ConvolutionNorm) throws {
        let model = try test.model()
        let records = try test.records(count: 9, seed: 21)
        let parameters = model.initialParameters(seed: 1)
        let naive = NaiveModel(model: model)
        let gradients = records.naive.map {
            naive.gradient(parameters.map(Double.init), $0, loss: test.loss).gradient
        }
        let norms = gradients.map { $0.reduce(0) { $0 + $1 * $1 }.squareRoot() }.sorted()
        let ours = model.gradientSum(
            of: Array(0..<9), in: records.records, at: parameters, loss: test.loss,
            clipNorm: Float(norms[4]), microBatch: 4, augmentation: nil, norm: norm)
        let expected = GradientTests.clippedSum(gradients, norms[4])
        #expect(GradientTests.distance(ours, expected) <= 1e-5)
    }

    @Test("the cheapest way follows from the sizes")
    func cheapest() {
        func way(_ positions: Int, _ taps: Int, _ outputs: Int, _ records: Int) -> ConvolutionNorm {
            .cheapest(positions: positions, taps: taps, outputs: outputs, recordsMax: records)
        }
        // The two convolutions of the small CNN; one whose gradient is large and positions few;
        // one of many positions whose gradients can't be kept.
        #expect(way(196, 64, 16, 32) == .kept)
        #expect(way(25, 256, 32, 32) == .kept)
        #expect(way(1, 4_608, 512, 32) == .gram)
        #expect(way(3_136, 576, 64, 4_096) == .twice)
    }

    /// Without shifts every view is the record itself, and the average of its gradients is its
    /// own.
    @Test(
        "K equal views are the record itself",
        arguments: convolutions, ConvolutionNorm.allCases)
    func equalViews(of test: ModelCase, norm: ConvolutionNorm) throws {
        let model = try test.model()
        let records = try test.records(count: 6, seed: 3).records
        let parameters = model.initialParameters(seed: 1)
        func sum(_ augmentation: Augmentation?) -> [Float] {
            model.gradientSum(
                of: Array(0..<6), in: records, at: parameters, loss: test.loss, clipNorm: 0.3,
                microBatch: 12, augmentation: augmentation, norm: norm)
        }
        let one = sum(nil)
        let many = sum(Augmentation(views: 4))
        #expect(GradientTests.distance(many, one.map(Double.init)) <= 1e-5)
    }

    @Test("different views are averaged before the clip")
    func views() throws {
        let shape = TensorShape.image(channels: 2, height: 5, width: 6)
        let model = try Model(
            input: shape,
            layers: [
                .convolution(channels: 3, kernel: 3), .activation(.tanh), .dense(outputs: 20),
                .activation(.tanh), .dense(outputs: 3),
            ])
        let records = try randomRecords(
            count: 5, inputs: 60, outputs: 3, loss: .crossEntropy, seed: 2
        ).records
        let parameters = model.initialParameters(seed: 1)
        let all = Augmentation(views: 6, shift: 2, mirror: true)
        func sum(_ record: Int, _ clip: Float?) -> [Float] {
            model.gradientSum(
                of: [record], in: records, at: parameters, loss: .crossEntropy, clipNorm: clip,
                microBatch: 6, augmentation: all, norm: nil)
        }
        for record in 0..<5 {
            let whole = sum(record, nil)
            let norm = whole.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            let plain = model.gradientSum(
                of: [record], in: records, at: parameters, clipNorm: nil)
            #expect(whole != plain)
            let clip = Float(norm / 3)
            let expected = whole.map { Double($0) / 3 }
            #expect(GradientTests.distance(sum(record, clip), expected) <= 1e-5)
        }
    }
}
