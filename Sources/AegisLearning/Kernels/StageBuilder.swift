/// Turns a model's layers into kernels with their buffers: an activation goes into the layer
/// before it, and images change their order before a dense layer.
struct StageBuilder {
    let model: Model
    let rowsMax: Int
    let views: Int
    let clips: Bool
    let norm: ConvolutionNorm?
    let sum: Values
    let arena: Arena

    private(set) var stages: [(any LayerKernel, Range<Int>)] = []
    /// The newest values and the gradients there.
    private(set) var values: Values
    private(set) var gradients: Values
    /// Whether the first layer takes [row][column][channel].
    private(set) var takesImages = false
    private var isImage = false

    init(
        model: Model, rowsMax: Int, views: Int, clips: Bool, norm: ConvolutionNorm?, sum: Values,
        arena: Arena
    ) {
        self.model = model
        self.rowsMax = rowsMax
        self.views = views
        self.clips = clips
        self.norm = norm
        self.sum = sum
        self.arena = arena
        values = arena.floats(rowsMax * (model.inputs ?? 0))
        // Nobody asks for the gradient at the input.
        gradients = values
    }

    mutating func build() {
        if case .image = model.input, case .dense = model.layers.first {
            takesImages = false
        } else if case .image = model.input {
            (takesImages, isImage) = (true, true)
        }
        var index = 0
        while index < model.layers.count {
            var activation: Activation?
            if index + 1 < model.layers.count,
                case .activation(let next) = model.layers[index + 1]
            {
                activation = next
            }
            let fused = add(index, activation)
            index += fused ? 2 : 1
        }
    }

    /// Whether the activation that follows went into the layer.
    private mutating func add(_ index: Int, _ activation: Activation?) -> Bool {
        let (shape, next) = (model.shapes[index], model.shapes[index + 1])
        let range = model.parameterRanges[index]
        let sum = sum + range.lowerBound
        if case .dense = model.layers[index] { flatten(shape) }
        let buffers = buffers(next)
        var kernel: any LayerKernel
        var fused = false
        switch model.layers[index] {
        case .dense(let outputs):
            kernel = DenseKernel(
                inputs: shape.count ?? 0, outputs: outputs, activation: activation,
                buffers: buffers, sum: sum, rowsMax: rowsMax, arena: arena)
            fused = activation != nil
        case .convolution(_, let size, let stride, let padding):
            kernel = ConvolutionKernel(
                ConvolutionShape(shape, next, kernel: size, stride: stride, padding: padding),
                activation: activation, buffers: buffers, sum: sum, rowsMax: rowsMax,
                views: views, clips: clips, norm: norm, arena: arena)
            fused = activation != nil
        case .maxPool(let size, let stride):
            kernel = pooling(.maximum, shape, size, stride, buffers)
        case .averagePool(let size, let stride):
            kernel = pooling(.mean, shape, size, stride, buffers)
        case .activation(let activation):
            kernel = ActivationKernel(activation, count: next.count ?? 0, buffers: buffers)
        case .groupNorm(let groups):
            let (channels, points) = Self.planes(shape)
            kernel = GroupNormKernel(
                points: points, channels: channels, groups: groups, buffers: buffers, sum: sum,
                rowsMax: rowsMax, arena: arena)
        case .embeddingBag(_, let width):
            kernel = EmbeddingBagKernel(width: width, buffers: buffers, sum: sum)
        case .batchNorm: preconditionFailure("a model has no batch normalisation")
        }
        stages.append((kernel, range))
        return fused
    }

    private func pooling(
        _ kind: PoolingKernel.Kind, _ shape: TensorShape, _ size: Int, _ stride: Int,
        _ buffers: LayerBuffers
    ) -> PoolingKernel {
        guard case .image(let channels, let height, let width) = shape else {
            preconditionFailure("a pooling layer follows an image")
        }
        return PoolingKernel(
            kind, channels: channels, height: height, width: width, size: size, stride: stride,
            buffers: buffers)
    }

    private mutating func flatten(_ shape: TensorShape) {
        guard isImage else { return }
        isImage = false
        let (channels, points) = Self.planes(shape)
        guard channels > 1, points > 1 else { return }
        let buffers = buffers(shape)
        stages.append(
            (FlattenKernel(channels: channels, points: points, buffers: buffers), 0..<0))
    }

    private static func planes(_ shape: TensorShape) -> (channels: Int, points: Int) {
        switch shape {
        case .image(let channels, let height, let width): (channels, height * width)
        case .vector(let count): (count, 1)
        case .tokens: (0, 0)
        }
    }

    /// Those of the next layer, which has this output.
    private mutating func buffers(_ shape: TensorShape) -> LayerBuffers {
        let count = rowsMax * (shape.count ?? 0)
        let (input, inputGradient) = (values, gradients)
        values = arena.floats(count)
        gradients = arena.floats(count)
        return LayerBuffers(
            input: input, output: values, inputGradient: inputGradient,
            outputGradient: gradients)
    }
}

extension ConvolutionShape {
    init(_ input: TensorShape, _ output: TensorShape, kernel: Int, stride: Int, padding: Int) {
        guard case .image(let channels, let height, let width) = input,
            case .image(let outputs, let outputHeight, let outputWidth) = output
        else { preconditionFailure("a convolution makes an image of an image") }
        self.init(
            channels: channels, height: height, width: width, padding: padding, outputs: outputs,
            outputHeight: outputHeight, outputWidth: outputWidth, kernel: kernel, stride: stride)
    }
}

extension Workspace {
    /// Rows whose values and gradients share a cache of half a megabyte or so, but enough for a
    /// matrix product to be efficient.
    static func suitableRows(for model: Model, views: Int) -> Int {
        let numbers = model.shapes.reduce(0) { $0 + 2 * ($1.count ?? 0) }
        let rows = max(32, min(256, (5 << 16) / max(1, numbers)))
        return max(rows / views, 1) * views
    }
}
