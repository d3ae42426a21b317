/// Chance in a simulation (SplitMix64): the same seed, the same run. Each part of it has a stream
/// of its own, so that one fault less leaves the draws of the others alone.
package struct SimulationRandom: RandomNumberGenerator, Sendable {
    package enum Stream: UInt64, Sendable {
        case options = 1
        case network, process, clock, work, traitor
    }

    private var state: UInt64

    package init(_ seed: UInt64, stream: Stream) {
        state = (seed &+ stream.rawValue &* 0xd1b5_4a32_d192_ed03) &* 0x9e37_79b9_7f4a_7c15
        state = next()
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return state.mixed
    }

    /// A number below `bound`, which is positive.
    package mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    package mutating func number(in range: ClosedRange<Int>) -> Int {
        range.lowerBound + below(range.upperBound - range.lowerBound + 1)
    }

    /// True with this many chances in a thousand.
    package mutating func chance(_ perMille: Int) -> Bool { below(1_000) < perMille }
}

extension UInt64 {
    /// Every bit of it in every bit (the last step of SplitMix64).
    @inline(__always)
    var mixed: UInt64 {
        var word = (self ^ (self >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}
