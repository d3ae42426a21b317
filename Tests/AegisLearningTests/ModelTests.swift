import AegisLearning
import Testing

@Suite("Models")
struct ModelTests {
    @Test("parameters have names and shapes that fill the flat vector")
    func layout() throws {
        let model = try Model.multilayerPerceptron(inputs: 784, hidden: [256, 128], classes: 10)
        #expect(model.parameterCount == 235_146)
        #expect(model.tensors.reduce(0) { $0 + $1.count } == 235_146)
        #expect(model.tensors[0] == .init(name: "layers.0.weight", shape: [256, 784]))
        #expect(model.tensors[5] == .init(name: "layers.2.bias", shape: [10]))
        #expect(model.outputs == 10)
        let convolutional = try Model.tanhConvolutional()
        #expect(convolutional.parameterCount == 26_010)
        #expect(convolutional.tensors[2] == .init(name: "layers.1.weight", shape: [32, 16, 4, 4]))
    }

    @Test("what can't be a model says where and why")
    func refused() throws {
        #expect(throws: ModelError.invalidInput(.vector(0))) {
            try Model.softmax(inputs: 0, classes: 10)
        }
        #expect(throws: ModelError.tooManyParameters(max: 1 << 28)) {
            try Model.multilayerPerceptron(inputs: 1 << 20, hidden: [1 << 20], classes: 10)
        }
        #expect(throws: ModelError.noParameters) {
            try Model(input: .vector(3), layers: [.activation(.relu)])
        }
        let image = TensorShape.image(channels: 1, height: 4, width: 4)
        let large = Layer.convolution(channels: 2, kernel: 5)
        #expect(throws: ModelError.shapeDoesNotFit(layer: 0, large, image)) {
            try Model(input: image, layers: [large, .dense(outputs: 2)])
        }
        #expect(throws: ModelError.shapeDoesNotFit(layer: 0, large, .vector(16))) {
            try Model(input: .vector(16), layers: [large])
        }
        #expect(throws: ModelError.endsInNoVector(.image(channels: 2, height: 2, width: 2))) {
            try Model(input: image, layers: [.convolution(channels: 2, kernel: 3)])
        }
        #expect(throws: ModelError.invalidLayer(0, .groupNorm(groups: 3))) {
            try Model(input: .vector(16), layers: [.groupNorm(groups: 3), .dense(outputs: 2)])
        }
    }

    @Test("batch normalisation is refused: it mixes records")
    func batchNorm() {
        #expect(throws: ModelError.batchNormalisation(layer: 1)) {
            try Model(
                input: .vector(4),
                layers: [.dense(outputs: 4), .batchNorm, .dense(outputs: 2)])
        }
    }

    // The numbers come from NumPy in float32.
    @Test("initial parameters are the same bits everywhere")
    func initialisation() throws {
        let model = try Model.multilayerPerceptron(inputs: 784, hidden: [64], classes: 10)
        let parameters = model.initialParameters(seed: 42)
        let fingerprint = parameters.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
            ($0 ^ UInt64($1.bitPattern)) &* 0x100_0000_01b3
        }
        #expect(fingerprint == 3_020_107_754_029_121_634)
        #expect(parameters[784 * 64..<785 * 64].allSatisfy { $0 == 0 })
    }

    @Test("records that do not suit a model or a loss are told apart")
    func fitting() throws {
        let model = try Model.softmax(inputs: 5, classes: 3)
        let good = try randomRecords(
            count: 4, inputs: 5, outputs: 3, loss: .crossEntropy, seed: 1
        ).records
        let numbers = try randomRecords(
            count: 4, inputs: 5, outputs: 3, loss: .squaredError, seed: 1
        ).records
        let tokens = try tokenRecords(
            count: 4, vocabulary: 9, most: 5, classes: 3, seed: 1
        ).records
        #expect(model.fits(good, loss: .crossEntropy))
        #expect(!model.fits(good, loss: .squaredError))
        #expect(!model.fits(numbers, loss: .crossEntropy))
        #expect(model.fits(numbers, loss: .squaredError))
        #expect(!model.fits(tokens, loss: .crossEntropy))
        let bag = try Model(
            input: .tokens, layers: [.embeddingBag(vocabulary: 9, width: 2), .dense(outputs: 3)])
        #expect(bag.fits(tokens, loss: .crossEntropy))
        let small = try Model(
            input: .tokens, layers: [.embeddingBag(vocabulary: 2, width: 2), .dense(outputs: 3)])
        #expect(!small.fits(tokens, loss: .crossEntropy))
        #expect(!bag.fits(good, loss: .crossEntropy))
    }
}
