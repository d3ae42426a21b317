import Glibc

/// The Rényi divergence of order α of one step of the sampled Gaussian mechanism, for adding or
/// removing one record (Mironov, Talwar and Zhang 2019, "Rényi Differential Privacy of the
/// Sampled Gaussian Mechanism").
///
/// By their Theorem 5 the divergence of the mixture from the Gaussian is the larger direction, so
/// that ε(α) = log A / (α − 1) with A = E[(1 + w)^α], w = q·(e^{(2z − 1)/2σ²} − 1), z ~ N(0, σ²).
/// Both forms below sum A − 1 rather than A: since E[w] = 0, every term is positive, and what is
/// small stays exact where A itself would round to one.
enum RenyiDivergence {
    static func sampledGaussian(_ mechanism: SampledGaussian, order: Double) -> Double {
        sampledGaussian(
            rate: mechanism.samplingRate, noise: mechanism.noiseMultiplier, order: order)
    }

    static func sampledGaussian(rate: Double, noise: Double, order: Double) -> Double {
        if rate == 0 { return 0 }
        if noise == 0 { return .infinity }
        if rate == 1 { return order / 2 / noise / noise }
        // With so little noise the largest term is all there is.
        let largest = order * (log(rate) + (order - 1) / 2 / noise / noise)
        if noise < 1e-3, largest > 1_000 { return largest / (order - 1) }
        let isWhole = order == order.rounded()
        if order > orderMax || (!isWhole && noise < quadratureNoiseMin) {
            let moment = LossMoments(SampledLoss(rate: rate, noise: noise), order: order).logMoment
            // Without sampling it is no less.
            guard moment.isFinite else { return order / 2 / noise / noise }
            return max(0, moment) / (order - 1)
        }
        let excess =
            isWhole
            ? logExcess(wholeOrder: Int(order), rate: rate, noise: noise)
            : logExcess(order: order, rate: rate, noise: noise)
        return softplus(excess) / (order - 1)
    }

    /// Below this σ, and above this order, the sums below would need too many terms.
    private static let quadratureNoiseMin = 0.1
    private static let orderMax = 4_096.0

    /// log(A − 1) for a whole order: the binomial sum of §3.3, whose terms k = 0 and 1 cancel
    /// against the one that is subtracted.
    private static func logExcess(wholeOrder order: Int, rate: Double, noise: Double) -> Double {
        let logRate = log(rate)
        let logRest = log1p(-rate)
        var logBinomial = log(Double(order))
        var sum = LogSum()
        for k in 2...order {
            logBinomial += log(Double(order - k + 1) / Double(k))
            let exponent = Double(k) * Double(k - 1) / (2 * noise * noise)
            let logGrowth = exponent > 36 ? exponent : log(expm1(exponent))
            sum.add(
                logBinomial + Double(order - k) * logRest + Double(k) * logRate + logGrowth)
        }
        return sum.value
    }

    /// log(A − 1) for any order, by the trapezoid rule over z. The integrand is analytic in a
    /// strip of half-width πσ² and falls off like a Gaussian, so the rule converges geometrically:
    /// with this step its error is far below that of binary64.
    private static func logExcess(order: Double, rate: Double, noise: Double) -> Double {
        let variance = noise * noise
        let step = min(noise / 2, variance / 4)
        let reach = 9 * noise
        let first = Int((-reach / step).rounded(.down))
        let last = Int(((order + reach) / step).rounded(.up))
        var sum = LogSum()
        for index in first...last {
            let z = Double(index) * step
            let growth = (2 * z - 1) / (2 * variance)
            sum.add(-z * z / (2 * variance) + logRemainder(growth, order: order, rate: rate))
        }
        return sum.value + log(step / noise) - 0.5 * log(2 * Double.pi)
    }

    /// log((1 + w)^α − 1 − αw) with w = q(e^u − 1): convex in w, hence never negative.
    private static func logRemainder(_ u: Double, order: Double, rate: Double) -> Double {
        // Beyond this e^u overflows, and all but q·e^u is below the last bit.
        guard u < 700 else { return order * (log(rate) + u) }
        let w = rate * expm1(u)
        if abs(order * w) < 0.02 {
            // Taylor from the second term on; the ninth is below 10⁻¹⁷ of the first.
            var term = order * (order - 1) / 2 * w * w
            var total = term
            for k in 3...9 {
                term *= (order - Double(k) + 1) / Double(k) * w
                total += term
            }
            return log(total)
        }
        let exponent = order * log1p(w)
        if exponent > 600 { return exponent }
        return log(expm1(exponent) - order * w)
    }

    /// log(1 + e^x)
    private static func softplus(_ x: Double) -> Double {
        x > 36 ? x : log1p(exp(x))
    }
}

/// A running sum of numbers given and kept as logarithms.
private struct LogSum {
    private var largest = -Double.infinity
    private var scaled = 0.0

    mutating func add(_ logarithm: Double) {
        if logarithm > largest {
            scaled = scaled * exp(largest - logarithm) + 1
            largest = logarithm
        } else if logarithm > largest - 745 {
            scaled += exp(logarithm - largest)
        }
    }

    var value: Double { largest + log(scaled) }
}
