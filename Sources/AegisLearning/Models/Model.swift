/// Layers in a row, and where their parameters lie in one flat vector: layer after layer, weight
/// then bias, each in PyTorch's order, so that the file opens there as it is.
package struct Model: Hashable, Sendable {
    package let input: TensorShape
    package let layers: [Layer]
    /// Of the input, then of each layer's output.
    package let shapes: [TensorShape]
    /// Logits or predictions a record.
    package let outputs: Int
    package let parameterCount: Int
    /// The parameters' names and shapes, in the order of the flat vector: `layers.0.weight` is
    /// that of the first layer that has parameters.
    package let tensors: [TensorDeclaration]
    /// Where each layer's parameters lie; empty for a layer without.
    let parameterRanges: [Range<Int>]

    package init(
        input: TensorShape, layers: [Layer], parametersMax: Int = 1 << 28
    ) throws(ModelError) {
        guard Self.isValid(input) else { throw .invalidInput(input) }
        var shapes = [input]
        var ranges: [Range<Int>] = []
        var tensors: [TensorDeclaration] = []
        var (offset, named) = (0, 0)
        for (index, layer) in layers.enumerated() {
            let shape = shapes[index]
            let next = try layer.output(of: shape, at: index)
            guard Self.isValid(next), next.count.map({ $0 <= Self.valuesMax }) ?? true else {
                throw .shapeDoesNotFit(layer: index, layer, shape)
            }
            let declared = layer.tensors(from: shape, named: "layers.\(named)")
            let count = declared.reduce(0) { $0 + $1.count }
            guard count <= parametersMax - offset else {
                throw .tooManyParameters(max: parametersMax)
            }
            if !declared.isEmpty { named += 1 }
            ranges.append(offset..<offset + count)
            offset += count
            tensors += declared
            shapes.append(next)
        }
        let last = shapes[layers.count]
        guard offset > 0 else { throw .noParameters }
        guard case .vector(let outputs) = last else { throw .endsInNoVector(last) }
        self.input = input
        self.layers = layers
        self.shapes = shapes
        self.outputs = outputs
        self.tensors = tensors
        parameterRanges = ranges
        parameterCount = offset
    }

    /// Values of a record between two layers, at most.
    private static let valuesMax = 1 << 24

    private static func isValid(_ shape: TensorShape) -> Bool {
        switch shape {
        case .vector(let count): (1...1 << 20).contains(count)
        case .image(let channels, let height, let width):
            (1...4096).contains(channels) && (1...4096).contains(height)
                && (1...4096).contains(width)
        case .tokens: true
        }
    }

    /// Values of one record as the model takes it; nil for tokens.
    package var inputs: Int? { input.count }
}

extension Layer {
    /// The shape of what this layer makes of `shape`.
    fileprivate func output(
        of shape: TensorShape, at index: Int
    ) throws(ModelError) -> TensorShape {
        let sizes = 1...1 << 20
        let misfit = ModelError.shapeDoesNotFit(layer: index, self, shape)
        let invalid = ModelError.invalidLayer(index, self)
        switch (self, shape) {
        case (.batchNorm, _): throw .batchNormalisation(layer: index)
        case (.embeddingBag(let vocabulary, let width), _):
            guard (1...1 << 26).contains(vocabulary), (1...1 << 16).contains(width) else {
                throw invalid
            }
            guard shape == .tokens, index == 0 else { throw misfit }
            return .vector(width)
        case (_, .tokens): throw misfit
        case (.dense(let outputs), _):
            guard sizes.contains(outputs) else { throw invalid }
            return .vector(outputs)
        case (.activation, _): return shape
        case (.groupNorm(let groups), _):
            let channels =
                switch shape {
                case .image(let channels, _, _): channels
                case .vector(let count): count
                case .tokens: 0
                }
            guard groups >= 1, channels.isMultiple(of: groups) else { throw invalid }
            return shape
        case (
            .convolution(let channels, let kernel, let stride, let padding), .image(_, let h, let w)
        ):
            guard (1...4096).contains(channels), (1...64).contains(kernel),
                (1...64).contains(stride), padding >= 0, padding < kernel
            else { throw invalid }
            guard h + 2 * padding >= kernel, w + 2 * padding >= kernel else { throw misfit }
            return .image(
                channels: channels, height: (h + 2 * padding - kernel) / stride + 1,
                width: (w + 2 * padding - kernel) / stride + 1)
        case (.maxPool(let size, let stride), .image(let channels, let h, let w)),
            (.averagePool(let size, let stride), .image(let channels, let h, let w)):
            guard (1...64).contains(size), (1...64).contains(stride) else { throw invalid }
            guard h >= size, w >= size else { throw misfit }
            return .image(
                channels: channels, height: (h - size) / stride + 1,
                width: (w - size) / stride + 1)
        case (.convolution, .vector), (.maxPool, .vector), (.averagePool, .vector): throw misfit
        }
    }

    fileprivate func tensors(from shape: TensorShape, named name: String) -> [TensorDeclaration] {
        let (weight, bias): ([Int], [Int])
        switch (self, shape) {
        case (.dense(let outputs), _): (weight, bias) = ([outputs, shape.count ?? 0], [outputs])
        case (.convolution(let channels, let kernel, _, _), .image(let inputs, _, _)):
            (weight, bias) = ([channels, inputs, kernel, kernel], [channels])
        case (.groupNorm, .image(let channels, _, _)): (weight, bias) = ([channels], [channels])
        case (.groupNorm, .vector(let count)): (weight, bias) = ([count], [count])
        case (.embeddingBag(let vocabulary, let width), _):
            return [TensorDeclaration(name: "\(name).weight", shape: [vocabulary, width])]
        default: return []
        }
        return [
            TensorDeclaration(name: "\(name).weight", shape: weight),
            TensorDeclaration(name: "\(name).bias", shape: bias),
        ]
    }
}

extension Model {
    /// The model every node starts from, bit for bit: weights uniform in ±√(6 / inputs) (He et al.
    /// 2015), or ±√(3 / inputs) in a model with tanh (LeCun et al. 1998); biases zero, scales one.
    /// Only IEEE operations; the generator is named and public.
    package func initialParameters(seed: UInt64) -> [Float] {
        var generator = SplitMix64(seed: seed)
        var parameters = [Float](repeating: 0, count: parameterCount)
        let gain: Float = layers.contains(.activation(.tanh)) ? 3 : 6
        var offset = 0
        for tensor in tensors {
            let range = offset..<offset + tensor.count
            offset = range.upperBound
            guard tensor.name.hasSuffix(".weight") else { continue }
            guard tensor.shape.count > 1 else {
                for index in range { parameters[index] = 1 }
                continue
            }
            let inputs = tensor.shape.dropFirst().reduce(1, *)
            let bound = (gain / Float(inputs)).squareRoot()
            for index in range {
                // 24 bits, centred: an odd multiple of 2⁻²⁴ in (−1, 1), exact in float32.
                let step = Int32(truncatingIfNeeded: generator.next() >> 40)
                parameters[index] = Float(2 * step + 1 - 0x100_0000) * 0x1p-24 * bound
            }
        }
        return parameters
    }
}

/// A named tensor of a model.
package struct TensorDeclaration: Hashable, Sendable {
    package let name: String
    package let shape: [Int]

    package init(name: String, shape: [Int]) {
        self.name = name
        self.shape = shape
    }

    package var count: Int { shape.reduce(1, *) }
}
