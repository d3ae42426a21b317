/// Why an update is not admitted to a rule.
package enum IntakeError: Error, Hashable, Sendable {
    case wrongShape(expected: Int, actual: Int)
    /// The first value that is infinite or not a number.
    case notFinite(index: Int)
    case normAboveBound(norm: Double, bound: Double)
}

/// What every update must meet before a rule sees it. A rule's guarantee is about numbers: an
/// update with one NaN wins Krum in the libraries that let it in.
package struct IntakeCheck: Hashable, Sendable {
    package let parameterCount: Int
    /// The largest Euclidean norm: bounds a hostile update's pull to this over n under the mean.
    package let normMax: Double

    package init(parameterCount: Int, normMax: Double) {
        self.parameterCount = parameterCount
        self.normMax = normMax
    }

    /// The update's norm, computed alike on every node, so that all admit or all refuse.
    @discardableResult
    package func check(_ update: some UpdateSource) throws(IntakeError) -> Double {
        guard update.count == parameterCount else {
            throw .wrongShape(expected: parameterCount, actual: update.count)
        }
        let squared = sumOfSquares(update)
        // Squares of float32 values cannot overflow binary64: only a bad value makes a bad sum.
        guard squared.isFinite else { throw .notFinite(index: firstNotFinite(update)) }
        let norm = squared.squareRoot()
        guard norm <= normMax else { throw .normAboveBound(norm: norm, bound: normMax) }
        return norm
    }

    private func firstNotFinite(_ update: some UpdateSource) -> Int {
        var found: Int?
        forEachBlock(of: update.count) { range in
            guard found == nil else { return }
            update.withValues(in: range) { values in
                found = values.firstIndex { !$0.isFinite }.map { range.lowerBound + $0 }
            }
        }
        return found ?? update.count
    }
}

/// The sum of squares in binary64: eight lanes, value i in lane i mod 8, added up in a fixed tree.
/// The order is part of the protocol: another one gives other last bits, and another verdict.
func sumOfSquares(_ update: some UpdateSource) -> Double {
    var lanes = SIMD8<Double>.zero
    forEachBlock(of: update.count) { range in
        update.withValues(in: range) { values in
            let whole = values.count / 8 * 8
            var index = 0
            while index < whole {
                let value = SIMD8<Double>(
                    Double(values[index]), Double(values[index + 1]),
                    Double(values[index + 2]), Double(values[index + 3]),
                    Double(values[index + 4]), Double(values[index + 5]),
                    Double(values[index + 6]), Double(values[index + 7]))
                lanes += value * value
                index += 8
            }
            while index < values.count {
                let value = Double(values[index])
                lanes[index - whole] += value * value
                index += 1
            }
        }
    }
    let four = lanes.lowHalf + lanes.highHalf
    let two = four.lowHalf + four.highHalf
    return two[0] + two[1]
}

func forEachBlock(of count: Int, _ body: (Range<Int>) -> Void) {
    var start = 0
    while start < count {
        let end = min(start + blockValues, count)
        body(start..<end)
        start = end
    }
}
