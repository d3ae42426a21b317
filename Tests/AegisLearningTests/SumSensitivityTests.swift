import AegisCore
import AegisLearning
import AegisPrivacy
import Testing

@Suite("The clipped sum's sensitivity")
struct SumSensitivityTests {
    /// Records of any length: some whose gradients are clipped, some tiny, some repeated.
    private func records(_ count: Int, using generator: inout SplitMix64) throws -> Records {
        let inputs = 24
        var features: [Float] = []
        for record in 0..<count {
            let reach: Float = [0, 0.001, 0.3, 1, 40][record % 5]
            features += FastNormals.normals(inputs, using: &generator).map { $0 * reach }
        }
        return try Records(
            features: .floats(features),
            targets: .classes((0..<count).map { UInt8($0 % 3) }, count: 3), inputs: inputs)
    }

    @Test(
        "one record more or less moves the sum by at most C and the roundings that are charged",
        arguments: [Float(0.1), 1, 7.5])
    func property(clipNorm: Float) throws {
        var generator = SplitMix64(seed: UInt64(clipNorm * 10))
        let model = try Model.multilayerPerceptron(inputs: 24, hidden: [16], classes: 3)
        let (batch, rows) = (150, 32)
        let records = try records(batch + 1, using: &generator)
        let exact = try #require(
            ClippedSumNoise(
                noise: .exact, noiseMultiplier: 1, clipNorm: Double(clipNorm),
                count: model.parameterCount, expectedBatch: batch, microBatch: rows))
        for trial in 0..<20 {
            let parameters = model.initialParameters(seed: UInt64(trial))
            func sum(_ indices: [Int]) -> [Float] {
                model.gradientSum(
                    of: indices, in: records, at: parameters, clipNorm: clipNorm,
                    microBatch: rows)
            }
            let others = (0..<batch).filter { _ in generator.next() & 3 != 0 }
            let (without, with) = (sum(others), sum(others + [batch]))
            let squared = zip(with, without).reduce(0.0) {
                $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1)
            }
            #expect(squared.squareRoot() <= exact.sensitivity, "trial \(trial)")
            // Removing one from the front shifts all micro-batches.
            let shifted = sum(Array(others.dropFirst()))
            let moved = zip(without, shifted).reduce(0.0) {
                $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1)
            }
            #expect(moved.squareRoot() <= exact.sensitivity, "trial \(trial)")
        }
        #expect(exact.sensitivity < Double(clipNorm) * 1.03)
    }
}
