/// Rules that choose rows by their distances.
enum Selection {
    /// Krum's score of each row among `members`: the sum of the squared distances to its nearest
    /// `neighbours` others, added up in ascending order (Blanchard et al. 2017, §4).
    static func krumScores(
        _ distances: DistanceMatrix, among members: [Int], neighbours: Int
    ) -> [Double] {
        members.map { row in
            members.filter { $0 != row }.map { distances[row, $0] }.sorted()
                .prefix(neighbours).reduce(0, +)
        }
    }

    /// The `count` rows of least score, ascending; of equals the first.
    static func least(_ count: Int, by scores: [Double]) -> [Int] {
        scores.indices.sorted { (scores[$0], $0) < (scores[$1], $1) }.prefix(count).sorted()
    }

    /// Bulyan's first half: n−2f rows, one by one the best of those left. Fewer than 2f+3 are left
    /// near the end, where Krum's number of neighbours would fall to none: it stays at one.
    static func bulyan(_ distances: DistanceMatrix, byzantine: Int) -> [Int] {
        var left = Array(0..<distances.count)
        var picked: [Int] = []
        while picked.count < distances.count - 2 * byzantine {
            let scores = krumScores(
                distances, among: left, neighbours: max(1, left.count - byzantine - 2))
            guard let best = least(1, by: scores).first else { break }
            picked.append(left.remove(at: best))
        }
        return picked.sorted()
    }
}

/// The subset of n−f rows whose largest distance is least; of equals the first in lexicographic
/// order. The rows to leave out are those that cover all pairs farther apart than some bound, a
/// vertex cover of at most f rows: searched exactly, and fast enough for any f a mesh has.
struct MinimumDiameter {
    private let distances: DistanceMatrix
    private let kept: Int
    private var stepsLeft = 20_000_000

    init(_ distances: DistanceMatrix, byzantine: Int) {
        self.distances = distances
        kept = distances.count - byzantine
    }

    mutating func subset() throws(AggregationError) -> [Int] {
        let rows = 0..<distances.count
        var bounds = Set<Double>([0])
        for row in rows {
            for column in rows.dropFirst(row + 1) { bounds.insert(distances[row, column]) }
        }
        let candidates = bounds.sorted()
        var (low, high) = (0, candidates.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if try first(within: candidates[middle]) != nil {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return try first(within: candidates[low], whole: true) ?? Array(0..<kept)
    }

    /// The first subset with no distance above `bound`, or any answer but nil where not `whole`.
    private mutating func first(
        within bound: Double, whole: Bool = false
    ) throws(AggregationError) -> [Int]? {
        let n = distances.count
        let conflicts = (0..<n).map { row in
            (0..<n).filter { $0 != row && distances[row, $0] > bound }
        }
        var open = [Bool](repeating: true, count: n)
        guard try canCover(conflicts, &open, n - kept) else { return nil }
        guard whole else { return [] }
        var chosen: [Int] = []
        var budget = n - kept
        for row in 0..<n where open[row] {
            guard chosen.count < kept else { break }
            let forced = conflicts[row].filter { open[$0] }
            var rest = open
            rest[row] = false
            for other in forced { rest[other] = false }
            if forced.count <= budget, try canCover(conflicts, &rest, budget - forced.count) {
                chosen.append(row)
                budget -= forced.count
                open[row] = false
                for other in forced { open[other] = false }
            } else {
                open[row] = false
                budget -= 1
            }
        }
        return chosen
    }

    /// Whether leaving out `budget` of the open rows leaves no conflict between the others.
    private mutating func canCover(
        _ conflicts: [[Int]], _ open: inout [Bool], _ budget: Int
    ) throws(AggregationError) -> Bool {
        var (worst, degree, edges) = (-1, 0, 0)
        for row in open.indices where open[row] {
            let here = conflicts[row].count { open[$0] }
            edges += here
            if here > degree { (worst, degree) = (row, here) }
        }
        stepsLeft -= open.count
        guard stepsLeft > 0 else { throw .tooCostly }
        guard degree > 0 else { return true }
        guard budget > 0, edges <= 2 * budget * degree else { return false }
        open[worst] = false
        defer { open[worst] = true }
        if try canCover(conflicts, &open, budget - 1) { return true }
        guard degree <= budget else { return false }
        let neighbours = conflicts[worst].filter { open[$0] }
        for row in neighbours { open[row] = false }
        defer { for row in neighbours { open[row] = true } }
        return try canCover(conflicts, &open, budget - degree)
    }
}
