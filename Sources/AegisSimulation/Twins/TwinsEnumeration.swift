/// All schedules of so many views for so many nodes, in a fixed order that goes all over them: any
/// first part of it is spread evenly. Of schedules that differ only in the twins' or the honest
/// nodes' names one is kept, so that the others are skipped.
package struct TwinsEnumeration: Sendable {
    package let nodes: Int
    package let views: Int
    /// Sets into which the processes may fall in one view.
    package let setsMax: Int
    /// What may happen in one view.
    package let choices: [TwinsSchedule.Step]
    /// Places in the enumeration: each choice in each view.
    package let count: UInt64
    private let stride: UInt64
    private let symmetries: [[Int]]

    /// Nil where there are more than can be counted.
    package init?(nodes: Int = 4, views: Int, setsMax: Int = 2) {
        self.nodes = nodes
        self.views = views
        self.setsMax = setsMax
        choices = Self.partitions(of: nodes + 1, into: setsMax).flatMap { sets in
            (0..<nodes).map { TwinsSchedule.Step(sets: sets, coordinator: UInt8($0)) }
        }.sorted()
        var count: UInt64 = 1
        for _ in 0..<views {
            let (product, isOver) = count.multipliedReportingOverflow(by: UInt64(choices.count))
            guard !isOver, product < 1 << 62 else { return nil }
            count = product
        }
        self.count = count
        stride = Self.stride(for: count)
        symmetries = Self.symmetries(choices, nodes: nodes)
    }

    /// The schedule at this place; nil where it is another one with the names changed.
    package subscript(index: UInt64) -> TwinsSchedule? {
        let (high, low) = index.multipliedFullWidth(by: stride)
        var rest = count.dividingFullWidth((high, low)).remainder
        var numbers: [Int] = []
        for _ in 0..<views {
            numbers.append(Int(rest % UInt64(choices.count)))
            rest /= UInt64(choices.count)
        }
        for symmetry in symmetries
        where numbers.lazy.map({ symmetry[$0] }).lexicographicallyPrecedes(numbers) {
            return nil
        }
        return TwinsSchedule(numbers.map { choices[$0] })
    }

    /// How many are left when names don't matter (Burnside's lemma).
    package var distinct: UInt64 {
        var sum: UInt64 = 0
        for symmetry in symmetries {
            let fixed = UInt64(symmetry.indices.count { symmetry[$0] == $0 })
            sum += (0..<views).reduce(1) { product, _ in product * fixed }
        }
        return sum / UInt64(symmetries.count)
    }

    /// An odd step near the golden section of `count` that has no divisor in common with it: places
    /// a multiple of it apart visit each once.
    private static func stride(for count: UInt64) -> UInt64 {
        var step = UInt64(Double(count) * 0.618_033_988_749_895) | 1
        while gcd(step, count) != 1 { step += 2 }
        return step
    }

    private static func gcd(_ left: UInt64, _ right: UInt64) -> UInt64 {
        right == 0 ? left : gcd(right, left % right)
    }

    /// Each way in which so many processes fall into at most so many sets (restricted growth).
    private static func partitions(of processes: Int, into setsMax: Int) -> [[UInt8]] {
        var all: [[UInt8]] = [[]]
        for _ in 0..<processes {
            all = all.flatMap { sets in
                let next = sets.isEmpty ? 0 : Int(sets.max() ?? 0) + 1
                return (0...min(next, setsMax - 1)).map { sets + [UInt8($0)] }
            }
        }
        return all
    }

    /// What each change of names makes of each choice.
    private static func symmetries(_ choices: [TwinsSchedule.Step], nodes: Int) -> [[Int]] {
        var symmetries: [[Int]] = []
        for honest in permutations(Array(1..<nodes)) {
            for isSwapped in [false, true] {
                // Where the process at a place comes from.
                let processes = (isSwapped ? [1, 0] : [0, 1]) + honest.map { $0 + 1 }
                symmetries.append(
                    choices.map { step in
                        let sets = canonical(processes.map { step.sets[$0] })
                        let coordinator =
                            step.coordinator == 0
                            ? 0 : (honest.firstIndex(of: Int(step.coordinator)) ?? 0) + 1
                        let renamed = TwinsSchedule.Step(
                            sets: sets, coordinator: UInt8(coordinator))
                        return choices.firstIndex(of: renamed) ?? 0
                    })
            }
        }
        return symmetries
    }

    /// The sets numbered in the order of their first member.
    private static func canonical(_ sets: [UInt8]) -> [UInt8] {
        var seen: [UInt8] = []
        return sets.map { set in
            if let number = seen.firstIndex(of: set) { return UInt8(number) }
            seen.append(set)
            return UInt8(seen.count - 1)
        }
    }

    private static func permutations(_ numbers: [Int]) -> [[Int]] {
        guard let first = numbers.first else { return [[]] }
        return permutations(Array(numbers.dropFirst())).flatMap { rest in
            (0...rest.count).map { position in
                var permutation = rest
                permutation.insert(first, at: position)
                return permutation
            }
        }
    }
}
