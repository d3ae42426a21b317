import CLearning

/// y = γ x̂ + β with x̂ of mean 0 and variance 1 in each group of channels of a row (Wu and He
/// 2018). A record's gradient is 2 · channels numbers, which are formed.
final class GroupNormKernel: LayerKernel {
    private static let epsilon: Float = 1e-5

    private let points: Int
    private let channels: Int
    private let groups: Int
    private let buffers: LayerBuffers
    /// The layer's part of the sum: the scales, then the shifts.
    private let sum: Values
    private var parameters: UnsafePointer<Float>
    private let normalized: Values
    private let inverseDeviations: Values
    private let kept: Values

    init(
        points: Int, channels: Int, groups: Int, buffers: LayerBuffers, sum: Values,
        rowsMax: Int, arena: Arena
    ) {
        self.points = points
        self.channels = channels
        self.groups = groups
        self.buffers = buffers
        self.sum = sum
        parameters = UnsafePointer(sum)
        normalized = arena.floats(rowsMax * points * channels)
        inverseDeviations = arena.floats(rowsMax * groups)
        kept = arena.floats(rowsMax * 2 * channels)
    }

    func prepare(_ parameters: UnsafePointer<Float>) { self.parameters = parameters }

    private var count: Int { points * channels }
    private var members: Int { channels / groups }

    func forward(_ batch: MicroBatch) {
        let (scale, shift) = (parameters, parameters + channels)
        for row in 0..<batch.rows {
            let input = buffers.input + row * count
            let (hat, output) = (normalized + row * count, buffers.output + row * count)
            for group in 0..<groups {
                let of = group * members..<(group + 1) * members
                var (total, squares) = (0.0, 0.0)
                forEach(of) { at, _ in total += Double(input[at]) }
                let mean = total / Double(points * members)
                forEach(of) { at, _ in
                    let distance = Double(input[at]) - mean
                    squares += distance * distance
                }
                let variance = Float(squares / Double(points * members))
                let inverse = 1 / (variance + Self.epsilon).squareRoot()
                inverseDeviations[row * groups + group] = inverse
                forEach(of) { at, channel in
                    let value = (input[at] - Float(mean)) * inverse
                    hat[at] = value
                    output[at] = value * scale[channel] + shift[channel]
                }
            }
        }
    }

    private func forEach(_ of: Range<Int>, _ body: (Int, Int) -> Void) {
        for point in 0..<points {
            for channel in of { body(point * channels + channel, channel) }
        }
    }

    func backward(_ batch: MicroBatch, toInput: Bool) {
        for row in 0..<batch.rows {
            keep(row, of: row / batch.views, isFirst: row % batch.views == 0)
            guard toInput else { continue }
            let hat = normalized + row * count
            let gradient = buffers.outputGradient + row * count
            let result = buffers.inputGradient + row * count
            for group in 0..<groups {
                let of = group * members..<(group + 1) * members
                var (total, projected) = (0.0, 0.0)
                forEach(of) { at, channel in
                    let slope = Double(gradient[at] * parameters[channel])
                    total += slope
                    projected += slope * Double(hat[at])
                }
                let mean = Float(total / Double(points * members))
                let along = Float(projected / Double(points * members))
                let inverse = inverseDeviations[row * groups + group]
                forEach(of) { at, channel in
                    let slope = gradient[at] * parameters[channel]
                    result[at] = inverse * (slope - mean - hat[at] * along)
                }
            }
        }
    }

    private func keep(_ row: Int, of record: Int, isFirst: Bool) {
        let hat = normalized + row * count
        let gradient = buffers.outputGradient + row * count
        let scales = kept + record * 2 * channels
        let shifts = scales + channels
        if isFirst { scales.update(repeating: 0, count: 2 * channels) }
        forEach(0..<channels) { at, channel in
            scales[channel] += gradient[at] * hat[at]
            shifts[channel] += gradient[at]
        }
    }

    func addSquaredNorms(_ batch: MicroBatch, to norms: Values) {
        for record in 0..<batch.records {
            norms[record] += aegis_squared_norm(kept + record * 2 * channels, 2 * channels)
        }
    }

    func addGradients(_ batch: MicroBatch, factors: UnsafePointer<Float>?) {
        for record in 0..<batch.records where factors?[record] != 0 {
            aegis_add_scaled(
                sum, kept + record * 2 * channels, factors?[record] ?? 1, 2 * channels)
        }
    }
}
