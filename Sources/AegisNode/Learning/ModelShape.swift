package import AegisLearning
package import AegisProtocol

/// The tensors of a run's model, known from its specification alone, and its first parameters.
package struct ModelShape: Sendable {
    package let tensors: [TensorDeclaration]
    /// Nil for a run without training.
    package let network: Network?

    /// Nil for a model this node can't hold.
    package init?(_ specification: RunSpecification) {
        switch specification.model {
        case .softmax:
            network = Network(inputs: Self.inputs, classes: DatasetFiles.classes)
        case .multilayerPerceptron(let hidden):
            network = Network(inputs: Self.inputs, hidden: hidden, classes: DatasetFiles.classes)
        case .none(let parameters):
            network = nil
            tensors = [TensorDeclaration(name: "parameters", shape: [parameters])]
            return
        }
        guard let network else { return nil }
        tensors = network.tensors
    }

    package var parameterCount: Int { tensors.reduce(0) { $0 + $1.count } }

    /// Pixels of an image in MNIST's layout.
    private static let inputs = 784

    package func initialParameters(seed: UInt64) -> [Float] {
        network?.initialParameters(seed: seed) ?? [Float](repeating: 0, count: parameterCount)
    }
}
