package import AegisCore
import CAggregation

/// Why an update is not admitted to a rule.
package enum IntakeError: Error, Hashable, Sendable {
    case wrongShape(expected: Int, actual: Int)
    /// The first value that is infinite or not a number.
    case notFinite(index: Int)
    case normAboveBound(norm: Double, bound: Double)
    /// Negative, not a number, or above what a participant may declare.
    case weightOutOfBounds(weight: Double, max: Double)
}

/// What every update must meet before a rule sees it. A rule's guarantee is about numbers: an
/// update with one NaN wins Krum in the libraries that let it in.
package struct IntakeCheck: Hashable, Sendable {
    package let parameterCount: Int
    /// The largest Euclidean norm: bounds a hostile update's pull to this over n under the mean.
    package let normMax: Double
    /// The largest weight: what bounds the pull of a participant that claims many examples.
    package let weightMax: Double

    package init(parameterCount: Int, normMax: Double, weightMax: Double = .infinity) {
        self.parameterCount = parameterCount
        self.normMax = normMax
        self.weightMax = weightMax
    }

    /// The update's norm, computed alike on every node, so that all admit or all refuse.
    @discardableResult
    package func check(_ update: some UpdateSource) throws(IntakeError) -> Double {
        guard update.count == parameterCount else {
            throw .wrongShape(expected: parameterCount, actual: update.count)
        }
        let squared = update.withBytes { sumOfSquares($0) { update.passed($0) } }
        // Squares of float32 values cannot overflow binary64: only a bad value makes a bad sum.
        guard squared.isFinite else {
            throw .notFinite(index: update.withBytes { firstNotFinite($0) })
        }
        let norm = squared.squareRoot()
        guard norm <= normMax else { throw .normAboveBound(norm: norm, bound: normMax) }
        return norm
    }

    /// The updates a rule may see, and why it may not see the others; both in the order given.
    package func admit(
        _ updates: [NodeUpdate]
    ) -> (admitted: [NodeUpdate], refused: [(node: NodeID, reason: IntakeError)]) {
        var admitted: [NodeUpdate] = []
        var refused: [(node: NodeID, reason: IntakeError)] = []
        for update in updates {
            do throws(IntakeError) {
                try checkWeight(update.weight)
                try check(update.values)
                admitted.append(update)
            } catch {
                refused.append((update.node, error))
            }
        }
        return (admitted, refused)
    }

    private func checkWeight(_ weight: Double) throws(IntakeError) {
        guard weight >= 0, weight <= weightMax, weight.isFinite else {
            throw .weightOutOfBounds(weight: weight, max: weightMax)
        }
    }
}

private func firstNotFinite(_ bytes: UnsafeRawBufferPointer) -> Int {
    let count = bytes.count / 4
    return (0..<count).first {
        !bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self).isFinite
    } ?? count
}

/// The sum of squares in binary64: eight lanes, value i in lane i mod 8, added up in a fixed tree.
/// The order is part of the protocol: another one gives other last bits, and another verdict.
/// `passed` hears which values have been read.
func sumOfSquares(
    _ bytes: UnsafeRawBufferPointer, passed: (Range<Int>) -> Void = { _ in }
) -> Double {
    guard let values = bytes.baseAddress else { return 0 }
    let level = aggregation_level_here()
    return withUnsafeTemporaryAllocation(of: Double.self, capacity: blockValues + 8) { scratch in
        guard let block = scratch.baseAddress else { return 0 }
        let lanes = block + blockValues
        lanes.initialize(repeating: 0, count: 8)
        var start = 0
        while start < bytes.count / 4 {
            let count = min(blockValues, bytes.count / 4 - start)
            aggregation_widen(level, values + 4 * start, count, block)
            let padded = (count + 7) / 8 * 8
            for index in count..<padded { block[index] = 0 }
            aggregation_squares(level, block, padded, 1, padded, nil, lanes)
            start += count
            if start.isMultiple(of: chunkValues) { passed(start - chunkValues..<start) }
        }
        return sum(ofLanes: lanes)
    }
}

/// Eight lanes of a sum: always in this tree.
func sum(ofLanes lanes: UnsafePointer<Double>) -> Double {
    let (a, b) = (lanes[0] + lanes[4], lanes[1] + lanes[5])
    let (c, d) = (lanes[2] + lanes[6], lanes[3] + lanes[7])
    return (a + c) + (b + d)
}
