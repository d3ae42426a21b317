import AegisCore

/// A rule behind any number of pre-steps.
package struct Aggregator: Hashable, Sendable {
    package let preSteps: [PreStep]
    package let rule: AggregationRule
    package var execution: Execution

    package init(
        preSteps: [PreStep] = [], rule: AggregationRule, execution: Execution = Execution()
    ) {
        self.preSteps = preSteps
        self.rule = rule
        self.execution = execution
    }

    /// The aggregate of a round's updates, whatever their order. They have passed `IntakeCheck`.
    ///
    /// `reference` is the centre that centered clipping starts from, the last aggregate (zero
    /// without it), or the trusted update of `trustByReference`.
    package func aggregate(
        _ updates: [NodeUpdate], reference: (any UpdateSource)? = nil
    ) throws(AggregationError) -> Aggregation {
        var values = [Float](repeating: 0, count: updates.first?.values.count ?? 0)
        let explanation = values.withUnsafeMutableBufferPointer { values in
            Result { () throws(AggregationError) in
                try aggregate(updates, reference: reference, into: values)
            }
        }
        return Aggregation(values: values, explanation: try explanation.get())
    }

    /// The same into memory of the caller's, a mapped file perhaps; beyond it and the updates no
    /// rule takes more than 64 MiB.
    package func aggregate(
        _ updates: [NodeUpdate], reference: (any UpdateSource)? = nil,
        into result: UnsafeMutableBufferPointer<Float>
    ) throws(AggregationError) -> Explanation {
        let sorted = try checked(updates, reference: reference)
        precondition(result.count == sorted[0].values.count, "the result has the updates' shape")
        let outcome = withPointers(to: sorted.map(\.values) + [reference].compactMap { $0 }) {
            pointers in
            Result { () throws(AggregationError) in
                var rows = Rows(
                    sources: Array(pointers.prefix(sorted.count)), of: sorted.map(\.values),
                    length: result.count, execution: execution)
                for step in preSteps { rows.append(try step.mixing(of: rows)) }
                let combiner = Combiner(
                    rows: rows, updates: sorted,
                    reference: pointers.count > sorted.count ? pointers.last : nil,
                    result: result.baseAddress)
                return (rows, try combiner.combine(rule))
            }
        }
        let (rows, verdict) = try outcome.get()
        return verdict.explanation(of: sorted, rows: rows)
    }

    /// What the pre-steps make of the updates, in order of node id (of buckets where they end in
    /// buckets).
    package static func mixed(
        _ updates: [NodeUpdate], by preSteps: [PreStep], execution: Execution = Execution()
    ) throws(AggregationError) -> [[Float]] {
        let aggregator = Aggregator(preSteps: preSteps, rule: .mean, execution: execution)
        let sorted = try aggregator.checked(updates, reference: nil)
        let length = sorted[0].values.count
        let outcome = withPointers(to: sorted.map(\.values)) { pointers in
            Result { () throws(AggregationError) in
                var rows = Rows(
                    sources: pointers, of: sorted.map(\.values), length: length,
                    execution: execution)
                for step in preSteps { rows.append(try step.mixing(of: rows)) }
                let mixed = rows
                return (0..<mixed.count).map { row in
                    var one = Combination(weights: [Double](repeating: 0, count: mixed.count))
                    one.weights[row] = 1
                    return [Float](unsafeUninitializedCapacity: length) { values, initialized in
                        if let address = values.baseAddress { mixed.write(one, into: address) }
                        initialized = length
                    }
                }
            }
        }
        return try outcome.get()
    }

    /// The updates in order of node id.
    private func checked(
        _ updates: [NodeUpdate], reference: (any UpdateSource)?
    ) throws(AggregationError) -> [NodeUpdate] {
        let sorted = updates.sorted { $0.node < $1.node }
        guard let first = sorted.first else { throw .empty }
        let count = first.values.count
        for (index, update) in sorted.enumerated() {
            if index > 0, update.node == sorted[index - 1].node { throw .duplicate(update.node) }
            guard update.values.count == count else {
                throw .wrongShape(node: update.node, expected: count, actual: update.values.count)
            }
        }
        if let reference, reference.count != count {
            throw .referenceOfWrongShape(expected: count, actual: reference.count)
        }
        let needed = ([rule.updatesMin] + preSteps.map(\.updatesMin)).max() ?? 1
        let bucketed = preSteps.contains {
            if case .bucketing = $0 { true } else { false }
        }
        guard bucketed || sorted.count >= needed else {
            throw .tooFewUpdates(count: sorted.count, needed: needed)
        }
        return sorted
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
            atLeast(2, f, 1)
        case .krum(let f), .multiKrum(let f, _): atLeast(2, f, 3)
        case .bulyan(let f): atLeast(4, f, 3)
        }
    }

    /// f, where the rule has one.
    package var byzantine: Int? {
        switch self {
        case .mean, .weightedMean, .median, .weightedMedian, .trimmedMeanFraction,
            .geometricMedian, .smoothedWeiszfeld, .centeredClipping, .trustByReference:
            nil
        case .trimmedMean(let f), .weightedTrimmedMean(let f), .meanAroundMedian(let f),
            .minimumDiameter(let f), .monna(let f, _), .krum(let f), .multiKrum(let f, _),
            .bulyan(let f):
            f
        }
    }
}
