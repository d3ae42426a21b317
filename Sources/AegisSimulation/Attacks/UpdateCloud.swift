/// The honest updates of a round as an adversary sees them. Binary64 throughout.
struct UpdateCloud {
    private let updates: [[Float]]
    /// μ, by coordinate.
    let mean: [Double]
    /// σ, by coordinate, with n − 1 in the divisor; zero for a single update.
    let deviation: [Double]

    init(_ updates: [[Float]]) {
        self.updates = updates
        let count = Double(updates.count)
        var mean = [Double](repeating: 0, count: updates[0].count)
        for update in updates {
            for index in mean.indices { mean[index] += Double(update[index]) }
        }
        for index in mean.indices { mean[index] /= count }
        var squares = [Double](repeating: 0, count: mean.count)
        for update in updates {
            for index in mean.indices {
                let difference = Double(update[index]) - mean[index]
                squares[index] += difference * difference
            }
        }
        self.mean = mean
        deviation = squares.map { ($0 / max(1, count - 1)).squareRoot() }
    }

    func mean(times factor: Double) -> [Float] { mean.map { Float($0 * factor) } }

    /// μ + reach · σ.
    func point(_ reach: Double) -> [Float] {
        mean.indices.map { Float(mean[$0] + reach * deviation[$0]) }
    }

    /// The largest γ ≥ 0 for which μ − γσ is within the honest updates' largest distance of each
    /// of them. For each update the squared distance is a quadratic in γ, so its root is exact.
    func reachWithinLargestDistance() -> Double {
        var largest = 0.0
        for (index, first) in updates.enumerated() {
            for second in updates[..<index] {
                largest = max(largest, squaredDistance(first, second))
            }
        }
        let square = dot(deviation, deviation)
        guard square > 0 else { return 0 }
        return updates.map { update in
            var (linear, constant) = (0.0, -largest)
            for index in mean.indices {
                let difference = mean[index] - Double(update[index])
                linear -= difference * deviation[index]
                constant += difference * difference
            }
            // The mean itself is within the bound, so the constant is at most zero.
            let root = max(0, linear * linear - square * constant).squareRoot()
            return max(0, (root - linear) / square)
        }.min() ?? 0
    }

    /// The largest γ ≥ 0 for which the squared distances of μ − γσ add up to no more than the
    /// largest sum of an honest update: Σ |μ − xᵢ|² + nγ²|σ|² at most that, as Σ (μ − xᵢ) = 0.
    func reachWithinLargestSum() -> Double {
        let square = dot(deviation, deviation)
        guard square > 0 else { return 0 }
        let largest =
            updates.map { first in updates.reduce(0.0) { $0 + squaredDistance(first, $1) } }
            .max() ?? 0
        let least = updates.reduce(0.0) { $0 + squaredDistance($1.map(Double.init), mean) }
        return (max(0, largest - least) / (Double(updates.count) * square)).squareRoot()
    }

    /// The update with the largest part along the direction in which the updates vary most; that
    /// direction by twenty steps of the power iteration from the deviation.
    func mostUnusual() -> Int {
        var direction = deviation
        for _ in 0..<20 {
            var next = [Double](repeating: 0, count: direction.count)
            for update in updates {
                let part = centredDot(update, direction)
                for index in next.indices {
                    next[index] += part * (Double(update[index]) - mean[index])
                }
            }
            let length = dot(next, next).squareRoot()
            guard length > 0 else { break }
            direction = next.map { $0 / length }
        }
        let parts = updates.map { centredDot($0, direction).magnitude }
        return parts.indices.max { parts[$0] < parts[$1] } ?? 0
    }

    private func centredDot(_ update: [Float], _ direction: [Double]) -> Double {
        var sum = 0.0
        for index in mean.indices {
            sum += (Double(update[index]) - mean[index]) * direction[index]
        }
        return sum
    }
}

func dot(_ left: [Double], _ right: [Double]) -> Double {
    var sum = 0.0
    for index in left.indices { sum += left[index] * right[index] }
    return sum
}

func squaredDistance(_ left: [Double], _ right: [Double]) -> Double {
    var sum = 0.0
    for index in left.indices {
        let difference = left[index] - right[index]
        sum += difference * difference
    }
    return sum
}

func squaredDistance(_ left: [Float], _ right: [Float]) -> Double {
    var sum = 0.0
    for index in left.indices {
        let difference = Double(left[index]) - Double(right[index])
        sum += difference * difference
    }
    return sum
}
