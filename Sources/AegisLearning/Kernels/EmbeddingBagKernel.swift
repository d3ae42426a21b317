import CLearning

/// The mean of the table's rows that a record's tokens name. A record's gradient has one row for
/// each different token: its share of the tokens times the gradient at the mean.
final class EmbeddingBagKernel: LayerKernel {
    private let width: Int
    private let buffers: LayerBuffers
    private let sum: Values
    private var parameters: UnsafePointer<Float>
    /// The tokens of the micro-batch without padding, each record's ascending.
    private var tokens: [Int32] = []
    private var starts: [Int] = [0]

    init(width: Int, buffers: LayerBuffers, sum: Values) {
        self.width = width
        self.buffers = buffers
        self.sum = sum
        parameters = UnsafePointer(sum)
    }

    func prepare(_ parameters: UnsafePointer<Float>) { self.parameters = parameters }

    /// Takes the tokens of the records at `indices`.
    func gather(_ values: [Int32], _ bounds: [Int], _ indices: ArraySlice<Int>) {
        tokens.removeAll(keepingCapacity: true)
        starts = [0]
        for index in indices {
            tokens += values[bounds[index]..<bounds[index + 1]].lazy.filter { $0 >= 0 }
            tokens[starts[starts.count - 1]...].sort()
            starts.append(tokens.count)
        }
    }

    private func tokens(of record: Int) -> ArraySlice<Int32> {
        tokens[starts[record]..<starts[record + 1]]
    }

    func forward(_ batch: MicroBatch) {
        for record in 0..<batch.records {
            let output = buffers.output + record * width
            output.update(repeating: 0, count: width)
            let tokens = tokens(of: record)
            for token in tokens {
                aegis_add_scaled(
                    output, parameters + Int(token) * width, 1 / Float(tokens.count), width)
            }
        }
    }

    func backward(_ batch: MicroBatch, toInput: Bool) {}

    func addSquaredNorms(_ batch: MicroBatch, to norms: Values) {
        for record in 0..<batch.records {
            let tokens = tokens(of: record)
            guard !tokens.isEmpty else { continue }
            // Σ over different tokens of (times / count)²
            var squares = 0
            var run = 0
            var last: Int32 = -1
            for token in tokens {
                run = token == last ? run + 1 : 1
                last = token
                // n² = 1 + 3 + … + (2n − 1)
                squares += 2 * run - 1
            }
            let share = Float(Double(squares) / Double(tokens.count * tokens.count))
            norms[record] +=
                aegis_squared_norm(buffers.outputGradient + record * width, width) * share
        }
    }

    func addGradients(_ batch: MicroBatch, factors: UnsafePointer<Float>?) {
        for record in 0..<batch.records where factors?[record] != 0 {
            let tokens = tokens(of: record)
            let share = (factors?[record] ?? 1) / Float(tokens.count)
            for token in tokens {
                aegis_add_scaled(
                    sum + Int(token) * width, buffers.outputGradient + record * width, share,
                    width)
            }
        }
    }
}
