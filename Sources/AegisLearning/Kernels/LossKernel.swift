import CLearning
import Glibc

/// What a micro-batch's outputs say: the sum of the losses, and how many records' class scored
/// highest.
struct LossTally {
    var loss = 0.0
    var correct = 0
}

/// Turns outputs into each row's loss and its gradient there, times `scale`.
struct LossKernel {
    let loss: Loss
    let outputs: Int
    let logits: Values
    let gradient: Values
    /// A micro-batch's classes or targets, one entry a row.
    private let classes: UnsafeMutablePointer<UInt8>
    private let numbers: Values

    init(
        _ loss: Loss, outputs: Int, logits: Values, gradient: Values, rowsMax: Int, arena: Arena
    ) {
        self.loss = loss
        self.outputs = outputs
        self.logits = logits
        self.gradient = gradient
        classes = UnsafeMutableRawPointer(arena.floats(rowsMax)).bindMemory(
            to: UInt8.self, capacity: rowsMax)
        numbers = arena.floats(rowsMax * outputs)
    }

    func apply(_ records: Records, _ indices: ArraySlice<Int>, views: Int) -> LossTally {
        gather(records, indices, views: views)
        let rows = indices.count * views
        let scale = 1 / Float(views)
        var tally = LossTally()
        switch loss {
        case .crossEntropy:
            aegis_softmax_loss(
                logits, classes, rows, outputs, scale, gradient, &tally.loss, &tally.correct)
        case .binaryCrossEntropy:
            for index in 0..<rows * outputs {
                let (z, t) = (logits[index], numbers[index])
                // log(1 + e^z) − tz without overflow.
                tally.loss += Double(max(z, 0) - t * z + log1pf(expf(-abs(z))))
                gradient[index] = (1 / (1 + expf(-z)) - t) * scale / Float(outputs)
                if (z > 0) == (t > 0.5) { tally.correct += 1 }
            }
            tally.loss /= Double(outputs)
            tally.correct /= outputs
        case .squaredError:
            for index in 0..<rows * outputs {
                let distance = logits[index] - numbers[index]
                tally.loss += Double(distance) * Double(distance)
                gradient[index] = 2 * distance * scale / Float(outputs)
            }
            tally.loss /= Double(outputs)
        }
        tally.loss /= Double(views)
        return tally
    }

    private func gather(_ records: Records, _ indices: ArraySlice<Int>, views: Int) {
        var row = 0
        for index in indices {
            for _ in 0..<views {
                switch records.targets {
                case .classes(let labels, _):
                    if loss == .crossEntropy {
                        classes[row] = labels[index]
                    } else {
                        numbers[row] = Float(labels[index])
                    }
                case .values(let values, let width):
                    for column in 0..<width {
                        numbers[row * width + column] = values[index * width + column]
                    }
                }
                row += 1
            }
        }
    }
}
