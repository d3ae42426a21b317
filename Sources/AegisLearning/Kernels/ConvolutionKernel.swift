import CLearning

/// The sizes of a convolution's kernels, images padded.
struct ConvolutionShape {
    let channels: Int
    let height: Int
    let width: Int
    let padding: Int
    let outputs: Int
    let outputHeight: Int
    let outputWidth: Int
    let kernel: Int
    let stride: Int

    var paddedHeight: Int { height + 2 * padding }
    var paddedWidth: Int { width + 2 * padding }
    var inputCount: Int { channels * height * width }
    var paddedCount: Int { channels * paddedHeight * paddedWidth }
    /// T
    var positions: Int { outputHeight * outputWidth }
    var outputCount: Int { positions * outputs }
    /// d: values under the kernel.
    var taps: Int { channels * kernel * kernel }

    var forC: aegis_convolution {
        aegis_convolution(
            width: paddedWidth, channels: channels, kernel: kernel, stride: stride,
            outputs: outputs, output_height: outputHeight, output_width: outputWidth)
    }
}

/// How a convolution gets the length of a record's gradient, of d × p numbers over T positions.
package enum ConvolutionNorm: Hashable, CaseIterable, Sendable {
    /// The gradient is formed, and kept until its factor is known: 2Tdp operations, and d·p
    /// numbers written and read twice.
    case kept
    /// From two Gram matrices, T × T and symmetric: T²(d + p) operations, in binary64, then 2Tdp
    /// for the sum.
    case gram
    /// The gradient is formed twice, for its length and for the sum: 4Tdp.
    case twice

    /// Numbers that may be kept of one micro-batch.
    private static let keptMax = 1 << 22
    /// A number in and out of the cache costs about so many operations.
    private static let memoryCost = 8
    /// Of an operation of the Gram matrices, beside one of the fused kernels.
    private static let binary64Cost = 4

    /// The cheapest (Bu et al. 2022, "mixed ghost clipping", with book-keeping).
    package static func cheapest(
        positions: Int, taps: Int, outputs: Int, recordsMax: Int
    ) -> ConvolutionNorm {
        let (t, d, p) = (positions, taps, outputs)
        let gram = binary64Cost * t * t * (d + p) + 2 * t * d * p
        let kept =
            d * p * recordsMax <= keptMax ? 2 * t * d * p + memoryCost * d * p : Int.max
        return min(gram, 4 * t * d * p) < kept
            ? (gram < 4 * t * d * p ? .gram : .twice) : .kept
    }
}

/// A convolution with bias and activation.
final class ConvolutionKernel: LayerKernel {
    private let shape: ConvolutionShape
    private var forC: aegis_convolution
    private let activation: Activation?
    private let buffers: LayerBuffers
    /// The layer's part of the sum: the weight, then the bias.
    private let sum: Values
    private var parameters: UnsafePointer<Float>
    private let norm: ConvolutionNorm
    private let clips: Bool

    private let packed: Values
    private let turned: Values
    private let packedCount: Int
    private let packedSum: Values
    /// Every row's image with its border; the input itself where there is none.
    private let images: Values
    private let imageGradient: Values
    private let kept: Values
    private let keptBias: Values
    private let gram: Values

    init(
        _ shape: ConvolutionShape, activation: Activation?, buffers: LayerBuffers, sum: Values,
        rowsMax: Int, views: Int, clips: Bool, norm: ConvolutionNorm? = nil, arena: Arena
    ) {
        self.shape = shape
        self.activation = activation
        self.buffers = buffers
        self.sum = sum
        self.clips = clips
        parameters = UnsafePointer(sum)
        forC = shape.forC
        let records = rowsMax / views
        let norm =
            norm
            ?? .cheapest(
                positions: shape.positions * views, taps: shape.taps, outputs: shape.outputs,
                recordsMax: records)
        self.norm = norm
        packedCount = aegis_convolution_packed_count(&forC)
        packed = arena.floats(packedCount)
        turned = arena.floats(aegis_convolution_turned_count(&forC))
        packedSum = arena.floats(packedCount)
        images =
            shape.padding > 0 ? arena.floats(rowsMax * shape.paddedCount) : buffers.input
        imageGradient = arena.floats(shape.paddedCount + 16)
        let keptRecords = clips && norm == .kept ? records : clips && norm == .twice ? 1 : 0
        kept = arena.floats(keptRecords * packedCount)
        keptBias = arena.floats(clips ? records * shape.outputs : 0)
        gram =
            clips && norm == .gram
            ? arena.floats(shape.positions * views * shape.taps) : packedSum
    }

    func prepare(_ parameters: UnsafePointer<Float>) {
        self.parameters = parameters
        aegis_convolution_pack(&forC, parameters, packed, turned)
    }

    private var bias: UnsafePointer<Float> { parameters + shape.outputs * shape.taps }
    private func image(_ row: Int) -> Values { images + row * shape.paddedCount }
    private func gradient(_ row: Int) -> Values {
        buffers.outputGradient + row * shape.outputCount
    }

    func forward(_ batch: MicroBatch) {
        for row in 0..<batch.rows {
            if shape.padding > 0 { pad(row) }
            let output = buffers.output + row * shape.outputCount
            aegis_convolution_forward(&forC, image(row), packed, bias, output)
            aegis_activate(output, shape.outputCount, activation.code)
        }
    }

    /// The border is zero from the start and stays so.
    private func pad(_ row: Int) {
        let line = shape.width * shape.channels
        let source = buffers.input + row * shape.inputCount
        let target =
            image(row) + (shape.padding * shape.paddedWidth + shape.padding) * shape.channels
        for y in 0..<shape.height {
            (target + y * shape.paddedWidth * shape.channels)
                .update(from: source + y * line, count: line)
        }
    }

    func backward(_ batch: MicroBatch, toInput: Bool) {
        for row in 0..<batch.rows {
            aegis_activation_gradient(
                buffers.output + row * shape.outputCount, gradient(row), shape.outputCount,
                activation.code)
            if clips, norm == .kept {
                let isFirst = row % batch.views == 0
                aegis_convolution_weight_gradient(
                    &forC, image(row), gradient(row), isFirst ? 0 : 1,
                    kept + row / batch.views * packedCount)
            }
            if toInput { propagate(row) }
        }
    }

    private func propagate(_ row: Int) {
        imageGradient.update(repeating: 0, count: shape.paddedCount)
        aegis_convolution_input_gradient(&forC, gradient(row), turned, imageGradient)
        let line = shape.width * shape.channels
        let source =
            imageGradient + (shape.padding * shape.paddedWidth + shape.padding) * shape.channels
        let target = buffers.inputGradient + row * shape.inputCount
        for y in 0..<shape.height {
            (target + y * line)
                .update(from: source + y * shape.paddedWidth * shape.channels, count: line)
        }
    }

    func addSquaredNorms(_ batch: MicroBatch, to norms: Values) {
        keptBias.update(repeating: 0, count: batch.records * shape.outputs)
        for record in 0..<batch.records {
            let first = record * batch.views
            switch norm {
            case .kept:
                norms[record] += aegis_squared_norm(kept + record * packedCount, packedCount)
            case .twice:
                for view in 0..<batch.views {
                    aegis_convolution_weight_gradient(
                        &forC, image(first + view), gradient(first + view), view == 0 ? 0 : 1,
                        kept)
                }
                norms[record] += aegis_squared_norm(kept, packedCount)
            case .gram:
                norms[record] += gramNorm(batch, first)
                continue
            }
            let bias = keptBias + record * shape.outputs
            aegis_add_rows(bias, gradient(first), batch.views * shape.positions, shape.outputs)
            norms[record] += aegis_squared_norm(bias, shape.outputs)
        }
    }

    private func gramNorm(_ batch: MicroBatch, _ first: Int) -> Float {
        unroll(batch, first)
        return GramNorm.squared(
            inputs: gram, width: shape.taps, gradients: gradient(first),
            gradientWidth: shape.outputs, rows: batch.views * shape.positions)
    }

    /// The values under the kernel at each position of a record's rows.
    private func unroll(_ batch: MicroBatch, _ first: Int) {
        let run = shape.kernel * shape.channels
        var target = gram
        for view in 0..<batch.views {
            for y in 0..<shape.outputHeight {
                for x in 0..<shape.outputWidth {
                    for dy in 0..<shape.kernel {
                        let line = (y * shape.stride + dy) * shape.paddedWidth + x * shape.stride
                        target.update(
                            from: image(first + view) + line * shape.channels, count: run)
                        target += run
                    }
                }
            }
        }
    }

    func addGradients(_ batch: MicroBatch, factors: UnsafePointer<Float>?) {
        let bias = sum + shape.outputs * shape.taps
        guard let factors, norm == .kept else {
            for row in 0..<batch.rows where factors?[row / batch.views] != 0 {
                if let factors {
                    scale(gradient(row), by: factors[row / batch.views])
                }
                aegis_add_rows(bias, gradient(row), shape.positions, shape.outputs)
                aegis_convolution_weight_gradient(
                    &forC, image(row), gradient(row), 1, packedSum)
            }
            return
        }
        for record in 0..<batch.records where factors[record] != 0 {
            aegis_add_scaled(
                packedSum, kept + record * packedCount, factors[record], packedCount)
            aegis_add_scaled(
                bias, keptBias + record * shape.outputs, factors[record], shape.outputs)
        }
    }

    private func scale(_ values: Values, by factor: Float) {
        withUnsafePointer(to: factor) { aegis_scale_rows(values, $0, 1, shape.outputCount) }
    }

    func collect(into sum: Values) {
        aegis_convolution_unpack_add(&forC, packedSum, sum)
        packedSum.update(repeating: 0, count: packedCount)
    }
}
