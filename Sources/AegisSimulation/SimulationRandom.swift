/// The one source of chance of a simulation (SplitMix64): the same seed, the same run.
package struct SimulationRandom: Sendable {
    private var state: UInt64

    package init(_ seed: UInt64) { state = seed &+ 0x9e37_79b9_7f4a_7c15 }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }

    /// A number below `bound`, which is positive.
    package mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    package mutating func number(in range: ClosedRange<Int>) -> Int {
        range.lowerBound + below(range.upperBound - range.lowerBound + 1)
    }

    /// True with this many chances in a thousand.
    package mutating func chance(_ perMille: Int) -> Bool { below(1_000) < perMille }

    /// Mostly near the least, sometimes far above: a heavy tail, as networks have.
    package mutating func delay(least: Int, usual: Int) -> Int {
        chance(30) ? least + below(usual * 40 + 1) : least + below(usual + 1)
    }
}
