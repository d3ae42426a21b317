import Glibc

/// Tails of the binomial distribution, and the confidence limits that follow from them.
enum Binomial {
    /// P[Bin(n, p) ≥ k]: the regularised incomplete beta function I_p(k, n − k + 1).
    static func atLeast(_ k: Int, of n: Int, _ p: Double) -> Double {
        if k <= 0 { return 1 }
        if k > n { return 0 }
        return incompleteBeta(p, Double(k), Double(n - k + 1))
    }

    static func logProbability(_ k: Int, of n: Int, _ p: Double) -> Double {
        if p <= 0 { return k == 0 ? 0 : -.infinity }
        if p >= 1 { return k == n ? 0 : -.infinity }
        let choose = lgamma(Double(n + 1)) - lgamma(Double(k + 1)) - lgamma(Double(n - k + 1))
        return choose + Double(k) * log(p) + Double(n - k) * log1p(-p)
    }

    /// The p above which at most k of n successes have probability below α (Clopper and Pearson
    /// 1934).
    static func upperLimit(_ k: Int, of n: Int, _ alpha: Double) -> Double {
        guard k < n else { return 1 }
        return bisect { atLeast(k + 1, of: n, $0) <= 1 - alpha }
    }

    /// The p below which at least k of n successes have probability below α.
    static func lowerLimit(_ k: Int, of n: Int, _ alpha: Double) -> Double {
        guard k > 0 else { return 0 }
        return bisect { atLeast(k, of: n, $0) <= alpha }
    }

    /// The largest p of [0, 1] for which a condition holds that holds below and not above it.
    private static func bisect(_ holds: (Double) -> Bool) -> Double {
        var (low, high) = (0.0, 1.0)
        for _ in 0..<80 {
            let middle = low + (high - low) / 2
            if holds(middle) { low = middle } else { high = middle }
        }
        return low
    }

    /// I_x(a, b) by its continued fraction (NIST DLMF 8.17.22), on the side where it converges
    /// fast, with Lentz's algorithm.
    static func incompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
        if x <= 0 { return 0 }
        if x >= 1 { return 1 }
        if x > (a + 1) / (a + b + 2) { return 1 - incompleteBeta(1 - x, b, a) }
        let front = exp(
            lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
        let tiny = 1e-300
        var c = 1.0
        var d = 1 - (a + b) * x / (a + 1)
        d = 1 / (abs(d) < tiny ? tiny : d)
        var fraction = d
        for index in 1..<10_000 {
            let m = Double(index)
            for numerator in [
                m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
            ] {
                d = 1 + numerator * d
                d = 1 / (abs(d) < tiny ? tiny : d)
                c = 1 + numerator / c
                if abs(c) < tiny { c = tiny }
                fraction *= d * c
            }
            if abs(d * c - 1) < 1e-15 { break }
        }
        return min(1, front * fraction / a)
    }
}

/// The standard normal distribution.
enum Normal {
    static func below(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }

    /// The x with `below(x)` = p, by bisection and Newton's steps.
    static func quantile(_ p: Double) -> Double {
        if p <= 0 { return -.infinity }
        if p >= 1 { return .infinity }
        var (low, high) = (-40.0, 40.0)
        for _ in 0..<30 {
            let middle = (low + high) / 2
            if below(middle) < p { low = middle } else { high = middle }
        }
        var x = (low + high) / 2
        for _ in 0..<3 {
            let density = exp(-x * x / 2) / (2 * Double.pi).squareRoot()
            guard density > 0 else { break }
            let next = x - (below(x) - p) / density
            guard abs(next - x) < 1 else { break }
            x = next
        }
        return x
    }
}
