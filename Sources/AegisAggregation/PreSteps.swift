import AegisCore

extension PreStep {
    /// What the step does to `rows`.
    func mixing(of rows: Rows) throws(AggregationError) -> Mixing {
        let n = rows.count
        switch self {
        case .nearestNeighbourMixing(let byzantine):
            try check(byzantine, n)
            let distances = rows.squaredDistances()
            return Mixing(
                rows: (0..<n).map { row in
                    let members = distances.nearest(to: row).prefix(n - byzantine).sorted()
                    return Mixing.Row(
                        members: members, weights: nil, divisor: Double(members.count))
                }, sourceCount: n)
        case .bucketing(let size, let order):
            guard size >= 1 else { throw .badParameter("s") }
            let order = try order.permutation(of: n)
            return Mixing(
                rows: stride(from: 0, to: n, by: size).map { start in
                    let members = order[start..<min(start + size, n)].sorted()
                    return Mixing.Row(
                        members: members, weights: nil, divisor: Double(members.count))
                }, sourceCount: n)
        case .adaptiveClipping(let byzantine):
            try check(byzantine, n)
            let norms = rows.squaredNorms().map { $0.squareRoot() }
            let clipped = Int(2 * Double(byzantine) / Double(n) * Double(n - byzantine))
            let radius = norms.sorted(by: >)[clipped]
            return Self.clipping(norms, to: radius)
        case .normClipping(let radius):
            guard radius > 0, radius.isFinite else { throw .badParameter("radius") }
            return Self.clipping(rows.squaredNorms().map { $0.squareRoot() }, to: radius)
        }
    }

    /// How many updates the step needs.
    package var updatesMin: Int {
        switch self {
        case .nearestNeighbourMixing(let f), .adaptiveClipping(let f): atLeast(2, f, 1)
        case .bucketing, .normClipping: 1
        }
    }

    private func check(_ byzantine: Int, _ count: Int) throws(AggregationError) {
        guard byzantine >= 0 else { throw .badParameter("f") }
        guard count >= updatesMin else {
            throw .tooFewUpdates(count: count, needed: updatesMin)
        }
    }

    private static func clipping(_ norms: [Double], to radius: Double) -> Mixing {
        Mixing(
            rows: norms.enumerated().map { index, norm in
                Mixing.Row(
                    members: [index], weights: norm > radius ? [radius / norm] : nil, divisor: 1)
            }, sourceCount: norms.count)
    }
}

extension BucketOrder {
    func permutation(of count: Int) throws(AggregationError) -> [Int] {
        switch self {
        case .permutation(let order):
            guard order.sorted() == Array(0..<count) else { throw .badParameter("perm") }
            return order
        case .seed(let seed):
            var generator = SeededGenerator(seed)
            var order = Array(0..<count)
            // Fisher and Yates, from the end.
            for last in stride(from: count - 1, to: 0, by: -1) {
                order.swapAt(last, Int(generator.below(UInt64(last + 1))))
            }
            return order
        }
    }
}

/// xoshiro256** (Blackman and Vigna 2021), its state the digest's 32 bytes as little-endian words.
struct SeededGenerator {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    init(_ seed: Digest) {
        let words = stride(from: 0, to: 32, by: 8).map { start in
            seed.bytes[start..<start + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        // Its one forbidden state.
        state = (words[0], words[1], words[2], words.allSatisfy { $0 == 0 } ? 1 : words[3])
    }

    mutating func next() -> UInt64 {
        let product = state.1 &* 5
        let result = (product << 7 | product >> 57) &* 9
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = state.3 << 45 | state.3 >> 19
        return result
    }

    /// Every value below `bound` alike: values that would favour some are drawn again.
    mutating func below(_ bound: UInt64) -> UInt64 {
        let limit = UInt64.max - UInt64.max % bound
        while true {
            let value = next()
            if value < limit { return value % bound }
        }
    }
}

/// factor·f + constant, for any f.
func atLeast(_ factor: Int, _ byzantine: Int, _ constant: Int) -> Int {
    factor * min(max(byzantine, 0), 1 << 40) + constant
}
