import CLearning

/// The largest value or the mean under a square window.
final class PoolingKernel: LayerKernel {
    enum Kind { case maximum, mean }

    private let kind: Kind
    private var shape: aegis_pooling
    private let inputCount: Int
    private let outputCount: Int
    private let buffers: LayerBuffers

    init(
        _ kind: Kind, channels: Int, height: Int, width: Int, size: Int, stride: Int,
        buffers: LayerBuffers
    ) {
        self.kind = kind
        let (rows, columns) = ((height - size) / stride + 1, (width - size) / stride + 1)
        shape = aegis_pooling(
            width: width, channels: channels, size: size, stride: stride, output_height: rows,
            output_width: columns)
        inputCount = channels * height * width
        outputCount = channels * rows * columns
        self.buffers = buffers
    }

    func forward(_ batch: MicroBatch) {
        for row in 0..<batch.rows {
            let image = buffers.input + row * inputCount
            let output = buffers.output + row * outputCount
            switch kind {
            case .maximum: aegis_max_pool(&shape, image, output)
            case .mean: mean(image, output)
            }
        }
    }

    func backward(_ batch: MicroBatch, toInput: Bool) {
        guard toInput else { return }
        for row in 0..<batch.rows {
            let target = buffers.inputGradient + row * inputCount
            let gradient = buffers.outputGradient + row * outputCount
            target.update(repeating: 0, count: inputCount)
            switch kind {
            case .maximum:
                aegis_max_pool_gradient(
                    &shape, buffers.input + row * inputCount, buffers.output + row * outputCount,
                    gradient, target)
            case .mean: spread(gradient, target)
            }
        }
    }

    private func mean(_ image: Values, _ output: Values) {
        output.update(repeating: 0, count: outputCount)
        forEachPair { point, output_ in
            aegis_add_scaled(output + output_, image + point, share, shape.channels)
        }
    }

    private func spread(_ gradient: Values, _ target: Values) {
        forEachPair { point, output in
            aegis_add_scaled(target + point, gradient + output, share, shape.channels)
        }
    }

    private var share: Float { 1 / Float(shape.size * shape.size) }

    /// The offsets of every point under every window, and of the window's result.
    private func forEachPair(_ body: (Int, Int) -> Void) {
        for y in 0..<shape.output_height {
            for x in 0..<shape.output_width {
                let output = (y * shape.output_width + x) * shape.channels
                for dy in 0..<shape.size {
                    for dx in 0..<shape.size {
                        let (row, column) = (y * shape.stride + dy, x * shape.stride + dx)
                        body((row * shape.width + column) * shape.channels, output)
                    }
                }
            }
        }
    }
}

/// From [row][column][channel], as the kernels of images have it, to PyTorch's [channel][row]
/// [column], as a dense layer's weight has it.
final class FlattenKernel: LayerKernel {
    private let channels: Int
    private let points: Int
    private let buffers: LayerBuffers

    init(channels: Int, points: Int, buffers: LayerBuffers) {
        self.channels = channels
        self.points = points
        self.buffers = buffers
    }

    func forward(_ batch: MicroBatch) {
        transpose(batch.rows, buffers.input, buffers.output, from: (points, channels))
    }

    func backward(_ batch: MicroBatch, toInput: Bool) {
        transpose(
            batch.rows, buffers.outputGradient, buffers.inputGradient, from: (channels, points))
    }

    private func transpose(_ rows: Int, _ source: Values, _ target: Values, from: (Int, Int)) {
        let (outer, inner) = from
        for row in 0..<rows {
            let source = source + row * outer * inner
            let target = target + row * outer * inner
            for i in 0..<outer {
                for j in 0..<inner { target[j * outer + i] = source[i * inner + j] }
            }
        }
    }
}

/// An activation where no layer with a bias precedes it, from buffer to buffer.
final class ActivationKernel: LayerKernel {
    private let count: Int
    private let activation: Activation
    private let buffers: LayerBuffers

    init(_ activation: Activation, count: Int, buffers: LayerBuffers) {
        self.activation = activation
        self.count = count
        self.buffers = buffers
    }

    func forward(_ batch: MicroBatch) {
        buffers.output.update(from: buffers.input, count: batch.rows * count)
        aegis_activate(
            buffers.output, batch.rows * count, Optional(activation).code)
    }

    func backward(_ batch: MicroBatch, toInput: Bool) {
        buffers.inputGradient.update(from: buffers.outputGradient, count: batch.rows * count)
        aegis_activation_gradient(
            buffers.output, buffers.inputGradient, batch.rows * count, Optional(activation).code)
    }
}
