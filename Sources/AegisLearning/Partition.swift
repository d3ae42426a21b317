/// How one data set is dealt out to the nodes of a demonstration or an experiment. Every node
/// computes the same slices from the public seed and keeps its own.
package enum Partition: Hashable, Sendable {
    /// Each node a random part of (almost) equal size.
    case uniform
    /// For each class the nodes' shares follow a symmetric Dirichlet distribution (Hsu, Qi and
    /// Brown 2019): the smaller the concentration α, the more a node's classes differ from the
    /// others'. Sizes differ too.
    case dirichlet(concentration: Double)
}

/// Why there is no partition.
package enum PartitionError: Error, Hashable, Sendable {
    case noNodes
    case tooFewRecords(records: Int, nodes: Int)
    case invalidConcentration
    /// A hundred draws each left some node with fewer records than asked for.
    case tooUneven(recordsMin: Int)
}

extension Partition {
    /// The record indices of each node, ascending, disjoint, together all of `labels`. A draw that
    /// leaves a node with fewer than `recordsMin` is repeated, further along the same stream.
    package func slices(
        labels: [UInt8], nodes: Int, seed: UInt64, recordsMin: Int = 1
    ) throws(PartitionError) -> [[Int]] {
        guard nodes > 0 else { throw .noNodes }
        guard labels.count / nodes >= recordsMin else {
            throw .tooFewRecords(records: labels.count, nodes: nodes)
        }
        var generator = SplitMix64(seed: seed)
        switch self {
        case .uniform:
            var order = Array(labels.indices)
            generator.permute(&order)
            return (0..<nodes).map { node in
                order[order.count * node / nodes..<order.count * (node + 1) / nodes].sorted()
            }
        case .dirichlet(let concentration):
            guard concentration >= 0.001, concentration <= 1e6 else {
                throw .invalidConcentration
            }
            for _ in 0..<100 {
                let slices = Self.dirichlet(
                    labels, nodes: nodes, concentration: concentration, &generator)
                if slices.allSatisfy({ $0.count >= recordsMin }) { return slices }
            }
            throw .tooUneven(recordsMin: recordsMin)
        }
    }

    private static func dirichlet(
        _ labels: [UInt8], nodes: Int, concentration: Double, _ generator: inout SplitMix64
    ) -> [[Int]] {
        var slices = [[Int]](repeating: [], count: nodes)
        for label in 0...(labels.max() ?? 0) {
            var members = labels.indices.filter { labels[$0] == label }
            generator.permute(&members)
            // In logarithms: with a small α a share underflows, but not all of them at once.
            let logs = (0..<nodes).map { _ in
                ExactMath.logGamma(shape: concentration, &generator)
            }
            let largest = logs.max() ?? 0
            let shares = logs.map { ExactMath.exp($0 - largest) }
            let total = shares.reduce(0, +)
            var sum = 0.0
            var start = 0
            for node in 0..<nodes {
                sum += shares[node]
                let end =
                    node == nodes - 1
                    ? members.count : Int((Double(members.count) * (sum / total)).rounded())
                slices[node] += members[start..<max(start, end)]
                start = max(start, end)
            }
        }
        return slices.map { $0.sorted() }
    }
}
