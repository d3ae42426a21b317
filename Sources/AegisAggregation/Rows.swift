import CAggregation

/// The vectors a rule works on: the updates, or what the pre-steps made of them. They are never
/// stored as a whole; every pass makes them block by block.
struct Rows {
    /// Float32 values of any alignment, `length` of each.
    let sources: [UnsafeRawPointer]
    let length: Int
    let execution: Execution
    /// Where the values come from, to be told how far a pass has got.
    private let origins: [any UpdateSource]
    private(set) var stages: [Mixing] = []

    init(
        sources: [UnsafeRawPointer], of origins: [any UpdateSource], length: Int,
        execution: Execution
    ) {
        self.sources = sources
        self.origins = origins
        self.length = length
        self.execution = execution
    }

    var count: Int { stages.last?.rows.count ?? sources.count }

    func passed(_ range: Range<Int>) {
        for origin in origins { origin.passed(range) }
    }

    mutating func append(_ stage: Mixing) { stages.append(stage) }

    /// The weights of the sources that a weighted sum of the rows comes to.
    func sourceWeights(_ weights: [Double]) -> [Double] {
        stages.reversed().reduce(weights) { $1.sourceWeights($0) }
    }
}

/// New rows as sums of old ones: what every pre-step comes to.
struct Mixing {
    struct Row {
        /// Which of the old rows, ascending.
        let members: [Int]
        /// One for each member; nil where they are all one.
        let weights: [Double]?
        let divisor: Double
    }
    let rows: [Row]
    let sourceCount: Int

    func sourceWeights(_ weights: [Double]) -> [Double] {
        var result = [Double](repeating: 0, count: sourceCount)
        for (row, weight) in zip(rows, weights) where weight != 0 {
            for (position, member) in row.members.enumerated() {
                result[member] += weight * ((row.weights?[position] ?? 1) / row.divisor)
            }
        }
        return result
    }
}

/// One worker's memory for blocks of rows in binary64.
final class BlockReader {
    private let rows: Rows
    private let capacity: Int
    private let buffers: [UnsafeMutablePointer<Double>]
    private let level: aggregation_level

    /// For blocks of up to `capacity` values, a multiple of 16.
    init(_ rows: Rows, capacity: Int) {
        self.rows = rows
        self.capacity = capacity
        level = rows.execution.level
        let counts = [rows.sources.count] + rows.stages.map(\.rows.count)
        buffers = counts.map { allocateDoubles($0 * capacity) }
    }

    deinit {
        for buffer in buffers { buffer.deallocate() }
    }

    /// The rows at `range`, each `padded(range.count)` values long, the last of them zeros.
    func load(_ range: Range<Int>) -> UnsafeMutablePointer<Double> {
        let stride = padded(range.count)
        for (index, source) in rows.sources.enumerated() {
            let target = buffers[0] + index * stride
            aggregation_widen(level, source + 4 * range.lowerBound, range.count, target)
            for index in range.count..<stride { target[index] = 0 }
        }
        for (number, stage) in rows.stages.enumerated() {
            for (index, row) in stage.rows.enumerated() {
                let pointers = row.members.map {
                    Optional(UnsafeRawPointer(buffers[number] + $0 * stride))
                }
                aggregation_combine_f64(
                    level, pointers, row.weights, pointers.count, 0, stride, row.divisor,
                    buffers[number + 1] + index * stride)
            }
        }
        return buffers[buffers.count - 1]
    }
}

/// Kernels take whole vectors of values.
func padded(_ count: Int) -> Int { (count + 15) / 16 * 16 }

func allocateDoubles(_ count: Int) -> UnsafeMutablePointer<Double> {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 8 * max(1, count), alignment: 64)
        .bindMemory(to: Double.self, capacity: max(1, count))
    memory.initialize(repeating: 0, count: max(1, count))
    return memory
}

/// Values of a row that a pass over distances works on at once.
let blockValues = 512
/// Values whose sums one worker adds up in lanes before they join the total; a part of the
/// protocol like the lanes, since it decides the order of additions.
let chunkValues = 32_768

extension Rows {
    /// Sums over all coordinates: `add` adds a block's part to eight lanes for each of `sums`.
    /// Within a chunk value i goes to lane i mod 8; the chunks' sums are added up in order.
    func reduce(
        sums: Int,
        _ add: (
            _ reader: BlockReader, _ block: Range<Int>, _ lanes: UnsafeMutablePointer<Double>
        ) -> Void
    ) -> [Double] {
        var totals = [Double](repeating: 0, count: sums)
        let chunks = (length + chunkValues - 1) / chunkValues
        guard sums > 0, chunks > 0 else { return totals }
        let workers = min(execution.threads, chunks)
        let wave = min(chunks, max(workers, (8 << 20) / (8 * sums)))
        let partial = allocateDoubles(wave * sums)
        let lanes = (0..<workers).map { _ in allocateDoubles(8 * sums) }
        let readers = (0..<workers).map { _ in BlockReader(self, capacity: blockValues) }
        defer {
            partial.deallocate()
            for memory in lanes { memory.deallocate() }
        }
        for first in stride(from: 0, to: chunks, by: wave) {
            execution.forEach(min(wave, chunks - first)) { worker, index in
                let start = (first + index) * chunkValues
                let end = min(start + chunkValues, length)
                lanes[worker].update(repeating: 0, count: 8 * sums)
                for block in stride(from: start, to: end, by: blockValues) {
                    add(readers[worker], block..<min(block + blockValues, end), lanes[worker])
                }
                for sum in 0..<sums {
                    partial[index * sums + sum] = AegisAggregation.sum(
                        ofLanes: lanes[worker] + 8 * sum)
                }
                passed(start..<end)
            }
            for index in 0..<min(wave, chunks - first) {
                for sum in 0..<sums { totals[sum] += partial[index * sums + sum] }
            }
        }
        return totals
    }

    /// Calls `body` for every block of `width` values, the blocks spread over the workers. Returns
    /// the workers' memories.
    @discardableResult
    func forEachBlock<Memory>(
        width: Int, memory: () -> Memory,
        _ body: (_ memory: Memory, _ block: Range<Int>) -> Void
    ) -> [Memory] {
        // A worker takes a run of blocks at a time, so that it reads memory in order.
        let run = max(width, 16_384 / width * width)
        let runs = (length + run - 1) / run
        let memories = (0..<max(1, min(execution.threads, runs))).map { _ in memory() }
        execution.forEach(runs) { worker, index in
            let end = min((index + 1) * run, length)
            for start in stride(from: index * run, to: end, by: width) {
                body(memories[worker], start..<min(start + width, end))
            }
            passed(index * run..<end)
        }
        return memories
    }
}
