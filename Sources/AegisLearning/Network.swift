/// A fully connected ReLU network with a softmax at its end; without hidden layers, multinomial
/// logistic regression. Its parameters are one flat vector, layer after layer: the weight, one row
/// of inputs an output as PyTorch has it, then the bias.
package struct Network: Hashable, Sendable {
    /// Inputs, hidden widths, classes.
    package let widths: [Int]
    let layers: [Layer]
    package let parameterCount: Int

    /// One affine map, and where its parameters lie.
    struct Layer: Hashable, Sendable {
        let inputs: Int
        let outputs: Int
        let weightOffset: Int
        var biasOffset: Int { weightOffset + inputs * outputs }
    }

    /// Nil for a width that is not positive, a network without an input and an output, or more
    /// than `parametersMax` parameters.
    package init?(inputs: Int, hidden: [Int] = [], classes: Int, parametersMax: Int = 1 << 28) {
        let widths = [inputs] + hidden + [classes]
        guard widths.allSatisfy({ (1...1 << 20).contains($0) }) else { return nil }
        var layers: [Layer] = []
        var offset = 0
        for (inputs, outputs) in zip(widths, widths.dropFirst()) {
            layers.append(Layer(inputs: inputs, outputs: outputs, weightOffset: offset))
            offset += (inputs + 1) * outputs
            guard offset <= parametersMax else { return nil }
        }
        self.widths = widths
        self.layers = layers
        parameterCount = offset
    }

    package var inputs: Int { widths[0] }
    package var classes: Int { widths[widths.count - 1] }

    /// The parameters' names and shapes, in the order of the flat vector.
    package var tensors: [TensorDeclaration] {
        layers.enumerated().flatMap { index, layer in
            [
                TensorDeclaration(
                    name: "layers.\(index).weight", shape: [layer.outputs, layer.inputs]),
                TensorDeclaration(name: "layers.\(index).bias", shape: [layer.outputs]),
            ]
        }
    }

    /// The model every node starts from, bit for bit: weights uniform in ±√(6 / inputs) (He et al.
    /// 2015), biases zero. Only IEEE operations; the generator is named and public.
    package func initialParameters(seed: UInt64) -> [Float] {
        var generator = SplitMix64(seed: seed)
        var parameters = [Float](repeating: 0, count: parameterCount)
        for layer in layers {
            let bound = (6 / Float(layer.inputs)).squareRoot()
            for index in layer.weightOffset..<layer.biasOffset {
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
