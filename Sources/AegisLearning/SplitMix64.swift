import AegisCore

/// SplitMix64 (Steele, Lea and Flood 2014) for what must come out alike on every node from a
/// public seed: initial parameters, partitions. Never for noise or sampling: its stream is known
/// to whoever knows the seed.
///
/// state += 0x9e3779b97f4a7c15; z = state; z = (z ^ z >> 30) · 0xbf58476d1ce4e5b9;
/// z = (z ^ z >> 27) · 0x94d049bb133111eb; the output is z ^ z >> 31. All modulo 2⁶⁴.
package struct SplitMix64: SplittableGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// Of the same kind, at another place of the period.
    package mutating func split() -> SplitMix64 { SplitMix64(seed: next()) }

    /// A multiple of 2⁻⁵³ in [0, 1): the high 53 bits of one output.
    mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// A whole number below `bound`: the high half of the 128-bit product of one output and the
    /// bound. The bias, below bound · 2⁻⁶⁴, is part of the definition.
    mutating func below(_ bound: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// Fisher and Yates, from the last position down.
    mutating func permute(_ values: inout [Int]) {
        guard values.count > 1 else { return }
        for index in stride(from: values.count - 1, to: 0, by: -1) {
            values.swapAt(index, below(index + 1))
        }
    }
}
