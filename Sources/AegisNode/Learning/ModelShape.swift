import AegisAggregation
package import AegisLearning
package import AegisProtocol

/// The tensors of a run's model, known from its specification alone, and its first parameters.
package struct ModelShape: Sendable {
    /// Of an update, and of a model's parameters.
    package let tensors: [TensorDeclaration]
    /// Nil for a run without training.
    package let trained: Model?
    /// What a record becomes before the first layer.
    package let features: ModelDescription.FeatureMap
    package let loss: Loss
    /// Of a record, before the features.
    private let input: TensorShape?
    let server: ServerOptimizer

    /// Nil for a model this node can't hold.
    package init?(_ specification: RunSpecification) {
        server = ServerOptimizer(specification.server)
        if case .none(let parameters) = specification.model {
            (trained, input, features, loss) = (nil, nil, .none, .crossEntropy)
            tensors = [TensorDeclaration(name: "parameters", shape: [parameters])]
            return
        }
        let records = specification.records
        guard let input = records.isText ? .tokens : TensorShape(extents: records.shape),
            let model = Self.model(specification.model, of: records, input: input)
        else { return nil }
        switch (records.isNumber, model.outputs) {
        case (true, 1): loss = .squaredError
        case (false, records.classes): loss = .crossEntropy
        case (false, 1) where records.classes == 2: loss = .binaryCrossEntropy
        default: return nil
        }
        self.input = input
        features =
            specification.model == .scatterLinear
            ? .scatterNet(groups: ScatterNet.groups) : .none
        trained = model
        tensors = model.tensors
    }

    private static func model(
        _ declaration: ModelDeclaration, of records: RecordDeclaration, input: TensorShape
    ) -> Model? {
        let classes = records.classes
        let isImage = records.shape == RecordDeclaration.images.shape
        switch declaration {
        case .softmax:
            return input.count.flatMap { try? Model.softmax(inputs: $0, classes: classes) }
        case .multilayerPerceptron(let hidden):
            return input.count.flatMap {
                try? Model.multilayerPerceptron(inputs: $0, hidden: hidden, classes: classes)
            }
        case .convolutional:
            return isImage ? try? Model.tanhConvolutional(classes: classes) : nil
        case .scatterLinear:
            return isImage
                ? try? Model.softmax(inputs: ScatterNet.width, classes: classes) : nil
        case .layers(let layers):
            return try? Model(input: input, layers: layers.map(Layer.init))
        case .none: return nil
        }
    }

    /// Whether the records are of the declared shape, so that their features can be made, and their
    /// targets of the declared kind.
    func takes(_ records: Records) -> Bool {
        switch records.targets {
        case .classes: guard loss != .squaredError else { return false }
        case .values: guard loss == .squaredError else { return false }
        }
        if case .tokens = records.features { return input == .tokens }
        return input?.count == records.inputs
    }

    package var parameterCount: Int { tensors.reduce(0) { $0 + $1.count } }

    /// Of a committed model: the parameters, then what the server optimiser remembers. The digest
    /// that is voted on covers both.
    package var modelTensors: [TensorDeclaration] {
        tensors
            + server.stateNames.map {
                TensorDeclaration(name: "server.\($0)", shape: [parameterCount])
            }
    }

    package func initialParameters(seed: UInt64) -> [Float] {
        trained?.initialParameters(seed: seed) ?? [Float](repeating: 0, count: parameterCount)
    }

    /// The values of a run's first model, the server optimiser's state included.
    package func initialModel(seed: UInt64) -> [Float] {
        initialParameters(seed: seed) + server.initialState(count: parameterCount)
    }
}

extension ServerOptimizer {
    init(_ declaration: ServerDeclaration) {
        func real(_ millionths: Int) -> Double { Double(millionths) / 1_000_000 }
        let rate = real(declaration.learningRateMillionths)
        let first = real(declaration.momentumMillionths)
        let second = real(declaration.decayMillionths)
        let tau = real(declaration.adaptivityMillionths)
        self =
            switch declaration.optimizer {
            case .average: .average(rate: rate)
            case .momentum: .momentum(rate: rate, beta: first)
            case .adam: .adam(rate: rate, beta1: first, beta2: second, tau: tau)
            case .yogi: .yogi(rate: rate, beta1: first, beta2: second, tau: tau)
            }
    }
}

extension Layer {
    init(_ declaration: LayerDeclaration) {
        let sizes = declaration.sizes
        self =
            switch declaration.kind {
            case .dense: .dense(outputs: sizes[0])
            case .convolution:
                .convolution(
                    channels: sizes[0], kernel: sizes[1], stride: sizes[2], padding: sizes[3])
            case .relu: .activation(.relu)
            case .tanh: .activation(.tanh)
            case .maxPool: .maxPool(size: sizes[0], stride: sizes[1])
            case .averagePool: .averagePool(size: sizes[0], stride: sizes[1])
            case .groupNorm: .groupNorm(groups: sizes[0])
            case .embeddingBag: .embeddingBag(vocabulary: sizes[0], width: sizes[1])
            }
    }
}
