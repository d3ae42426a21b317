/// What training makes small, of one record.
package enum Loss: String, Hashable, CaseIterable, Sendable {
    /// −log softmax(logits)[class], in nats.
    case crossEntropy = "cross-entropy"
    /// The mean over the outputs of log(1 + e^z) − t·z; a class counts as its number, 0 or 1.
    case binaryCrossEntropy = "binary-cross-entropy"
    /// The mean over the outputs of (y − t)².
    case squaredError = "squared-error"

    /// Whether a model with so many outputs can be trained or measured on these targets.
    package func fits(_ targets: Records.Targets, outputs: Int) -> Bool {
        switch (self, targets) {
        case (.crossEntropy, .classes(_, let count)): count <= outputs
        case (.crossEntropy, .values): false
        case (.binaryCrossEntropy, .classes(_, let count)): outputs == 1 && count <= 2
        case (.squaredError, .classes): outputs == 1
        case (.binaryCrossEntropy, .values(_, let width)), (.squaredError, .values(_, let width)):
            width == outputs
        }
    }
}
