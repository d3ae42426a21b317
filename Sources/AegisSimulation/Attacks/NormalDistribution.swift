/// The normal distribution without a library function, so that an attack is the same on every
/// machine. Good to about twelve digits, which is more than an attack needs.
enum NormalDistribution {
    /// Φ⁻¹ by bisection of `cumulative`, within ±8.
    static func quantile(_ probability: Double) -> Double {
        var (low, high) = (-8.0, 8.0)
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if cumulative(middle) < probability { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }

    /// Φ(x) = ½ + φ(x) (x + x³/3 + x⁵/(3·5) + …) (Abramowitz and Stegun 26.2.11).
    static func cumulative(_ x: Double) -> Double {
        guard x.magnitude < 8 else { return x < 0 ? 0 : 1 }
        var (term, sum) = (x, x)
        for index in 1...200 {
            term *= x * x / Double(2 * index + 1)
            sum += term
        }
        return 0.5 + sum * exponential(-x * x / 2) / 2.506628274631000502
    }

    /// eˣ by the series at x / 2¹⁰ and ten squarings.
    private static func exponential(_ x: Double) -> Double {
        let small = x / 1_024
        var (term, sum) = (1.0, 1.0)
        for index in 1...12 {
            term *= small / Double(index)
            sum += term
        }
        for _ in 0..<10 { sum *= sum }
        return sum
    }

    /// ln x of a positive x: the exponent times ln 2, and 2 artanh((m − 1)/(m + 1)) of the rest.
    static func logarithm(_ x: Double) -> Double {
        let ratio = (x.significand - 1) / (x.significand + 1)
        let square = ratio * ratio
        var (power, sum) = (ratio, 0.0)
        for index in 0..<20 {
            sum += power / Double(2 * index + 1)
            power *= square
        }
        return Double(x.exponent) * 0.693147180559945309 + 2 * sum
    }
}

extension SimulationRandom {
    /// A standard normal number (Marsaglia's polar method; the second of each pair is not kept).
    mutating func normal() -> Double {
        while true {
            let x = 2 * unit() - 1
            let y = 2 * unit() - 1
            let square = x * x + y * y
            if square > 0, square < 1 {
                return x * (-2 * NormalDistribution.logarithm(square) / square).squareRoot()
            }
        }
    }

    /// A multiple of 2⁻⁵³ in [0, 1).
    private mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}
