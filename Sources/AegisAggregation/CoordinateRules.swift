import CAggregation

/// Rules that look at one coordinate after the other.
extension Rows {
    /// For each row how many of the coordinates looked at left its value out.
    struct LeftOut {
        let counts: [Int]
        let coordinates: Int
    }

    /// Per coordinate the mean of the values with the given ranks in ascending order: the median,
    /// the trimmed mean. Added up in ascending order, so whatever the order of the rows.
    func writeRanks(_ ranks: Range<Int>, into result: UnsafeMutablePointer<Float>) -> LeftOut {
        let network = SortingNetwork(count: count, ranks: ranks)
        // As many columns as keep the rows in the nearest cache.
        let width = stages.isEmpty && count <= 16 ? 64 : 256
        let tallies: [Tally]
        if stages.isEmpty {
            tallies = forEachBlock(width: width, memory: { FloatBlock(rows: count, width: width) })
            {
                sortFloats($0, at: $1, ranks, network, into: result)
            }.map(\.tally)
        } else {
            tallies = forEachBlock(width: width, memory: { DoubleBlock(self, width: width) }) {
                sortDoubles($0, at: $1, ranks, network, into: result)
            }.map(\.tally)
        }
        return Tally.sum(tallies, rows: count)
    }

    private func sortFloats(
        _ memory: FloatBlock, at block: Range<Int>, _ ranks: Range<Int>,
        _ network: SortingNetwork, into result: UnsafeMutablePointer<Float>
    ) {
        let level = execution.level
        let stride = padded(block.count)
        for (index, source) in sources.enumerated() {
            aggregation_copy(
                level, source + 4 * block.lowerBound, block.count,
                memory.rows + index * stride)
        }
        aggregation_sort_f32(level, memory.rows, stride, network.rows, network.comparators)
        aggregation_combine_f32(
            level, memory.pointers(to: ranks, stride: stride), nil, ranks.count, 0, block.count,
            Double(ranks.count), memory.sums)
        aggregation_round(level, memory.sums, block.count, result + block.lowerBound)
        memory.tally.sample(block) { row in
            aggregation_outside_f32(
                level, sources[row] + 4 * block.lowerBound, block.count,
                memory.rows + ranks.lowerBound * stride,
                memory.rows + (ranks.upperBound - 1) * stride)
        }
    }

    private func sortDoubles(
        _ memory: DoubleBlock, at block: Range<Int>, _ ranks: Range<Int>,
        _ network: SortingNetwork, into result: UnsafeMutablePointer<Float>
    ) {
        let level = execution.level
        let stride = padded(block.count)
        let rows = memory.reader.load(block)
        aggregation_sort_f64(level, rows, stride, network.rows, network.comparators)
        let sorted = ranks.map { Optional(UnsafeRawPointer(rows + $0 * stride)) }
        aggregation_combine_f64(
            level, sorted, nil, sorted.count, 0, block.count, Double(sorted.count), memory.sums)
        aggregation_round(level, memory.sums, block.count, result + block.lowerBound)
        guard memory.tally.wants(block) else { return }
        // The rows are sorted away: keep the bounds, and read the block again.
        let (low, high) = (memory.sums, memory.more)
        low.update(from: rows + ranks.lowerBound * stride, count: stride)
        high.update(from: rows + (ranks.upperBound - 1) * stride, count: stride)
        let unsorted = memory.reader.load(block)
        memory.tally.sample(block) { row in
            aggregation_outside_f64(level, unsorted + row * stride, block.count, low, high)
        }
    }

    /// Per coordinate the mean of the `keep` values of `members` nearest their median, equal gaps
    /// to the lowest index.
    func writeNearestMedian(
        of members: [Int], keep: Int, into result: UnsafeMutablePointer<Float>
    ) -> LeftOut {
        let level = execution.level
        let n = members.count
        let middle = (n - 1) / 2..<n / 2 + 1
        let toMedian = SortingNetwork(count: n, ranks: middle)
        let toLimit = SortingNetwork(count: n, ranks: keep - 1..<keep)
        let width = 128
        let memories = forEachBlock(
            width: width, memory: { GapBlock(self, width: width, members: n) }
        ) {
            memory, block in
            let stride = padded(block.count)
            let rows = memory.reader.load(block)
            for (index, member) in members.enumerated() {
                memory.rows.advanced(by: index * stride)
                    .update(from: rows + member * stride, count: stride)
            }
            memory.sorted.update(from: memory.rows, count: n * stride)
            aggregation_sort_f64(
                level, memory.sorted, stride, toMedian.rows, toMedian.comparators)
            let sorted = middle.map { Optional(UnsafeRawPointer(memory.sorted + $0 * stride)) }
            aggregation_combine_f64(
                level, sorted, nil, sorted.count, 0, stride, Double(sorted.count),
                memory.median)
            for index in 0..<n {
                aggregation_gaps(
                    level, memory.rows + index * stride, stride, memory.median,
                    memory.gaps + index * stride)
            }
            memory.sorted.update(from: memory.gaps, count: n * stride)
            aggregation_sort_f64(
                level, memory.sorted, stride, toLimit.rows, toLimit.comparators)
            let limit = memory.sorted + (keep - 1) * stride
            aggregation_nearest(
                level, memory.rows, n, stride, memory.gaps, limit, Double(keep), memory.left,
                memory.sums)
            aggregation_round(level, memory.sums, block.count, result + block.lowerBound)
            memory.tally.sample(block) { row in
                guard let index = members.firstIndex(of: row) else { return block.count }
                memory.median.update(repeating: 0, count: stride)
                return aggregation_outside_f64(
                    level, memory.gaps + index * stride, block.count, memory.median, limit)
            }
        }
        return Tally.sum(memories.map(\.tally), rows: count)
    }

    /// Per coordinate the values in ascending order, each with its row's weight: the mean of what
    /// lies between `low` and `high` of the total weight, or the value there if they are one.
    func writeWeighted(
        _ weights: [Double], from low: Double, to high: Double,
        into result: UnsafeMutablePointer<Float>
    ) {
        let level = execution.level
        let network = SortingNetwork(count: count, ranks: 0..<count)
        let width = 128
        forEachBlock(width: width, memory: { GapBlock(self, width: width, members: count) }) {
            memory, block in
            let stride = padded(block.count)
            let rows = memory.reader.load(block)
            for (index, weight) in weights.enumerated() {
                memory.gaps.advanced(by: index * stride)
                    .update(repeating: weight, count: stride)
            }
            aggregation_sort_weighted(
                level, rows, memory.gaps, stride, network.rows, network.comparators)
            aggregation_weighted_middle(
                level, rows, memory.gaps, count, stride, low, high, memory.left, memory.sums)
            aggregation_round(level, memory.sums, block.count, result + block.lowerBound)
        }
    }
}

/// One worker's count, in a sample of the blocks, of the values that were left out.
private final class Tally {
    private let width: Int
    private(set) var counts: [Int]
    private(set) var coordinates = 0

    init(rows: Int, width: Int) {
        self.width = width
        counts = [Int](repeating: 0, count: rows)
    }

    /// Every block of a small vector, then one in sixteen.
    func wants(_ block: Range<Int>) -> Bool {
        block.lowerBound < 4096 || (block.lowerBound / width).isMultiple(of: 16)
    }

    func sample(_ block: Range<Int>, _ outside: (_ row: Int) -> Int) {
        guard wants(block) else { return }
        for row in counts.indices { counts[row] += outside(row) }
        coordinates += block.count
    }

    /// Whole numbers, so that the sum is the same in any order.
    static func sum(_ tallies: [Tally], rows: Int) -> Rows.LeftOut {
        var counts = [Int](repeating: 0, count: rows)
        for tally in tallies {
            for row in counts.indices { counts[row] += tally.counts[row] }
        }
        return Rows.LeftOut(
            counts: counts, coordinates: tallies.reduce(0) { $0 + $1.coordinates })
    }
}

private final class FloatBlock {
    let tally: Tally
    private var stride = 0
    private var pointers: [UnsafeRawPointer?] = []
    let rows: UnsafeMutablePointer<Float>
    let sums: UnsafeMutablePointer<Double>

    init(rows count: Int, width: Int) {
        tally = Tally(rows: count, width: width)
        rows = UnsafeMutableRawPointer.allocate(byteCount: 4 * count * width, alignment: 64)
            .bindMemory(to: Float.self, capacity: count * width)
        rows.initialize(repeating: 0, count: count * width)
        sums = allocateDoubles(width)
    }

    /// The same ones for every block but the last.
    func pointers(to ranks: Range<Int>, stride: Int) -> [UnsafeRawPointer?] {
        if stride != self.stride {
            self.stride = stride
            pointers = ranks.map { UnsafeRawPointer(rows + $0 * stride) }
        }
        return pointers
    }

    deinit {
        rows.deallocate()
        sums.deallocate()
    }
}

private final class DoubleBlock {
    let reader: BlockReader
    let tally: Tally
    private let owned: OwnedDoubles
    var sums: UnsafeMutablePointer<Double> { owned.memory }
    let more: UnsafeMutablePointer<Double>

    init(_ rows: Rows, width: Int) {
        reader = BlockReader(rows, capacity: width)
        tally = Tally(rows: rows.count, width: width)
        owned = OwnedDoubles(2 * width)
        more = owned.memory + width
    }
}

private final class GapBlock {
    let reader: BlockReader
    let tally: Tally
    private let owned: OwnedDoubles
    let rows: UnsafeMutablePointer<Double>
    let sorted: UnsafeMutablePointer<Double>
    let gaps: UnsafeMutablePointer<Double>
    let median: UnsafeMutablePointer<Double>
    let left: UnsafeMutablePointer<Double>
    let sums: UnsafeMutablePointer<Double>

    init(_ rows: Rows, width: Int, members: Int) {
        reader = BlockReader(rows, capacity: width)
        tally = Tally(rows: rows.count, width: width)
        let size = members * width
        owned = OwnedDoubles(3 * size + 3 * width)
        self.rows = owned.memory
        sorted = owned.memory + size
        gaps = owned.memory + 2 * size
        median = owned.memory + 3 * size
        left = median + width
        sums = left + width
    }
}
