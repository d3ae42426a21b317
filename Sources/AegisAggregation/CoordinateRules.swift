enum CoordinateRules {
    /// Per coordinate the sum over the updates in the order given, divided by their number.
    static func mean(of updates: [any UpdateSource], into result: UnsafeMutableBufferPointer<Float>)
    {
        let divisor = Double(updates.count)
        withUnsafeTemporaryAllocation(of: Double.self, capacity: blockValues) { sums in
            forEachBlock(of: result.count) { range in
                for index in 0..<range.count { sums[index] = 0 }
                for update in updates {
                    update.withValues(in: range) { values in
                        for index in 0..<range.count { sums[index] += Double(values[index]) }
                    }
                }
                divide(sums, by: divisor, into: result, at: range)
            }
        }
    }

    /// Per coordinate the values in ascending order without the first and last `trim`, added up in
    /// that order and divided by their number: independent of the order of the updates too.
    ///
    /// Sorting is a network of minima and maxima over whole blocks, so it has no branches, and its
    /// order of comparisons is the same on every machine.
    static func trimmedMean(
        of updates: [any UpdateSource], trim: Int,
        into result: UnsafeMutableBufferPointer<Float>
    ) {
        let network = sortingNetwork(updates.count)
        let divisor = Double(updates.count - 2 * trim)
        let capacity = updates.count * blockValues
        withUnsafeTemporaryAllocation(of: Float.self, capacity: capacity) { rows in
            withUnsafeTemporaryAllocation(of: Double.self, capacity: blockValues) { sums in
                guard let firstRow = rows.baseAddress else { return }
                rows.initialize(repeating: 0)
                forEachBlock(of: result.count) { range in
                    for (row, update) in updates.enumerated() {
                        let target = firstRow + row * blockValues
                        update.withValues(in: range) { values in
                            // Adding zero: a negative zero must not sort apart from a positive.
                            for index in 0..<range.count { target[index] = values[index] + 0 }
                        }
                    }
                    for (low, high) in network {
                        order(firstRow + low * blockValues, firstRow + high * blockValues)
                    }
                    for index in 0..<range.count { sums[index] = 0 }
                    for row in trim..<updates.count - trim {
                        let values = firstRow + row * blockValues
                        for index in 0..<range.count { sums[index] += Double(values[index]) }
                    }
                    divide(sums, by: divisor, into: result, at: range)
                }
            }
        }
    }
}

/// The smaller of each pair to `low`, the larger to `high`, over one block.
private func order(_ low: UnsafeMutablePointer<Float>, _ high: UnsafeMutablePointer<Float>) {
    typealias Vector = SIMD8<Float>
    // Raw accesses, eight values each: the memory is bound to Float, and is aligned to that only.
    let (low, high) = (UnsafeMutableRawPointer(low), UnsafeMutableRawPointer(high))
    for offset in stride(from: 0, to: blockValues * 4, by: Vector.scalarCount * 4) {
        let left = low.loadUnaligned(fromByteOffset: offset, as: Vector.self)
        let right = high.loadUnaligned(fromByteOffset: offset, as: Vector.self)
        let inOrder = left .< right
        storeUnaligned(right.replacing(with: left, where: inOrder), low + offset)
        storeUnaligned(left.replacing(with: right, where: inOrder), high + offset)
    }
}

@inline(__always)
private func storeUnaligned(_ vector: SIMD8<Float>, _ target: UnsafeMutableRawPointer) {
    target.storeBytes(of: vector, as: SIMD8<Float>.self)
}

private func divide(
    _ sums: UnsafeMutableBufferPointer<Double>, by divisor: Double,
    into result: UnsafeMutableBufferPointer<Float>, at range: Range<Int>
) {
    for index in 0..<range.count {
        result[range.lowerBound + index] = Float(sums[index] / divisor) + 0
    }
}

/// Batcher's odd-even merge sort for any count (Knuth, TAOCP 3, §5.2.2, Algorithm M).
func sortingNetwork(_ count: Int) -> [(low: Int, high: Int)] {
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
