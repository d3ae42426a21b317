package import AegisLearning
package import AegisProtocol

/// The tensors of a run's model, known from its specification alone, and its first parameters.
package struct ModelShape: Sendable {
    package let tensors: [TensorDeclaration]
    /// Nil for a run without training.
    package let trained: Model?

    /// Nil for a model this node can't hold.
    package init?(_ specification: RunSpecification) {
        switch specification.model {
        case .softmax:
            trained = try? Model.softmax(inputs: Self.inputs, classes: DatasetFiles.classes)
        case .multilayerPerceptron(let hidden):
            trained = try? Model.multilayerPerceptron(
                inputs: Self.inputs, hidden: hidden, classes: DatasetFiles.classes)
        case .none(let parameters):
            trained = nil
            tensors = [TensorDeclaration(name: "parameters", shape: [parameters])]
            return
        }
        guard let trained else { return nil }
        tensors = trained.tensors
    }

    package var parameterCount: Int { tensors.reduce(0) { $0 + $1.count } }

    /// Pixels of an image in MNIST's layout.
    private static let inputs = 784

    package func initialParameters(seed: UInt64) -> [Float] {
        trained?.initialParameters(seed: seed) ?? [Float](repeating: 0, count: parameterCount)
    }
}
