import Glibc

/// What the Rényi divergences of every real order prove about a composition (Mironov 2017, with
/// the conversion of Canonne, Kamath and Steinke 2020, Proposition 12): δ(ε) ≤
/// e^{K(θ) − θε}·θ^θ/(θ + 1)^{θ + 1}, where θ + 1 is the order.
struct RenyiBound {
    private let cumulants: Cumulants

    init(_ cumulants: Cumulants) { self.cumulants = cumulants }

    /// log δ + θ·ε as proved by θ, rounded up.
    private func logProved(_ tilt: Double) -> Double {
        let total = cumulants(tilt).total
        return total + 1e-12 * abs(total) + cumulants.uses * 4e-15
            - tilt * log1p(1 / tilt) - log1p(tilt)
    }

    /// Whether one of a few orders around `near` proves δ at ε.
    func shows(epsilon: Double, logDelta: Double, near: Double) -> Bool {
        [1.0, 1.3, 0.8, 2, 4, 0.5].contains {
            logProved(near * $0) - near * $0 * epsilon <= logDelta
        }
    }

    /// The least ε that any order proves at δ.
    func epsilon(logDelta: Double) -> Double {
        let divergence = max(0, cumulants(0).mean) + cumulants.uses * 1e-14
        // Total variation from the divergence of order one (Bretagnolle and Huber).
        if 0.5 * log(-expm1(-divergence)) <= logDelta { return 0 }
        let best = Self.least { (logProved($0) - logDelta) / $0 }
        return max(0, best)
    }

    /// log of the least δ that any order proves at ε.
    func logDelta(epsilon: Double) -> Double {
        let divergence = max(0, cumulants(0).mean) + cumulants.uses * 1e-14
        let variation = 0.5 * log(-expm1(-divergence))
        return min(0, variation, Self.least { logProved($0) - $0 * epsilon })
    }

    /// The minimum over θ > 0 of a function that falls and then rises.
    private static func least(_ value: (Double) -> Double) -> Double {
        func at(_ x: Double) -> Double {
            let result = value(exp(x))
            return result.isNaN ? .infinity : result
        }
        // Downhill in widening strides to a bracket.
        var middle = 2.0
        var valueMiddle = at(middle)
        var stride = 0.7
        if at(middle + 0.1) > valueMiddle { stride = -stride }
        var start = middle
        var end = middle + stride
        var valueEnd = at(end)
        while valueEnd < valueMiddle, abs(end) < 40 {
            (start, middle, valueMiddle) = (middle, end, valueEnd)
            stride *= 1.3
            end = middle + stride
            valueEnd = at(end)
        }
        if start == middle { start = middle - stride }
        var (low, high) = (min(start, end), max(start, end))
        let golden = 0.381_966_011_250_105
        for _ in 0..<24 where high - low > 2e-5 {
            let upper = high - middle > middle - low
            let guess =
                upper ? middle + golden * (high - middle) : middle - golden * (middle - low)
            let result = at(guess)
            if result < valueMiddle {
                if upper { low = middle } else { high = middle }
                (middle, valueMiddle) = (guess, result)
            } else if upper {
                high = guess
            } else {
                low = guess
            }
        }
        return valueMiddle
    }
}
