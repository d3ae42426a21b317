import AegisLearning

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The oracle: the same model in binary64, one record at a time, each gradient formed in full, by
/// the definitions and without a thought for speed.
struct NaiveModel {
    let model: Model

    /// One record: its values channel by channel, or its tokens, and its target.
    struct Record {
        var values: [Double] = []
        var tokens: [Int] = []
        var label = 0
        var targets: [Double] = []
    }

    /// What a layer did to a record.
    private struct Trace {
        let layer: Layer
        let shape: TensorShape
        let next: TensorShape
        let offset: Int
        let input: [Double]
        let output: [Double]
    }

    func outputs(_ parameters: [Double], _ record: Record) -> [Double] {
        trace(parameters, record).last?.output ?? []
    }

    private func trace(_ parameters: [Double], _ record: Record) -> [Trace] {
        var values = record.values
        var traces: [Trace] = []
        var offset = 0
        for (index, layer) in model.layers.enumerated() {
            let (shape, next) = (model.shapes[index], model.shapes[index + 1])
            let output = forward(layer, shape, next, parameters, offset, values, record)
            traces.append(
                Trace(
                    layer: layer, shape: shape, next: next, offset: offset, input: values,
                    output: output))
            offset += parameterCount(layer, shape)
            values = output
        }
        return traces
    }

    private func parameterCount(_ layer: Layer, _ shape: TensorShape) -> Int {
        switch (layer, shape) {
        case (.dense(let outputs), _): ((shape.count ?? 0) + 1) * outputs
        case (.convolution(let channels, let kernel, _, _), .image(let inputs, _, _)):
            (inputs * kernel * kernel + 1) * channels
        case (.groupNorm, .image(let channels, _, _)): 2 * channels
        case (.groupNorm, .vector(let count)): 2 * count
        case (.embeddingBag(let vocabulary, let width), _): vocabulary * width
        default: 0
        }
    }

    private func forward(
        _ layer: Layer, _ shape: TensorShape, _ next: TensorShape, _ p: [Double], _ offset: Int,
        _ x: [Double], _ record: Record
    ) -> [Double] {
        switch layer {
        case .dense(let outputs):
            return (0..<outputs).map { row in
                x.indices.reduce(p[offset + x.count * outputs + row]) {
                    $0 + p[offset + row * x.count + $1] * x[$1]
                }
            }
        case .activation(.relu): return x.map { max(0, $0) }
        case .activation(.tanh): return x.map { tanh($0) }
        case .convolution(let channels, _, _, _):
            var y = [Double](repeating: 0, count: next.count ?? 0)
            forEachProduct(layer, shape, next) { input, weight, output in
                y[output] += x[input] * p[offset + weight]
            }
            let bias = offset + parameterCount(layer, shape) - channels
            let points = y.count / channels
            for index in y.indices { y[index] += p[bias + index / points] }
            return y
        case .maxPool:
            var y = [Double](repeating: -.infinity, count: next.count ?? 0)
            forEachPair(layer, shape, next) { input, output in y[output] = max(y[output], x[input])
            }
            return y
        case .averagePool(let size, _):
            var y = [Double](repeating: 0, count: next.count ?? 0)
            forEachPair(layer, shape, next) { input, output in
                y[output] += x[input] / Double(size * size)
            }
            return y
        case .groupNorm:
            let (hat, _) = normalized(layer, shape, x)
            let (channels, points) = planes(shape)
            return x.indices.map {
                hat[$0] * p[offset + $0 / points] + p[offset + channels + $0 / points]
            }
        case .embeddingBag(_, let width):
            var y = [Double](repeating: 0, count: width)
            for token in record.tokens {
                for column in 0..<width {
                    y[column] += p[offset + token * width + column] / Double(record.tokens.count)
                }
            }
            return y
        case .batchNorm: return []
        }
    }

    private func planes(_ shape: TensorShape) -> (channels: Int, points: Int) {
        switch shape {
        case .image(let channels, let height, let width): (channels, height * width)
        case .vector(let count): (count, 1)
        case .tokens: (0, 0)
        }
    }

    private func normalized(
        _ layer: Layer, _ shape: TensorShape, _ x: [Double]
    ) -> (hat: [Double], inverse: [Double]) {
        guard case .groupNorm(let groups) = layer else { return ([], []) }
        let size = x.count / groups
        var (hat, inverse) = (x, x)
        for group in 0..<groups {
            let of = group * size..<(group + 1) * size
            let mean = x[of].reduce(0, +) / Double(size)
            let variance = x[of].reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(size)
            for index in of {
                inverse[index] = 1 / (variance + 1e-5).squareRoot()
                hat[index] = (x[index] - mean) * inverse[index]
            }
        }
        return (hat, inverse)
    }

    /// The offsets of every input, weight and output that a convolution multiplies and adds.
    private func forEachProduct(
        _ layer: Layer, _ shape: TensorShape, _ next: TensorShape, _ body: (Int, Int, Int) -> Void
    ) {
        guard case .convolution(let channels, let kernel, let stride, let padding) = layer,
            case .image(let inputs, let height, let width) = shape,
            case .image(_, let rows, let columns) = next
        else { return }
        for c in 0..<channels {
            for y in 0..<rows {
                for x in 0..<columns {
                    for i in 0..<inputs {
                        for dy in 0..<kernel {
                            for dx in 0..<kernel {
                                let (row, column) = (
                                    y * stride + dy - padding, x * stride + dx - padding
                                )
                                guard (0..<height).contains(row), (0..<width).contains(column)
                                else { continue }
                                body(
                                    (i * height + row) * width + column,
                                    ((c * inputs + i) * kernel + dy) * kernel + dx,
                                    (c * rows + y) * columns + x)
                            }
                        }
                    }
                }
            }
        }
    }

    private func forEachPair(
        _ layer: Layer, _ shape: TensorShape, _ next: TensorShape, _ body: (Int, Int) -> Void
    ) {
        let (size, stride): (Int, Int)
        switch layer {
        case .maxPool(let s, let t), .averagePool(let s, let t): (size, stride) = (s, t)
        default: return
        }
        guard case .image(let channels, let height, let width) = shape,
            case .image(_, let rows, let columns) = next
        else { return }
        for c in 0..<channels {
            for y in 0..<rows {
                for x in 0..<columns {
                    for dy in 0..<size {
                        for dx in 0..<size {
                            body(
                                (c * height + y * stride + dy) * width + x * stride + dx,
                                (c * rows + y) * columns + x)
                        }
                    }
                }
            }
        }
    }
}

extension NaiveModel {
    /// The loss of one record and its whole gradient, laid out as the flat vector is.
    func gradient(
        _ parameters: [Double], _ record: Record, loss: Loss = .crossEntropy
    ) -> (loss: Double, gradient: [Double]) {
        let traces = trace(parameters, record)
        var (total, delta) = lossGradient(traces[traces.count - 1].output, record, loss)
        var gradient = [Double](repeating: 0, count: parameters.count)
        for trace in traces.reversed() {
            delta = backward(trace, parameters, record, delta, &gradient)
        }
        if total == -0.0 { total = 0 }
        return (total, gradient)
    }

    private func lossGradient(
        _ z: [Double], _ record: Record, _ loss: Loss
    ) -> (Double, [Double]) {
        let targets =
            record.targets.isEmpty && loss != .crossEntropy
            ? [Double(record.label)] : record.targets
        let count = Double(z.count)
        switch loss {
        case .crossEntropy:
            let largest = z.max() ?? 0
            let exponentials = z.map { exp($0 - largest) }
            let total = exponentials.reduce(0, +)
            var delta = exponentials.map { $0 / total }
            let value = -log(delta[record.label])
            delta[record.label] -= 1
            return (value, delta)
        case .binaryCrossEntropy:
            return (
                zip(z, targets).reduce(0) { $0 + (log(1 + exp($1.0)) - $1.1 * $1.0) / count },
                zip(z, targets).map { (1 / (1 + exp(-$0)) - $1) / count }
            )
        case .squaredError:
            return (
                zip(z, targets).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) / count },
                zip(z, targets).map { 2 * ($0 - $1) / count }
            )
        }
    }

    private func backward(
        _ trace: Trace, _ p: [Double], _ record: Record, _ delta: [Double],
        _ gradient: inout [Double]
    ) -> [Double] {
        let (x, offset) = (trace.input, trace.offset)
        var result = [Double](repeating: 0, count: x.count)
        switch trace.layer {
        case .dense(let outputs):
            for row in 0..<outputs {
                for column in x.indices {
                    gradient[offset + row * x.count + column] += delta[row] * x[column]
                    result[column] += delta[row] * p[offset + row * x.count + column]
                }
                gradient[offset + x.count * outputs + row] += delta[row]
            }
        case .activation(.relu):
            for index in x.indices where x[index] > 0 { result[index] = delta[index] }
        case .activation(.tanh):
            for index in x.indices {
                result[index] = delta[index] * (1 - trace.output[index] * trace.output[index])
            }
        case .convolution(let channels, _, _, _):
            forEachProduct(trace.layer, trace.shape, trace.next) { input, weight, output in
                gradient[offset + weight] += x[input] * delta[output]
                result[input] += p[offset + weight] * delta[output]
            }
            let bias = offset + parameterCount(trace.layer, trace.shape) - channels
            let points = delta.count / channels
            for index in delta.indices { gradient[bias + index / points] += delta[index] }
        case .maxPool:
            var taken = Set<Int>()
            forEachPair(trace.layer, trace.shape, trace.next) { input, output in
                guard x[input] == trace.output[output], taken.insert(output).inserted else {
                    return
                }
                result[input] += delta[output]
            }
        case .averagePool(let size, _):
            forEachPair(trace.layer, trace.shape, trace.next) { input, output in
                result[input] += delta[output] / Double(size * size)
            }
        case .groupNorm(let groups):
            let (hat, inverse) = normalized(trace.layer, trace.shape, x)
            let (channels, points) = planes(trace.shape)
            let size = x.count / groups
            for index in x.indices {
                gradient[offset + index / points] += delta[index] * hat[index]
                gradient[offset + channels + index / points] += delta[index]
            }
            for group in 0..<groups {
                let of = group * size..<(group + 1) * size
                let slopes = of.map { delta[$0] * p[offset + $0 / points] }
                let mean = slopes.reduce(0, +) / Double(size)
                let along = zip(slopes, of).reduce(0) { $0 + $1.0 * hat[$1.1] } / Double(size)
                for (slope, index) in zip(slopes, of) {
                    result[index] = inverse[index] * (slope - mean - hat[index] * along)
                }
            }
        case .embeddingBag(_, let width):
            for token in record.tokens {
                for column in 0..<width {
                    gradient[offset + token * width + column] +=
                        delta[column] / Double(record.tokens.count)
                }
            }
        case .batchNorm: break
        }
        return result
    }
}
