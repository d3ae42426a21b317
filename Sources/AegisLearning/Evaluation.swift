/// How a model does on labelled records.
package struct Evaluation: Hashable, Sendable {
    /// Mean cross-entropy, in nats.
    package let loss: Double
    /// The share of records whose label scores highest.
    package let accuracy: Double
    package let count: Int
}

extension Network {
    /// Evaluates `parameters` on all of `records`, a micro-batch at a time.
    package func evaluate(_ parameters: [Float], on records: Records) -> Evaluation {
        precondition(parameters.count == parameterCount, "parameters have the network's shape")
        precondition(records.inputs == inputs && records.classes <= classes)
        let workspace = DenseWorkspace(network: self, rowsMax: min(256, records.count))
        let indices = Array(0..<records.count)
        var (loss, correct) = (0.0, 0)
        parameters.withUnsafeBufferPointer { parameters in
            guard let base = parameters.baseAddress else { return }
            for start in stride(from: 0, to: records.count, by: workspace.rowsMax) {
                let batch = indices[start..<min(start + workspace.rowsMax, records.count)]
                workspace.gather(records, batch)
                workspace.forward(rows: batch.count, parameters: base)
                let part = workspace.lossGradient(records, batch)
                loss += part.loss
                correct += part.correct
            }
        }
        let count = Double(records.count)
        return Evaluation(
            loss: loss / count, accuracy: Double(correct) / count, count: records.count)
    }
}
