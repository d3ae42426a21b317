import AegisCore

/// A rule behind any number of pre-steps.
package struct Aggregator: Hashable, Sendable {
    package let preSteps: [PreStep]
    package let rule: AggregationRule
    /// Threads to use. The result is the same for any number.
    package var threads: Int

    package init(preSteps: [PreStep] = [], rule: AggregationRule, threads: Int = 1) {
        self.preSteps = preSteps
        self.rule = rule
        self.threads = threads
    }

    /// The aggregate of a round's updates, whatever their order. They have passed `IntakeCheck`.
    ///
    /// `reference` is the centre that centered clipping starts from, the last aggregate (zero
    /// without it), or the trusted update of `trustByReference`.
    package func aggregate(
        _ updates: [NodeUpdate], reference: (any UpdateSource)? = nil
    ) throws(AggregationError) -> Aggregation {
        let sorted = updates.sorted { $0.node < $1.node }
        guard let first = sorted.first else { throw .empty }
        let count = first.values.count
        for (index, update) in sorted.enumerated() {
            if index > 0, update.node == sorted[index - 1].node { throw .duplicate(update.node) }
            guard update.values.count == count else {
                throw .wrongShape(node: update.node, expected: count, actual: update.values.count)
            }
        }
        guard sorted.count >= rule.updatesMin else {
            throw .tooFewUpdates(count: sorted.count, needed: rule.updatesMin)
        }
        let sources = sorted.map(\.values)
        let values = [Float](unsafeUninitializedCapacity: count) { result, initialized in
            switch rule {
            case .trimmedMean(let byzantine):
                CoordinateRules.trimmedMean(of: sources, trim: byzantine, into: result)
            default: CoordinateRules.mean(of: sources, into: result)
            }
            initialized = count
        }
        let verdicts = sorted.map {
            Explanation.Verdict(
                node: $0.node, isKept: true, share: 1 / Double(sorted.count), score: 0)
        }
        return Aggregation(
            values: values,
            explanation: Explanation(verdicts: verdicts, meaning: .weight, selected: nil))
    }
}

extension AggregationRule {
    /// How many updates the rule needs to bear its f.
    package var updatesMin: Int {
        switch self {
        case .mean, .weightedMean, .median, .weightedMedian, .trimmedMeanFraction,
            .geometricMedian, .smoothedWeiszfeld, .centeredClipping, .trustByReference:
            1
        case .trimmedMean(let f), .weightedTrimmedMean(let f), .meanAroundMedian(let f),
            .minimumDiameter(let f), .monna(let f, _):
            2 * f + 1
        case .krum(let f), .multiKrum(let f, _): 2 * f + 3
        case .bulyan(let f): 4 * f + 3
        }
    }
}

/// The round's new model: base + aggregate, one float32 addition each.
package func apply(
    base: [Float], aggregate: [Float]
) throws(AggregationError) -> [Float] {
    precondition(aggregate.count == base.count, "an aggregate has its base's shape")
    var worst: Float = 0
    let model = [Float](unsafeUninitializedCapacity: base.count) { model, initialized in
        aggregate.withUnsafeBufferPointer { aggregate in
            base.withUnsafeBufferPointer { base in
                for index in 0..<base.count {
                    // Adding zero makes a negative zero positive.
                    let value = base[index] + aggregate[index] + 0
                    model[index] = value
                    worst += value - value
                }
            }
        }
        initialized = base.count
    }
    if worst != 0, let index = model.firstIndex(where: { !$0.isFinite }) {
        throw .notFinite(index: index)
    }
    return model
}
