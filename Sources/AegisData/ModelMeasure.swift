package import AegisLearning
import Glibc

/// How a model does on records, in the metrics of their kind.
package enum ModelMeasure: Hashable, Sendable {
    case classes(ClassMetrics)
    /// In the target's own unit; the loss is the training's.
    case number(NumberMetrics, loss: Double)

    package init(
        _ model: Model, _ parameters: [Float], on records: Records, loss: Loss,
        target: TableTarget.Kind, threads: Int = 1
    ) {
        let outputs = model.predictions(parameters, on: records, threads: threads)
        switch (records.targets, target) {
        case (.classes(let labels, let count), _):
            self = .classes(
                ClassMetrics(
                    probabilities: Self.probabilities(
                        outputs, width: model.outputs, classes: count, loss: loss),
                    labels: labels.map(Int.init), classes: max(count, model.outputs, 2)))
        case (.values(let values, let width), _):
            let (low, high): (Double, Double) =
                if case .number(let min, let max) = target { (min, max) } else { (-1, 1) }
            func unscaled(_ value: Float) -> Double { low + (Double(value) + 1) / 2 * (high - low) }
            let mean =
                zip(outputs, values).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
                / Double(max(outputs.count, 1))
            precondition(width == model.outputs, "the records fit the model")
            self = .number(
                NumberMetrics(predicted: outputs.map(unscaled), actual: values.map(unscaled)),
                loss: mean)
        }
    }

    package var loss: Double {
        switch self {
        case .classes(let metrics): metrics.loss
        case .number(_, let loss): loss
        }
    }

    package var accuracy: Double? {
        if case .classes(let metrics) = self { metrics.accuracy } else { nil }
    }

    package var count: Int {
        switch self {
        case .classes(let metrics): metrics.count
        case .number(let metrics, _): metrics.count
        }
    }

    /// Logits as probabilities: softmax, or for a single binary output the sigmoid and its rest.
    private static func probabilities(
        _ logits: [Float], width: Int, classes: Int, loss: Loss
    ) -> [Float] {
        guard width > 1 else {
            return logits.flatMap { logit -> [Float] in
                let clamped = loss == .squaredError ? min(max(logit, 0), 1) : 1 / (1 + expf(-logit))
                return [1 - clamped, clamped]
            }
        }
        var result = logits
        for start in stride(from: 0, to: logits.count, by: width) {
            let largest = logits[start..<start + width].max() ?? 0
            var sum: Float = 0
            for index in start..<start + width {
                result[index] = expf(logits[index] - largest)
                sum += result[index]
            }
            for index in start..<start + width { result[index] /= sum }
        }
        return result
    }
}
