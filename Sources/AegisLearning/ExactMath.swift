/// Logarithm, exponential and what is built on them from IEEE operations alone: the C library's
/// differ in the last bit between versions, and nodes must agree on a partition to the record.
enum ExactMath {
    private static let ln2 = 0.693_147_180_559_945_3

    /// ln x for x > 0, by 2·artanh((m − 1)/(m + 1)) of the significand; good to some ulp.
    static func log(_ x: Double) -> Double {
        var significand = x.significand
        var exponent = Double(x.exponent)
        if significand > 1.414_213_562_373_095_1 {
            significand /= 2
            exponent += 1
        }
        let ratio = (significand - 1) / (significand + 1)
        let square = ratio * ratio
        var series = 0.0
        for k in stride(from: 27, through: 1, by: -2) { series = series * square + 1 / Double(k) }
        return exponent * ln2 + 2 * ratio * series
    }

    /// eˣ, as a power of two times the Taylor series of what is left, at most ln 2 / 2.
    static func exp(_ x: Double) -> Double {
        guard x > -700 else { return 0 }
        guard x < 700 else { return .infinity }
        let power = (x / ln2).rounded()
        let rest = x - power * ln2
        var series = 1.0
        for k in stride(from: 18, through: 1, by: -1) { series = 1 + rest / Double(k) * series }
        return Double(sign: .plus, exponent: Int(power), significand: series)
    }

    /// A standard normal by the polar method (Marsaglia and Bray 1964).
    static func normal(_ generator: inout SplitMix64) -> Double {
        while true {
            let (u, v) = (2 * generator.unit() - 1, 2 * generator.unit() - 1)
            let square = u * u + v * v
            if square > 0, square < 1 { return u * (-2 * log(square) / square).squareRoot() }
        }
    }

    /// ln of a gamma variate with this shape (Marsaglia and Tsang 2000; below one by their boost).
    static func logGamma(shape: Double, _ generator: inout SplitMix64) -> Double {
        guard shape >= 1 else {
            let boosted = logGamma(shape: shape + 1, &generator)
            return boosted + log(1 - generator.unit()) / shape
        }
        let d = shape - 1.0 / 3
        let c = 1 / (9 * d).squareRoot()
        while true {
            let x = normal(&generator)
            let root = 1 + c * x
            guard root > 0 else { continue }
            let v = root * root * root
            if log(1 - generator.unit()) < 0.5 * x * x + d - d * v + d * log(v) {
                return log(d * v)
            }
        }
    }
}
