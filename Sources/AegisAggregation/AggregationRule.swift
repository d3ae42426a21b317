package import AegisCore

/// One participant's update, as a rule sees it.
package struct NodeUpdate {
    package let node: NodeID
    package let values: any UpdateSource

    package init(node: NodeID, values: any UpdateSource) {
        self.node = node
        self.values = values
    }
}

/// Why a rule has no result.
package enum AggregationError: Error, Hashable, Sendable {
    case empty
    /// The rule needs more updates than these to bear its f.
    case tooFewUpdates(count: Int, needed: Int)
    case wrongShape(node: NodeID, expected: Int, actual: Int)
    case duplicate(NodeID)
    /// Base and aggregate are finite, their sum is not.
    case notFinite(index: Int)
}

/// How the updates of a round become one. Every node computes the result itself, and the mesh
/// votes on its digest, so each rule is bit-exact: sums in binary64 in a fixed order, one
/// division, one rounding to float32, no fused multiply-add, no library function, and zero is
/// always positive. Updates are finite: `IntakeCheck` comes first.
package enum AggregationRule: Hashable, Sendable {
    case mean
    /// Per coordinate, without the `byzantine` smallest and largest values (Yin et al. 2018).
    case trimmedMean(byzantine: Int)

    package var updatesMin: Int {
        switch self {
        case .mean: 1
        case .trimmedMean(let byzantine): 2 * byzantine + 1
        }
    }

    package func aggregate(_ updates: [NodeUpdate]) throws(AggregationError) -> [Float] {
        let sorted = updates.sorted { $0.node < $1.node }
        guard let first = sorted.first else { throw .empty }
        let count = first.values.count
        for (index, update) in sorted.enumerated() {
            if index > 0, update.node == sorted[index - 1].node { throw .duplicate(update.node) }
            guard update.values.count == count else {
                throw .wrongShape(node: update.node, expected: count, actual: update.values.count)
            }
        }
        guard sorted.count >= updatesMin else {
            throw .tooFewUpdates(count: sorted.count, needed: updatesMin)
        }
        let sources = sorted.map(\.values)
        return [Float](unsafeUninitializedCapacity: count) { result, initialized in
            switch self {
            case .mean: CoordinateRules.mean(of: sources, into: result)
            case .trimmedMean(let byzantine):
                CoordinateRules.trimmedMean(of: sources, trim: byzantine, into: result)
            }
            initialized = count
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
