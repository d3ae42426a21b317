import AegisLearning
import Foundation
import Testing

/// Fixtures/torch_reference.py made the figures.
@Suite("PyTorch's figures on the same weights")
struct TorchTests {
    struct Reference: Decodable {
        let model: String
        let clip: Float
        let parameters: Int
        let logits: [Float]
        let loss: Double
        let norms: [Double]
        let gradient: [Double]
        let clipped: [Double]
    }

    private func references() throws -> [Reference] {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Fixtures/torch_reference.json")
        return try JSONDecoder().decode([Reference].self, from: Data(contentsOf: file))
    }

    private func records() throws -> Records {
        var generator = SplitMix64(seed: 9)
        let pixels = (0..<8 * 784).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        let labels = (0..<8).map { _ in UInt8(generator.next() % 10) }
        return try Records(features: pixels, labels: labels, classes: 10)
    }

    @Test(
        "outputs, loss, norms, gradients and clipped gradients to 1e-4", arguments: ["mlp", "cnn"])
    func agreement(name: String) throws {
        let expected = try #require(try references().first { $0.model == name })
        let model =
            name == "cnn"
            ? try Model.tanhConvolutional()
            : try Model.multilayerPerceptron(inputs: 784, hidden: [256, 128], classes: 10)
        #expect(model.parameterCount == expected.parameters)
        let parameters = model.initialParameters(seed: 5)
        let records = try records()
        let logits = model.predictions(parameters, on: records)
        #expect(zip(logits, expected.logits).allSatisfy { abs($0 - $1) < 1e-4 })
        #expect(abs(model.evaluate(parameters, on: records).loss - expected.loss) < 1e-4)
        for (record, norm) in expected.norms.enumerated() {
            let own = model.gradientSum(of: [record], in: records, at: parameters, clipNorm: nil)
            let ours = own.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            #expect(abs(ours - norm) < 1e-4 * norm)
        }
        for (clip, values) in [(nil, expected.gradient), (expected.clip, expected.clipped)] {
            let ours = model.gradientSum(
                of: Array(0..<8), in: records, at: parameters, clipNorm: clip)
            let kept = stride(from: 0, to: ours.count, by: 97).map { ours[$0] }
            #expect(kept.count == values.count)
            #expect(GradientTests.distance(kept, values) < 1e-4)
        }
    }
}
