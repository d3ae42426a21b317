import AegisAggregation
package import AegisLearning
package import AegisProtocol

/// The tensors of a run's model, known from its specification alone, and its first parameters.
package struct ModelShape: Sendable {
    /// Of an update, and of a model's parameters.
    package let tensors: [TensorDeclaration]
    /// Nil for a run without training.
    package let trained: Model?
    let server: ServerOptimizer

    /// Nil for a model this node can't hold.
    package init?(_ specification: RunSpecification) {
        server = ServerOptimizer(specification.server)
        let records = specification.records
        guard let input = TensorShape(extents: records.shape), let inputs = input.count else {
            return nil
        }
        let classes = records.classes
        switch specification.model {
        case .softmax: trained = try? Model.softmax(inputs: inputs, classes: classes)
        case .multilayerPerceptron(let hidden):
            trained = try? Model.multilayerPerceptron(
                inputs: inputs, hidden: hidden, classes: classes)
        case .convolutional:
            trained =
                records.shape == RecordDeclaration.images.shape
                ? try? Model.tanhConvolutional(classes: classes) : nil
        case .layers(let layers):
            let model = try? Model(input: input, layers: layers.map(Layer.init))
            trained = model?.outputs == classes ? model : nil
        case .none(let parameters):
            trained = nil
            tensors = [TensorDeclaration(name: "parameters", shape: [parameters])]
            return
        }
        guard let trained else { return nil }
        tensors = trained.tensors
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
            }
    }
}
