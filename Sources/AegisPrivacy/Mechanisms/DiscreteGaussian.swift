package import AegisCore
import CNoise

/// The discrete Gaussian over the integers with σ = 2²⁴, drawn exactly: rejection from a discrete
/// Laplace, every coin from random bits, no floating-point number anywhere (Canonne, Kamath and
/// Steinke 2020, "The Discrete Gaussian for Differential Privacy", Algorithms 1 to 3, with t = σ).
/// A power of two makes every probability a dyadic one, up to the factorials of Algorithm 1.
///
/// The time of a draw depends on what is drawn, never on data: draw a whole block before the sum
/// is touched.
package enum DiscreteGaussian {
    package static let logDeviation = 24
    package static let deviation = Double(1 << logDeviation)

    /// Fills `values` with independent draws.
    package static func fill(
        _ values: UnsafeMutableBufferPointer<Int32>,
        using generator: inout some RandomBlockGenerator
    ) {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2_048) { words in
            var coins = Coins(words: words)
            for index in values.indices { values[index] = draw(&coins, &generator) }
            aegis_wipe(words.baseAddress, words.count * MemoryLayout<UInt64>.stride)
        }
    }

    /// Algorithm 3. The variance is that of the integers' own scale, so that |Y| − σ²/t is
    /// |Y| − σ, and the exponent (|Y| − σ)² / 2σ² has a power of two below.
    private static func draw(
        _ coins: inout Coins, _ generator: inout some RandomBlockGenerator
    ) -> Int32 {
        while true {
            let (magnitude, negative) = laplace(&coins, &generator)
            // More than sixty deviations out, with probability e⁻⁶⁰: as if drawn again, which
            // the bound on the number of draws makes part of δ.
            guard magnitude < 60 << UInt64(logDeviation) else { continue }
            let distance = Int64(magnitude) - (1 << Int64(logDeviation))
            let square = distance.magnitude * distance.magnitude
            if coins.exponential(square, over: 2 * logDeviation + 1, &generator) {
                return negative ? -Int32(magnitude) : Int32(magnitude)
            }
        }
    }

    /// Algorithm 2 with scale t = σ: a magnitude and a sign, zero once only.
    private static func laplace(
        _ coins: inout Coins, _ generator: inout some RandomBlockGenerator
    ) -> (magnitude: UInt64, negative: Bool) {
        while true {
            let fraction = coins.bits(logDeviation, &generator)
            guard coins.exponential(fraction, over: logDeviation, &generator) else { continue }
            var whole: UInt64 = 0
            while coins.exponentialOfOne(&generator) { whole += 1 }
            let magnitude = whole << UInt64(logDeviation) | fraction
            let negative = coins.bits(1, &generator) == 1
            if negative, magnitude == 0 { continue }
            return (magnitude, negative)
        }
    }
}

/// Random bits from a block of words, and the coins made of them.
private struct Coins {
    private let words: UnsafeMutableBufferPointer<UInt64>
    private var next: Int
    /// Bits left over for small requests.
    private var reservoir: UInt64 = 0
    private var reservoirCount = 0

    init(words: UnsafeMutableBufferPointer<UInt64>) {
        self.words = words
        next = words.count
    }

    private mutating func word(_ generator: inout some RandomBlockGenerator) -> UInt64 {
        if next == words.count {
            generator.fill(UnsafeMutableRawBufferPointer(words))
            next = 0
        }
        defer { next += 1 }
        return words[next]
    }

    /// A whole number of `count` random bits, 1 to 64.
    mutating func bits(_ count: Int, _ generator: inout some RandomBlockGenerator) -> UInt64 {
        if count > 32 { return word(&generator) >> UInt64(64 - count) }
        if reservoirCount < count {
            reservoir = word(&generator)
            reservoirCount = 64
        }
        defer {
            reservoir >>= UInt64(count)
            reservoirCount -= count
        }
        return reservoir & (1 << UInt64(count) - 1)
    }

    /// Heads with probability exp(−numerator / 2^exponent): one coin of exp(−1) for each whole
    /// unit, then Algorithm 1 for the rest.
    mutating func exponential(
        _ numerator: UInt64, over exponent: Int, _ generator: inout some RandomBlockGenerator
    ) -> Bool {
        for _ in 0..<(numerator >> UInt64(exponent)) {
            guard exponentialOfOne(&generator) else { return false }
        }
        let rest = numerator & (1 << UInt64(exponent) - 1)
        var trial = 1
        // Heads with probability rest / (2^exponent · trial).
        while bits(exponent, &generator) < rest, oneIn(trial, &generator) { trial += 1 }
        return trial & 1 == 1
    }

    /// Heads with probability exp(−1).
    mutating func exponentialOfOne(_ generator: inout some RandomBlockGenerator) -> Bool {
        var trial = 1
        while oneIn(trial, &generator) { trial += 1 }
        return trial & 1 == 1
    }

    /// Heads with probability 1 / `count`, by rejection.
    private mutating func oneIn(
        _ count: Int, _ generator: inout some RandomBlockGenerator
    ) -> Bool {
        if count == 1 { return true }
        let width = Int.bitWidth - (count - 1).leadingZeroBitCount
        while true {
            let value = bits(width, &generator)
            if value < UInt64(count) { return value == 0 }
        }
    }
}
