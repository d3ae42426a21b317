package import AegisCore

/// The mean of updates that still arrive: adds each as soon as all before it, in order of node id,
/// are added or known to stay away. The result has the bits of `AggregationRule.mean` (or of
/// `weightedMean`) over the updates that came.
///
/// Holds a sum in binary64, twice an update's size, so that no update need be kept.
package struct StreamingMean {
    private enum Place { case awaited, absent, waiting(NodeUpdate), added }

    private let nodes: [NodeID]
    private let isWeighted: Bool
    private var places: [Place]
    private var sums: [Double]
    private var divisor = 0.0
    private var next = 0

    /// Of these nodes, with updates of `count` values.
    package init(nodes: some Sequence<NodeID>, count: Int, isWeighted: Bool = false) {
        self.nodes = Set(nodes).sorted()
        self.isWeighted = isWeighted
        places = self.nodes.map { _ in .awaited }
        sums = [Double](repeating: 0, count: count)
    }

    /// Nodes whose place is still open.
    package var awaited: [NodeID] {
        zip(nodes, places).compactMap { node, place in
            if case .awaited = place { node } else { nil }
        }
    }

    /// Whether `update` has been added and its memory may go; else it is kept until then. It has
    /// passed `IntakeCheck`.
    @discardableResult
    package mutating func add(_ update: NodeUpdate) throws(AggregationError) -> Bool {
        guard update.values.count == sums.count else {
            throw .wrongShape(
                node: update.node, expected: sums.count, actual: update.values.count)
        }
        guard update.weight >= 0, update.weight.isFinite else { throw .badWeights }
        let index = try place(of: update.node)
        places[index] = .waiting(update)
        advance()
        if case .added = places[index] { return true }
        return false
    }

    /// The node takes no part in this round.
    package mutating func leaveOut(_ node: NodeID) throws(AggregationError) {
        places[try place(of: node)] = .absent
        advance()
    }

    /// The mean of what came; whoever is still awaited takes no part.
    package mutating func finish() throws(AggregationError) -> [Float] {
        for node in awaited { try leaveOut(node) }
        guard places.contains(where: { if case .added = $0 { true } else { false } }) else {
            throw .empty
        }
        guard divisor > 0, divisor.isFinite else { throw .badWeights }
        // Adding zero makes a negative zero positive.
        return sums.map { Float($0 / divisor) + 0 }
    }

    private func place(of node: NodeID) throws(AggregationError) -> Int {
        guard let index = nodes.firstIndex(of: node) else { throw .unknownNode(node) }
        guard case .awaited = places[index] else { throw .duplicate(node) }
        return index
    }

    private mutating func advance() {
        while next < nodes.count {
            switch places[next] {
            case .awaited: return
            case .absent, .added: break
            case .waiting(let update):
                let weight = isWeighted ? update.weight : 1
                divisor += weight
                update.values.withBytes { values in
                    for index in sums.indices {
                        let value = values.loadUnaligned(
                            fromByteOffset: 4 * index, as: Float.self)
                        sums[index] += weight * Double(value)
                    }
                }
                places[next] = .added
            }
            next += 1
        }
    }
}
