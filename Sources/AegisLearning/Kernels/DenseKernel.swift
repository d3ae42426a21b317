import CLearning

/// y = activation(W x + b). Products by BLAS, but for few outputs, where BLAS is slow.
final class DenseKernel: LayerKernel {
    private static let skinnyMax = 16

    private let inputs: Int
    private let outputs: Int
    private let activation: Activation?
    private let buffers: LayerBuffers
    /// The layer's part of the sum: the weight, then the bias.
    private let sum: Values
    private var parameters: UnsafePointer<Float>
    /// Few outputs: weight and its gradient's sum as [inputs][16].
    private let packed: Values?
    private let packedSum: Values
    private let norms: Values
    private let rowFactors: Values

    init(
        inputs: Int, outputs: Int, activation: Activation?, buffers: LayerBuffers, sum: Values,
        rowsMax: Int, arena: Arena
    ) {
        self.inputs = inputs
        self.outputs = outputs
        self.activation = activation
        self.buffers = buffers
        self.sum = sum
        parameters = UnsafePointer(sum)
        let isSkinny = outputs <= Self.skinnyMax
        packed = isSkinny ? arena.floats(inputs * Self.skinnyMax) : nil
        packedSum = arena.floats(isSkinny ? inputs * Self.skinnyMax : 0)
        norms = arena.floats(2 * rowsMax)
        rowFactors = arena.floats(rowsMax)
    }

    func prepare(_ parameters: UnsafePointer<Float>) {
        self.parameters = parameters
        guard let packed else { return }
        for output in 0..<outputs {
            for input in 0..<inputs {
                packed[input * Self.skinnyMax + output] = parameters[output * inputs + input]
            }
        }
    }

    private var bias: UnsafePointer<Float> { parameters + inputs * outputs }

    func forward(_ batch: MicroBatch) {
        if let packed {
            aegis_skinny_forward(
                buffers.input, packed, bias, batch.rows, inputs, outputs, buffers.output)
            aegis_activate(buffers.output, batch.rows * outputs, activation.code)
            return
        }
        LinearAlgebra.multiplyTransposed(
            buffers.input, parameters, into: buffers.output, m: batch.rows, n: outputs, k: inputs)
        aegis_add_bias(buffers.output, bias, batch.rows, outputs, activation.code)
    }

    func backward(_ batch: MicroBatch, toInput: Bool) {
        aegis_activation_gradient(
            buffers.output, buffers.outputGradient, batch.rows * outputs, activation.code)
        guard toInput else { return }
        LinearAlgebra.multiply(
            buffers.outputGradient, parameters, into: buffers.inputGradient, m: batch.rows,
            n: inputs, k: outputs)
    }

    /// ‖Σ δxᵀ‖² + ‖Σ δ‖²: of one row ‖δ‖²·(‖x‖² + 1).
    func addSquaredNorms(_ batch: MicroBatch, to total: Values) {
        let gradientNorms = norms + batch.rows
        aegis_squared_row_norms(buffers.input, batch.rows, inputs, norms)
        aegis_squared_row_norms(buffers.outputGradient, batch.rows, outputs, gradientNorms)
        guard batch.views > 1 else {
            for row in 0..<batch.rows { total[row] += gradientNorms[row] * (norms[row] + 1) }
            return
        }
        for record in 0..<batch.records {
            total[record] += GramNorm.squared(
                inputs: buffers.input + record * batch.views * inputs, width: inputs,
                gradients: buffers.outputGradient + record * batch.views * outputs,
                gradientWidth: outputs, rows: batch.views)
        }
    }

    func addGradients(_ batch: MicroBatch, factors: UnsafePointer<Float>?) {
        let (rows, gradient) = (batch.rows, buffers.outputGradient)
        if let factors {
            for row in 0..<rows {
                rowFactors[row] = factors[row / batch.views]
                if rowFactors[row] == 0 { erase(row) }
            }
            aegis_scale_rows(gradient, rowFactors, rows, outputs)
        }
        aegis_add_rows(sum + inputs * outputs, gradient, rows, outputs)
        if packed != nil {
            aegis_skinny_weight_gradient(
                buffers.input, gradient, rows, inputs, outputs, packedSum)
        } else {
            LinearAlgebra.addTransposedProduct(
                gradient, buffers.input, to: sum, m: outputs, n: inputs, k: rows)
        }
    }

    /// Zero times what is not a number would not be zero.
    private func erase(_ row: Int) {
        (buffers.input + row * inputs).update(repeating: 0, count: inputs)
        (buffers.outputGradient + row * outputs).update(repeating: 0, count: outputs)
    }

    func collect(into sum: Values) {
        guard packed != nil else { return }
        for output in 0..<outputs {
            for input in 0..<inputs {
                sum[output * inputs + input] += packedSum[input * Self.skinnyMax + output]
            }
        }
        packedSum.update(repeating: 0, count: inputs * Self.skinnyMax)
    }
}
