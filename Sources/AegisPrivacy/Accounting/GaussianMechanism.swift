import Glibc

/// The Gaussian mechanism without sampling, exactly (Balle and Wang 2018, Theorem 8), where μ is
/// the sensitivity over the noise, 1/σ after one use and √(Σ 1/σ²) after several.
///
/// Their difference of two normal tails cancels where δ is tiny or μ small. Here it is one
/// integral with a positive integrand: δ(ε) = ∫₀^∞ φ(a + y)·(1 − e^{−μy}) dy with a = ε/μ − μ/2.
enum GaussianMechanism {
    /// log δ at ε, to about 10⁻¹⁵ of δ.
    static func logDelta(epsilon: Double, mu: Double) -> Double {
        guard mu > 0 else { return -.infinity }
        let a = epsilon / mu - mu / 2
        guard a < 1e150 else { return -.infinity }
        let peak = max(0, -a)
        let ceiling = a > 0 ? 0 : a * a / 2
        func exponent(_ y: Double) -> Double { -a * y - y * y / 2 - ceiling }
        var sum = 0.0
        // Below the peak everything that is not lost in the last bit; then until it is.
        var y = max(0, peak - 9.7)
        var width = min(1, y > 0 ? 1 : 2 / mu)
        while true {
            let slope = max(abs(a + y), 1)
            width = min(width, 1, 8 / slope)
            sum += panel(y, width) { exp(exponent($0)) * -expm1(-mu * $0) }
            y += width
            width *= 2
            if y > peak, exponent(y) < -46 { break }
        }
        let scale = a > 0 ? -a * a / 2 : 0
        return scale + log(sum) - 0.5 * log(2 * Double.pi)
    }

    /// The least ε with δ(ε) ≤ δ, rounded up; zero where the total variation is within δ.
    static func epsilon(logDelta target: Double, mu: Double) -> Double {
        guard mu > 0, target < 0 else { return 0 }
        guard target > -.infinity else { return .infinity }
        if logDelta(epsilon: 0, mu: mu) <= target { return 0 }
        // δ(ε) is at most a normal tail, which is at most exp(−a²/2).
        var above = mu * (mu / 2 + (-2 * target).squareRoot())
        var below = 0.0
        var valueAbove = logDelta(epsilon: above, mu: mu) - target
        var valueBelow = logDelta(epsilon: 0, mu: mu) - target
        // Regula falsi with Illinois' weights.
        for _ in 0..<100 where above - below > 1e-14 * above {
            var guess = (below * valueAbove - above * valueBelow) / (valueAbove - valueBelow)
            if !(guess > below && guess < above) { guess = below + (above - below) / 2 }
            let value = logDelta(epsilon: guess, mu: mu) - target
            if value > 0 {
                below = guess
                valueBelow = value
                valueAbove /= 2
            } else {
                above = guess
                valueAbove = value
                valueBelow /= 2
            }
            if value <= 0, value > -1e-13 { break }
        }
        return above * (1 + 1e-12)
    }

    /// The largest μ that keeps δ at ε within the target, rounded down.
    static func mu(epsilon: Double, logDelta target: Double) -> Double {
        var (below, above) = (0.0, 1.0)
        while logDelta(epsilon: epsilon, mu: above) <= target, above < 1e9 {
            below = above
            above *= 2
        }
        for _ in 0..<80 where above - below > 1e-15 * above {
            let middle = below + (above - below) / 2
            if logDelta(epsilon: epsilon, mu: middle) <= target {
                below = middle
            } else {
                above = middle
            }
        }
        return below * (1 - 1e-12)
    }

    private static func panel(
        _ start: Double, _ width: Double, _ value: (Double) -> Double
    ) -> Double {
        let (half, middle) = (width / 2, start + width / 2)
        var sum = 0.0
        for (node, weight) in zip(GaussLegendre.nodes16, GaussLegendre.weights16) {
            sum += weight * (value(middle - half * node) + value(middle + half * node))
        }
        return sum * half
    }
}
