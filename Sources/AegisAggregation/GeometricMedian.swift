/// The point of least total distance, as weights of the rows.
///
/// Weiszfeld's iteration needs only the distances between the rows: it runs on the n×n matrix, and
/// the vectors are read once for that and once for the result. Whether a row itself is the median
/// is decided first (Vardi and Zhang 2000), since the iteration would creep there.
struct GeometricMedian {
    private let rows: Rows
    private static let stepsMax = 10_000
    /// Beyond this ratio of squared distances the matrix has no digits left for the near rows.
    private static let spreadMax = 1e12
    private static let tolerance = 1e-14

    init(_ rows: Rows) { self.rows = rows }

    /// Weights that sum to one.
    func weights() -> [Double] {
        let squared = rows.squaredDistances()
        let n = squared.count
        let distances = (0..<n).map { row in (0..<n).map { squared[row, $0].squareRoot() } }
        let totals = distances.map { $0.sorted().reduce(0, +) }
        let medoid = Selection.least(1, by: totals).first ?? 0
        if isMedian(medoid, squared, distances) {
            var weights = [Double](repeating: 0, count: n)
            weights[medoid] = 1
            return weights
        }
        let away = (0..<n).map { squared[medoid, $0] }.sorted()
        let typical = away[(n + 1) / 2]
        guard let farthest = away.last, farthest <= typical * Self.spreadMax else {
            return onVectors(from: medoid, distances[medoid])
        }
        return onMatrix(squared, about: medoid)
    }

    /// The pull of the others on row k is no stronger than the row's own weight.
    private func isMedian(_ k: Int, _ squared: DistanceMatrix, _ distances: [[Double]]) -> Bool {
        let others = (0..<squared.count).filter { squared[k, $0] > 0 }
        var pull = 0.0
        for i in others {
            for j in others {
                let product = squared[i, k] + squared[j, k] - squared[i, j]
                pull += product / (2 * distances[i][k] * distances[j][k])
            }
        }
        let own = Double(squared.count - others.count)
        return pull <= own * own
    }

    private func onMatrix(_ squared: DistanceMatrix, about centre: Int) -> [Double] {
        let n = squared.count
        // Inner products of the rows as seen from the central one.
        let products = (0..<n).map { i in
            (0..<n).map { j in
                (squared[i, centre] + squared[j, centre] - squared[i, j]) / 2
            }
        }
        let least = (0..<n).map { products[$0][$0] }.reduce(0, max) * 1e-30
        var weights = [Double](repeating: 1 / Double(n), count: n)
        for _ in 0..<Self.stepsMax {
            let pulls = products.map { row in zip(row, weights).reduce(0) { $0 + $1.0 * $1.1 } }
            let own = zip(pulls, weights).reduce(0) { $0 + $1.0 * $1.1 }
            let distances = (0..<n).map {
                max(products[$0][$0] - 2 * pulls[$0] + own, least).squareRoot()
            }
            let next = Self.normalised(distances.map { 1 / $0 })
            let change = zip(next, weights).reduce(0) { max($0, abs($1.0 - $1.1)) }
            weights = next
            if change < Self.tolerance { break }
        }
        return weights
    }

    /// The same steps with a pass over the vectors each, for rows so far apart that the matrix
    /// would not do.
    private func onVectors(from centre: Int, _ distances: [Double]) -> [Double] {
        let least = (distances.filter { $0 > 0 }.min() ?? 1) * 1e-12
        var weights = Self.normalised(distances.map { 1 / max($0, least * 1e6) })
        for _ in 0..<200 {
            let squared = rows.squaredDistances(to: Combination(weights: weights))
            let next = Self.normalised(squared.map { 1 / max($0.squareRoot(), least) })
            let change = zip(next, weights).reduce(0) { max($0, abs($1.0 - $1.1)) }
            weights = next
            if change < Self.tolerance { break }
        }
        return weights
    }

    private static func normalised(_ weights: [Double]) -> [Double] {
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }
}
