import AegisLearning

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The oracle: the same network in binary64, one record at a time, each gradient formed in full.
struct NaiveNetwork {
    let widths: [Int]

    /// The loss of one record and its whole gradient, laid out as the flat vector is.
    func gradient(
        _ parameters: [Double], input: [Double], label: Int
    ) -> (loss: Double, gradient: [Double]) {
        var activations = [input]
        var offset = 0
        var offsets: [Int] = []
        for layer in 0..<widths.count - 1 {
            let (inputs, outputs) = (widths[layer], widths[layer + 1])
            offsets.append(offset)
            let output = (0..<outputs).map { row in
                var sum = parameters[offset + inputs * outputs + row]
                for column in 0..<inputs {
                    sum += parameters[offset + row * inputs + column] * activations[layer][column]
                }
                return layer < widths.count - 2 ? max(0, sum) : sum
            }
            activations.append(output)
            offset += (inputs + 1) * outputs
        }
        let scores = activations[widths.count - 1]
        let exponentials = scores.map { exp($0 - (scores.max() ?? 0)) }
        let total = exponentials.reduce(0, +)
        var delta = exponentials.map { $0 / total }
        let loss = -log(delta[label])
        delta[label] -= 1
        var gradient = [Double](repeating: 0, count: offset)
        for layer in (0..<widths.count - 1).reversed() {
            let (inputs, outputs) = (widths[layer], widths[layer + 1])
            let start = offsets[layer]
            for row in 0..<outputs {
                for column in 0..<inputs {
                    gradient[start + row * inputs + column] =
                        delta[row] * activations[layer][column]
                }
                gradient[start + inputs * outputs + row] = delta[row]
            }
            delta = (0..<inputs).map { column in
                guard layer == 0 || activations[layer][column] > 0 else { return 0 }
                return (0..<outputs).reduce(0) {
                    $0 + delta[$1] * parameters[start + $1 * inputs + column]
                }
            }
        }
        return (loss, gradient)
    }
}

/// Random records whose classes can be told apart.
func testRecords(
    count: Int, inputs: Int, classes: Int, seed: UInt64
) throws -> (records: Records, inputs: [[Double]], labels: [Int]) {
    var generator = SplitMix64(seed: seed)
    let centres = (0..<classes).map { _ in
        (0..<inputs).map { _ in Int(generator.next() % 156) + 50 }
    }
    var features: [UInt8] = []
    var labels: [UInt8] = []
    for _ in 0..<count {
        let label = Int(generator.next() % UInt64(classes))
        labels.append(UInt8(label))
        for column in 0..<inputs {
            features.append(UInt8(centres[label][column] + Int(generator.next() % 99) - 49))
        }
    }
    let records = try Records(features: features, labels: labels, classes: classes)
    let scaling = FeatureScaling.centred
    let rows = (0..<count).map { row in
        (0..<inputs).map {
            Double(Float(features[row * inputs + $0]) * scaling.scale + scaling.offset)
        }
    }
    return (records, rows, labels.map(Int.init))
}
