import CAggregation

/// All squared distances of n rows from each other.
struct DistanceMatrix {
    let count: Int
    private var values: [Double]

    init(count: Int) {
        self.count = count
        values = [Double](repeating: 0, count: count * count)
    }

    subscript(row: Int, column: Int) -> Double {
        get { values[row * count + column] }
        set {
            values[row * count + column] = newValue
            values[column * count + row] = newValue
        }
    }

    /// The rows nearest `row`, itself among them, the nearest first; of equals the first.
    func nearest(to row: Int) -> [Int] {
        (0..<count).sorted {
            (self[row, $0], $0) < (self[row, $1], $1)
        }
    }
}

/// A point as a weighted sum of the rows and of the reference, divided by `divisor`.
struct Combination {
    var weights: [Double]
    var divisor: Double = 1
    var referenceWeight: Double = 0
}

/// Pairs whose lanes one pass keeps: bounds a pass's memory to 16 MiB a worker.
private let pairsPerPass = 1 << 18

extension Rows {
    func squaredDistances() -> DistanceMatrix {
        var matrix = DistanceMatrix(count: count)
        let level = execution.level
        var first = 0
        while first < count - 1 {
            var last = first
            var pairs = 0
            repeat {
                pairs += count - 1 - last
                last += 1
            } while last < count - 1 && pairs + count - 1 - last <= pairsPerPass
            let sums = reduce(sums: pairs) { reader, block, lanes in
                let stride = padded(block.count)
                aggregation_pairs(
                    level, reader.load(block), stride, count, first, last, stride, lanes)
            }
            var next = sums.makeIterator()
            for row in first..<last {
                for column in row + 1..<count { matrix[row, column] = next.next() ?? 0 }
            }
            first = last
        }
        return matrix
    }

    func squaredNorms() -> [Double] {
        let level = execution.level
        return reduce(sums: count) { reader, block, lanes in
            let stride = padded(block.count)
            aggregation_squares(
                level, reader.load(block), stride, count, stride, nil, lanes)
        }
    }

    /// The squared distance of each row from a point.
    func squaredDistances(
        to point: Combination, reference: UnsafeRawPointer? = nil
    ) -> [Double] {
        let level = execution.level
        return reduce(sums: count) { reader, block, lanes in
            let stride = padded(block.count)
            let rows = reader.load(block)
            withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * stride) { scratch in
                guard let centre = scratch.baseAddress else { return }
                var pointers = (0..<count).map {
                    Optional(UnsafeRawPointer(rows + $0 * stride))
                }
                var weights = point.weights
                if let reference, point.referenceWeight != 0 {
                    let widened = centre + stride
                    widened.initialize(repeating: 0, count: stride)
                    aggregation_widen(
                        level, reference + 4 * block.lowerBound, block.count, widened)
                    pointers.append(UnsafeRawPointer(widened))
                    weights.append(point.referenceWeight)
                }
                aggregation_combine_f64(
                    level, pointers, weights, pointers.count, 0, stride, point.divisor, centre)
                aggregation_squares(level, rows, stride, count, stride, centre, lanes)
            }
        }
    }

    /// The inner product of each row, then of the reference, with the reference.
    func products(with reference: UnsafeRawPointer) -> [Double] {
        let level = execution.level
        return reduce(sums: count + 1) { reader, block, lanes in
            let stride = padded(block.count)
            let rows = reader.load(block)
            withUnsafeTemporaryAllocation(of: Double.self, capacity: stride) { scratch in
                guard let other = scratch.baseAddress else { return }
                other.initialize(repeating: 0, count: stride)
                aggregation_widen(level, reference + 4 * block.lowerBound, block.count, other)
                aggregation_products(level, rows, stride, count, stride, other, lanes)
                aggregation_squares(
                    level, other, stride, 1, stride, nil, lanes + 8 * count)
            }
        }
    }

    /// The point itself, rounded to float32.
    func write(
        _ point: Combination, reference: UnsafeRawPointer? = nil,
        into result: UnsafeMutablePointer<Float>
    ) {
        let level = execution.level
        var pointers: [UnsafeRawPointer?] = []
        var weights: [Double] = []
        let sourceWeights = stages.isEmpty ? point.weights : sourceWeights(point.weights)
        for (source, weight) in zip(sources, sourceWeights) where weight != 0 {
            pointers.append(source)
            weights.append(weight)
        }
        if let reference, point.referenceWeight != 0 {
            pointers.append(reference)
            weights.append(point.referenceWeight)
        }
        let plain = weights.allSatisfy { $0 == 1 }
        // Few rows are added up in registers: only their sums need the nearest cache.
        let width = pointers.count <= 16 ? 1024 : 8192
        pointers.withUnsafeBufferPointer { pointers in
            weights.withUnsafeBufferPointer { weights in
                let factors = plain ? nil : weights.baseAddress
                forEachBlock(width: width, memory: { OwnedDoubles(width) }) { sums, block in
                    aggregation_combine_f32(
                        level, pointers.baseAddress, factors, pointers.count,
                        block.lowerBound, block.count, point.divisor, sums.memory)
                    aggregation_round(
                        level, sums.memory, block.count, result + block.lowerBound)
                }
            }
        }
    }
}

/// Memory for doubles that is given back with its owner.
final class OwnedDoubles {
    let memory: UnsafeMutablePointer<Double>
    init(_ count: Int) { memory = allocateDoubles(count) }
    deinit { memory.deallocate() }
}
