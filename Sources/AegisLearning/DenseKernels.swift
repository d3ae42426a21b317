import Glibc

/// Everything a forward and a backward pass over a micro-batch need, allocated once.
struct DenseWorkspace: ~Copyable {
    let network: Network
    let rowsMax: Int
    private let memory: UnsafeMutablePointer<Float>
    /// Where the outputs of layer 0 (the inputs) to the last lie, each rowsMax × width.
    private let activationOffsets: [Int]
    /// Where the gradients at the outputs of layers 1 to the last lie.
    private let deltaOffsets: [Int]
    /// One for each row.
    private let rowOffset: Int

    init(network: Network, rowsMax: Int) {
        LinearAlgebra.prepare()
        self.network = network
        self.rowsMax = rowsMax
        var offset = 0
        func reserve(_ count: Int) -> Int {
            defer { offset += (count + 15) / 16 * 16 }
            return offset
        }
        activationOffsets = network.widths.map { reserve($0 * rowsMax) }
        deltaOffsets = [0] + network.widths.dropFirst().map { reserve($0 * rowsMax) }
        rowOffset = reserve(rowsMax)
        memory = .allocate(capacity: offset)
        memory.initialize(repeating: 0, count: offset)
    }

    deinit { memory.deallocate() }

    func activations(_ layer: Int) -> UnsafeMutablePointer<Float> {
        memory + activationOffsets[layer]
    }
    func deltas(_ layer: Int) -> UnsafeMutablePointer<Float> { memory + deltaOffsets[layer] }
    var rowValues: UnsafeMutablePointer<Float> { memory + rowOffset }

    /// Copies the records at `indices` into the input rows.
    func gather(_ records: Records, _ indices: ArraySlice<Int>) {
        precondition(indices.count <= rowsMax && records.inputs == network.inputs)
        let (scale, offset) = (records.scaling.scale, records.scaling.offset)
        let width = records.inputs
        records.features.withUnsafeBufferPointer { features in
            guard let base = features.baseAddress else { return }
            var row = activations(0)
            for index in indices {
                precondition(index >= 0 && index < records.count)
                let source = base + index * width
                for column in 0..<width { row[column] = Float(source[column]) * scale + offset }
                row += width
            }
        }
    }

    /// Outputs of every layer; those of the last stay linear.
    func forward(rows: Int, parameters: UnsafePointer<Float>) {
        for (index, layer) in network.layers.enumerated() {
            let output = activations(index + 1)
            LinearAlgebra.multiplyTransposed(
                activations(index), parameters + layer.weightOffset, into: output,
                m: rows, n: layer.outputs, k: layer.inputs)
            let isLast = index == network.layers.count - 1
            addBias(
                parameters + layer.biasOffset, to: output, rows: rows, width: layer.outputs,
                rectify: !isLast)
        }
    }

    /// Turns the last layer's outputs into the gradient of each row's own loss there (softmax
    /// minus one-hot); the summed cross-entropy and the number of rows whose label scores highest.
    func lossGradient(
        _ records: Records, _ indices: ArraySlice<Int>
    ) -> (loss: Double, correct: Int) {
        let last = network.layers.count
        let classes = network.classes
        var (loss, correct) = (0.0, 0)
        var scores = activations(last)
        var delta = deltas(last)
        for index in indices {
            let label = Int(records.labels[index])
            var best = 0
            for column in 1..<classes where scores[column] > scores[best] { best = column }
            let largest = scores[best]
            var sum: Float = 0
            for column in 0..<classes {
                let value = expf(scores[column] - largest)
                delta[column] = value
                sum += value
            }
            for column in 0..<classes { delta[column] /= sum }
            loss += Double(logf(sum) - (scores[label] - largest))
            if best == label { correct += 1 }
            delta[label] -= 1
            scores += classes
            delta += classes
        }
        return (loss, correct)
    }

    /// From the last layer's deltas those of every layer before it.
    func backward(rows: Int, parameters: UnsafePointer<Float>) {
        for index in stride(from: network.layers.count - 1, to: 0, by: -1) {
            let layer = network.layers[index]
            let delta = deltas(index)
            LinearAlgebra.multiply(
                deltas(index + 1), parameters + layer.weightOffset, into: delta,
                m: rows, n: layer.inputs, k: layer.outputs)
            let output = activations(index)
            for item in 0..<rows * layer.inputs where output[item] <= 0 { delta[item] = 0 }
        }
    }

    /// The squared norm of each row's own gradient, without forming it: a linear layer's is
    /// ‖δ‖²·‖x‖² for the weight and ‖δ‖² for the bias (Goodfellow 2015).
    func squaredGradientNorms(rows: Int) -> UnsafeMutablePointer<Float> {
        let norms = rowValues
        for row in 0..<rows { norms[row] = 0 }
        for (index, layer) in network.layers.enumerated() {
            for row in 0..<rows {
                let input = LinearAlgebra.squaredNorm(
                    activations(index) + row * layer.inputs, count: layer.inputs)
                let delta = LinearAlgebra.squaredNorm(
                    deltas(index + 1) + row * layer.outputs, count: layer.outputs)
                norms[row] += delta * (input + 1)
            }
        }
        return norms
    }

    /// Scales each row's deltas so that its gradient's norm is at most `clipNorm`. The margin
    /// covers what single precision can lose in the norm, so that the bound holds. A row whose
    /// norm is no number contributes nothing.
    func clip(rows: Int, clipNorm: Float) {
        let norms = squaredGradientNorms(rows: rows)
        for row in 0..<rows {
            guard norms[row].isFinite else {
                erase(row: row)
                continue
            }
            let norm = norms[row].squareRoot() * (1 + 0x1p-14)
            guard norm > clipNorm else { continue }
            let factor = clipNorm / norm
            for (index, layer) in network.layers.enumerated() {
                let delta = deltas(index + 1) + row * layer.outputs
                for column in 0..<layer.outputs { delta[column] *= factor }
            }
        }
    }

    private func erase(row: Int) {
        for (index, layer) in network.layers.enumerated() {
            (activations(index) + row * layer.inputs).update(repeating: 0, count: layer.inputs)
            (deltas(index + 1) + row * layer.outputs).update(repeating: 0, count: layer.outputs)
        }
    }

    /// Adds the rows' gradients to `sum`: one product a layer over the (clipped) deltas that the
    /// backward pass left (Bu et al. 2023, book-keeping), no second pass.
    func addGradients(rows: Int, to sum: UnsafeMutablePointer<Float>) {
        for (index, layer) in network.layers.enumerated() {
            let delta = deltas(index + 1)
            LinearAlgebra.addTransposedProduct(
                delta, activations(index), to: sum + layer.weightOffset,
                m: layer.outputs, n: layer.inputs, k: rows)
            let bias = sum + layer.biasOffset
            for row in 0..<rows {
                let values = delta + row * layer.outputs
                for column in 0..<layer.outputs { bias[column] += values[column] }
            }
        }
    }
}

extension DenseWorkspace {
    /// Adds the (clipped) gradients of the records at `indices` to `sum`, a micro-batch at a time:
    /// memory does not grow with the draw, and nothing of it is ever dropped.
    func addGradients(
        of indices: [Int], _ records: Records, at parameters: [Float], clipNorm: Float?,
        to sum: UnsafeMutableBufferPointer<Float>
    ) {
        parameters.withUnsafeBufferPointer { parameters in
            guard let base = parameters.baseAddress, let sum = sum.baseAddress else { return }
            for start in stride(from: 0, to: indices.count, by: rowsMax) {
                let batch = indices[start..<min(start + rowsMax, indices.count)]
                gather(records, batch)
                forward(rows: batch.count, parameters: base)
                _ = lossGradient(records, batch)
                backward(rows: batch.count, parameters: base)
                if let clipNorm { clip(rows: batch.count, clipNorm: clipNorm) }
                addGradients(rows: batch.count, to: sum)
            }
        }
    }
}

extension Network {
    /// The sum of the gradients of the records at `indices`, each clipped to `clipNorm` where it
    /// is given. What one DP-SGD step computes before its noise.
    package func gradientSum(
        of indices: [Int], in records: Records, at parameters: [Float], clipNorm: Float?,
        microBatch: Int = 256
    ) -> [Float] {
        precondition(parameters.count == parameterCount, "parameters have the network's shape")
        let workspace = DenseWorkspace(network: self, rowsMax: microBatch)
        var sum = [Float](repeating: 0, count: parameterCount)
        sum.withUnsafeMutableBufferPointer { sum in
            workspace.addGradients(
                of: indices, records, at: parameters, clipNorm: clipNorm, to: sum)
        }
        return sum
    }
}

private func addBias(
    _ bias: UnsafePointer<Float>, to output: UnsafeMutablePointer<Float>, rows: Int, width: Int,
    rectify: Bool
) {
    let floor: Float = rectify ? 0 : -.infinity
    for row in 0..<rows {
        let values = output + row * width
        for column in 0..<width {
            let value = values[column] + bias[column]
            values[column] = value > floor ? value : floor
        }
    }
}
