/// One step of a model, from the values of the one before it to its own.
///
/// Each of them is a function of one record: that is what lets every record's gradient be clipped.
/// Batch normalisation is not, so `Model` refuses it by name.
package enum Layer: Hashable, Sendable {
    /// y = W x + b on all values, flattened channel by channel as PyTorch does.
    case dense(outputs: Int)
    /// A square convolution with a bias; `padding` zeros on each side.
    case convolution(channels: Int, kernel: Int, stride: Int = 1, padding: Int = 0)
    /// The largest value under a square window; of equal ones the first takes the gradient.
    case maxPool(size: Int, stride: Int)
    /// The mean under a square window.
    case averagePool(size: Int, stride: Int)
    case activation(Activation)
    /// Wu and He 2018: each group of channels to mean 0 and variance 1 (ε = 10⁻⁵), then a scale
    /// and a shift a channel.
    case groupNorm(groups: Int)
    /// The mean of the rows of a table that a record's tokens name; zero for no tokens. First in
    /// a model, on records of tokens.
    case embeddingBag(vocabulary: Int, width: Int)
    /// Only here to be refused: it mixes the records of a batch.
    case batchNorm
}

/// What a value becomes between layers.
package enum Activation: String, Hashable, CaseIterable, Sendable {
    case relu
    case tanh
}

/// The shape of one record's values between two layers.
package enum TensorShape: Hashable, Sendable {
    case vector(Int)
    case image(channels: Int, height: Int, width: Int)
    /// Any number of tokens.
    case tokens

    /// Values of one record; nil where records differ.
    package var count: Int? {
        switch self {
        case .vector(let count): count
        case .image(let channels, let height, let width): channels * height * width
        case .tokens: nil
        }
    }
}

/// Why layers do not make a model. Layers are counted from 0.
package enum ModelError: Error, Hashable, Sendable {
    case noParameters
    case invalidInput(TensorShape)
    /// A size, stride, padding, width or number of groups that can't be.
    case invalidLayer(Int, Layer)
    /// The layer can't follow values of this shape.
    case shapeDoesNotFit(layer: Int, Layer, TensorShape)
    /// Batch normalisation makes a record's gradient depend on other records, so no record's part
    /// can be bounded. Group normalisation takes its place.
    case batchNormalisation(layer: Int)
    case tooManyParameters(max: Int)
    /// A model ends in a vector, one value an output.
    case endsInNoVector(TensorShape)
}
