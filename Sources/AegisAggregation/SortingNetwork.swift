/// Comparisons that sort n values in an order fixed beforehand: the first row of each pair gets
/// the smaller value.
struct SortingNetwork {
    /// Pairs of row numbers, one after the other.
    let rows: [UInt16]
    var comparators: Int { rows.count / 2 }

    /// Batcher's odd-even merge sort for any count (Knuth, TAOCP 3, §5.2.2, Algorithm M), without
    /// the comparisons that decide nothing about the ranks wanted.
    init(count: Int, ranks: Range<Int>) {
        var live = [Bool](repeating: false, count: count)
        for rank in ranks { live[rank] = true }
        var kept: [(low: Int, high: Int)] = []
        for (low, high) in Self.full(count).reversed() where live[low] || live[high] {
            (live[low], live[high]) = (true, true)
            kept.append((low, high))
        }
        rows = kept.reversed().flatMap { [UInt16($0.low), UInt16($0.high)] }
    }

    private static func full(_ count: Int) -> [(low: Int, high: Int)] {
        guard count > 1 else { return [] }
        var comparators: [(low: Int, high: Int)] = []
        var top = 1
        while top * 2 < count { top *= 2 }
        var p = top
        while p > 0 {
            var (q, r, d) = (top, 0, p)
            while true {
                for index in 0..<max(0, count - d) where index & p == r {
                    comparators.append((index, index + d))
                }
                if q == p { break }
                (d, q, r) = (q - p, q / 2, p)
            }
            p /= 2
        }
        return comparators
    }
}
