import AegisLearning
import Testing

@Suite("Per-record clipping by ghost norms (Goodfellow 2015; Bu et al. 2023)")
struct GradientTests {
    static let shapes: [[Int]] = [[], [7], [16, 5], [9, 8, 7]]

    @Test("the clipped sum is that of gradients formed one by one, to 1e-5", arguments: shapes)
    func ghost(hidden: [Int]) throws {
        let (records, inputs, labels) = try testRecords(
            count: 50, inputs: 13, classes: 4, seed: 5)
        let network = try #require(Network(inputs: 13, hidden: hidden, classes: 4))
        let parameters = network.initialParameters(seed: 11)
        let naive = NaiveNetwork(widths: network.widths)
        let gradients = zip(inputs, labels).map {
            naive.gradient(parameters.map(Double.init), input: $0, label: $1).gradient
        }
        let norms = gradients.map { $0.reduce(0) { $0 + $1 * $1 }.squareRoot() }.sorted()
        // None, half and all of the records clipped; and no clipping at all.
        for clip in [norms[49] * 2, norms[25], norms[0] / 2, nil] as [Double?] {
            var expected = [Double](repeating: 0, count: network.parameterCount)
            for gradient in gradients {
                let norm = gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
                let factor = clip.map { min(1, $0 / norm) } ?? 1
                for index in expected.indices { expected[index] += factor * gradient[index] }
            }
            let scale = expected.map(abs).max() ?? 1
            for microBatch in [1, 7, 50, 256] {
                let ours = network.gradientSum(
                    of: Array(0..<50), in: records, at: parameters,
                    clipNorm: clip.map { Float($0) }, microBatch: microBatch)
                for (ours, expected) in zip(ours, expected) {
                    // The clip's safety margin is 6e-5.
                    #expect(abs(Double(ours) - expected) <= 1e-4 * scale)
                }
            }
        }
    }

    @Test("the oracle's own gradient is the slope of its loss")
    func finiteDifferences() throws {
        let (_, inputs, labels) = try testRecords(count: 1, inputs: 5, classes: 3, seed: 9)
        let network = try #require(Network(inputs: 5, hidden: [6, 4], classes: 3))
        let naive = NaiveNetwork(widths: network.widths)
        let parameters = network.initialParameters(seed: 2).map(Double.init)
        let gradient = naive.gradient(parameters, input: inputs[0], label: labels[0]).gradient
        for index in parameters.indices {
            var (up, down) = (parameters, parameters)
            up[index] += 1e-6
            down[index] -= 1e-6
            let slope =
                (naive.gradient(up, input: inputs[0], label: labels[0]).loss
                    - naive.gradient(down, input: inputs[0], label: labels[0]).loss) / 2e-6
            #expect(abs(slope - gradient[index]) < 1e-6)
        }
    }

    @Test("no record's contribution is longer than the clip norm, whatever the parameters")
    func sensitivity() throws {
        let (records, _, _) = try testRecords(count: 40, inputs: 13, classes: 4, seed: 6)
        let network = try #require(Network(inputs: 13, hidden: [16, 8], classes: 4))
        for scale in [1, 1e3, 1e12, 1e30] as [Float] {
            let parameters = network.initialParameters(seed: 3).map { $0 * scale }
            for record in 0..<40 {
                let sum = network.gradientSum(
                    of: [record], in: records, at: parameters, clipNorm: 0.5)
                let norm = sum.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
                #expect(norm <= 0.5, "scale \(scale) record \(record)")
            }
        }
    }

    @Test("an empty draw has a zero sum")
    func empty() throws {
        let (records, _, _) = try testRecords(count: 3, inputs: 4, classes: 2, seed: 1)
        let network = try #require(Network(inputs: 4, classes: 2))
        let sum = network.gradientSum(
            of: [], in: records, at: network.initialParameters(seed: 0), clipNorm: 1)
        #expect(sum == [Float](repeating: 0, count: 10))
    }
}

@Suite("The network")
struct NetworkTests {
    @Test("parameters have names and shapes that fill the flat vector")
    func layout() throws {
        let network = try #require(Network(inputs: 784, hidden: [256, 128], classes: 10))
        #expect(network.parameterCount == 235_146)
        #expect(network.tensors.reduce(0) { $0 + $1.count } == 235_146)
        #expect(network.tensors[0] == .init(name: "layers.0.weight", shape: [256, 784]))
        #expect(network.tensors[5] == .init(name: "layers.2.bias", shape: [10]))
        #expect(Network(inputs: 0, classes: 10) == nil)
        #expect(Network(inputs: 1 << 20, hidden: [1 << 20], classes: 10) == nil)
    }

    // The numbers come from NumPy in float32.
    @Test("initial parameters are the same bits everywhere")
    func initialisation() throws {
        let network = try #require(Network(inputs: 784, hidden: [64], classes: 10))
        let parameters = network.initialParameters(seed: 42)
        let fingerprint = parameters.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
            ($0 ^ UInt64($1.bitPattern)) &* 0x100_0000_01b3
        }
        #expect(fingerprint == 3_020_107_754_029_121_634)
        #expect(parameters[784 * 64..<785 * 64].allSatisfy { $0 == 0 })
    }

    @Test("loss and accuracy are the oracle's")
    func evaluation() throws {
        let (records, inputs, labels) = try testRecords(
            count: 300, inputs: 13, classes: 4, seed: 8)
        let network = try #require(Network(inputs: 13, hidden: [12], classes: 4))
        let parameters = network.initialParameters(seed: 4)
        let naive = NaiveNetwork(widths: network.widths)
        let losses = zip(inputs, labels).map {
            naive.gradient(parameters.map(Double.init), input: $0, label: $1).loss
        }
        let evaluation = network.evaluate(parameters, on: records)
        #expect(abs(evaluation.loss - losses.reduce(0, +) / 300) < 1e-5)
        #expect(evaluation.count == 300)
        #expect(evaluation.accuracy > 0 && evaluation.accuracy < 1)
    }
}
