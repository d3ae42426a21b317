/// How a model does on records.
package struct Evaluation: Hashable, Sendable {
    /// The mean of the loss.
    package let loss: Double
    /// The share of records whose class scores highest; of binary outputs, of those on the right
    /// side of 0. Zero for squared error.
    package let accuracy: Double
    package let count: Int
}

extension Model {
    /// Whether the records can be given to this model, and the loss be taken of what it makes of
    /// them.
    package func fits(_ records: Records, loss: Loss) -> Bool {
        guard loss.fits(records.targets, outputs: outputs) else { return false }
        switch (records.features, layers.first) {
        case (.tokens(let values, _), .embeddingBag(let vocabulary, _)):
            return values.allSatisfy { $0 < vocabulary }
        case (.tokens, _), (_, .embeddingBag): return false
        case (.bytes, _), (.floats, _): return records.inputs == inputs
        }
    }

    /// Evaluates `parameters` on all of `records`, a micro-batch at a time.
    package func evaluate(
        _ parameters: [Float], on records: Records, loss: Loss = .crossEntropy, threads: Int = 1
    ) -> Evaluation {
        var tallies = [LossTally](repeating: LossTally(), count: threads)
        tallies.withUnsafeMutableBufferPointer { tallies in
            guard let tallies = tallies.baseAddress else { return }
            run(parameters, on: records, loss: loss, threads: threads) { thread, work, part in
                let tally = work.loss(records, part)
                tallies[thread].loss += tally.loss
                tallies[thread].correct += tally.correct
            }
        }
        let count = Double(records.count)
        return Evaluation(
            loss: tallies.reduce(0) { $0 + $1.loss } / count,
            accuracy: Double(tallies.reduce(0) { $0 + $1.correct }) / count,
            count: records.count)
    }

    /// What the model makes of each record, `outputs` numbers a record: logits, before any softmax
    /// or sigmoid.
    package func predictions(
        _ parameters: [Float], on records: Records, threads: Int = 1
    ) -> [Float] {
        [Float](unsafeUninitializedCapacity: records.count * outputs) { result, initialized in
            initialized = records.count * outputs
            guard let result = result.baseAddress else { return }
            run(parameters, on: records, loss: .squaredError, threads: threads) { _, work, part in
                (result + part.startIndex * outputs)
                    .initialize(from: work.logits, count: part.count * outputs)
            }
        }
    }

    /// Calls `body` after the forward pass of each micro-batch, on one of the threads.
    private func run(
        _ parameters: [Float], on records: Records, loss: Loss, threads: Int,
        _ body: (Int, Workspace, ArraySlice<Int>) -> Void
    ) {
        precondition(parameters.count == parameterCount, "parameters have the model's shape")
        let pool = WorkerPool(threads: threads)
        let indices = Array(0..<records.count)
        let rows = min(Workspace.suitableRows(for: self, views: 1), records.count)
        let workspaces = (0..<pool.threads).map { _ in
            Workspace(model: self, loss: loss, rowsMax: rows)
        }
        parameters.withUnsafeBufferPointer { parameters in
            guard let parameters = parameters.baseAddress else { return }
            pool.forEachThread { thread in
                let work = workspaces[thread]
                work.prepare(parameters)
                let mine = (0..<records.count).part(thread, of: pool.threads)
                for start in stride(from: mine.lowerBound, to: mine.upperBound, by: rows) {
                    let part = indices[start..<min(start + rows, mine.upperBound)]
                    work.forward(records, part)
                    body(thread, work, part)
                }
            }
        }
    }
}
