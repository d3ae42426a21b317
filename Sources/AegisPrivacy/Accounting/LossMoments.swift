import Glibc

/// One use of a sampled Gaussian, seen through its privacy loss
/// l(z) = log(1 − q + q·e^{(2z − 1)/2σ²}), the log-ratio of the mixture
/// (1 − q)·N(0, σ²) + q·N(1, σ²) to N(0, σ²).
struct SampledLoss: Sendable {
    /// 0 < q ≤ 1
    let rate: Double
    let noise: Double
    let variance: Double
    private let logRate: Double
    /// Where the two parts of the mixture weigh the same; −∞ where q = 1.
    private let crossing: Double
    /// Outcomes above this are left out.
    let limit: Double

    init(rate: Double, noise: Double, limit: Double = .infinity) {
        self.limit = limit
        self.rate = rate
        self.noise = noise
        variance = noise * noise
        logRate = log(rate)
        crossing = rate == 1 ? -.infinity : 0.5 + variance * (log1p(-rate) - logRate)
    }

    /// With `logLost`, without the outcomes that only e^{logLost} of the mixture exceeds. So the
    /// loss is bounded: its law has no tail so heavy that tilting makes more of it than of
    /// everything else, as it does at small q and large θ.
    init(_ phase: PrivacyPhase, logLost: Double? = nil) {
        let (rate, noise) = (phase.samplingRate, phase.noiseMultiplier)
        let limit = rate < 1 ? logLost.map { 1 + noise * (-2 * $0).squareRoot() } : nil
        self.init(rate: rate, noise: noise, limit: limit ?? .infinity)
    }

    /// The loss is above this everywhere.
    var floor: Double { log1p(-rate) }

    func loss(at z: Double) -> Double {
        let u = (z - 0.5) / variance
        if rate == 1 { return u }
        if u > 30 { return u + logRate + log1p((1 - rate) / rate * exp(-u)) }
        if u < -0.5, rate > 0.5 { return log((1 - rate) + rate * exp(u)) }
        return log1p(rate * expm1(u))
    }

    /// The inverse of `loss`; −∞ at and below the floor.
    func position(of loss: Double) -> Double {
        if rate == 1 { return 0.5 + variance * loss }
        if loss > 30 {
            return 0.5 + variance * (loss - logRate + log1p(-(1 - rate) * exp(-loss)))
        }
        let ratio = expm1(loss) / rate
        return ratio > -1 ? 0.5 + variance * log1p(ratio) : -.infinity
    }

    /// The posterior weight of the second part: dl/dz = share/σ².
    func share(at z: Double) -> Double {
        1 / (1 + exp(-(z - crossing) / variance))
    }

    /// How far the loss's next singularity is from `z` in the complex plane.
    private func analyticRadius(at z: Double) -> Double {
        let offset = z - crossing
        return (offset * offset + Double.pi * Double.pi * variance * variance).squareRoot()
    }

    /// How wide a panel of a quadrature rule may be that starts at `z`, in a direction.
    func panelWidth(at z: Double, _ fraction: Double) -> Double {
        fraction * min(noise, 0.5 * analyticRadius(at: z))
    }

    /// log of N(0, σ²)'s density times e^{α·l}, but for a constant.
    func logTilted(at z: Double, order: Double) -> Double {
        order * loss(at: z) - z * z / (2 * variance)
    }

    /// Where N(0, σ²)·e^{α·l} peaks: the fixed points of z = α·share(z), of which there are one or
    /// two that are maxima.
    func modes(order: Double) -> (low: Double, high: Double) {
        if rate == 1 { return (order, order) }
        if order <= 0 {
            // α·share is falling: one crossing.
            var (below, above) = (order, 0.0)
            for _ in 0..<60 {
                let middle = below + (above - below) / 2
                if order * share(at: middle) > middle { below = middle } else { above = middle }
            }
            return (below, below)
        }
        func settle(_ start: Double) -> Double {
            var z = start
            for _ in 0..<100 {
                let next = min(order * share(at: z), limit)
                if abs(next - z) < 0.02 * noise { return next }
                z = next
            }
            return z
        }
        return (settle(0), settle(min(order, limit)))
    }

    /// The panels that hold all of N(0, σ²)·e^{α·l} but a part e^{−cut} of its peak, ascending.
    func panels(order: Double, cut: Double, width fraction: Double) -> [(Double, Double)] {
        let (low, high) = modes(order: order)
        let peak = max(logTilted(at: low, order: order), logTilted(at: high, order: order))
        func walk(from start: Double, until end: Double, _ sign: Double) -> [(Double, Double)] {
            var found: [(Double, Double)] = []
            var z = start
            while sign * (end - z) > 0, found.count < 4_000 {
                var width = panelWidth(at: z, fraction)
                if limit.isFinite {
                    let slope = abs(order * share(at: z) - z) / variance
                    width = min(width, 10 / slope)
                }
                let next = sign > 0 ? min(end, z + width) : max(end, z - width)
                guard next != z else { break }
                found.append(sign > 0 ? (z, next) : (next, z))
                z = next
                if logTilted(at: z, order: order) < peak - cut { break }
            }
            return found
        }
        var panels: [(Double, Double)] = walk(from: low, until: -.infinity, -1).reversed()
        panels += walk(from: low, until: limit, 1)
        if let end = panels.last?.1, end < high {
            panels += walk(from: high, until: end, -1).reversed()
            panels += walk(from: high, until: limit, 1)
        }
        return panels
    }
}

/// log E[(P/Q)^α] under Q = N(0, σ²) and the first moments of the loss under the tilted law: the
/// cumulant function of the privacy loss, of either direction, for any real order.
///
/// With α = θ + 1 it is K(θ) of the loss when a record is removed, with α = −θ when one is added.
struct LossMoments: Sendable {
    let logMoment: Double
    /// Of l under the density proportional to N(0, σ²)·e^{α·l}.
    let mean: Double
    let variance: Double

    init(_ loss: SampledLoss, order: Double) {
        if loss.rate == 1 {
            let precision = 1 / loss.variance
            logMoment = order * (order - 1) / 2 * precision
            mean = (order - 0.5) * precision
            variance = precision
            return
        }
        let panels = loss.panels(order: order, cut: 46, width: 1)
        var peak = -Double.infinity
        for (a, b) in panels {
            peak = max(peak, loss.logTilted(at: a, order: order))
            peak = max(peak, loss.logTilted(at: b, order: order))
        }
        var (sum, first, second) = (0.0, 0.0, 0.0)
        // Offsets are exact where nearly all of the law is.
        let (low, high) = loss.modes(order: order)
        let isHigh = loss.logTilted(at: high, order: order) > loss.logTilted(at: low, order: order)
        let origin = loss.loss(at: isHigh ? high : low)
        for (a, b) in panels {
            let (half, middle) = ((b - a) / 2, (a + b) / 2)
            for (node, weight) in zip(GaussLegendre.nodes16, GaussLegendre.weights16) {
                for z in [middle - half * node, middle + half * node] {
                    let value = loss.loss(at: z)
                    let mass =
                        weight * half
                        * exp(order * value - z * z / (2 * loss.variance) - peak)
                    let offset = value - origin
                    sum += mass
                    first += mass * offset
                    second += mass * offset * offset
                }
            }
        }
        let logMoment = peak + log(sum / loss.noise) - 0.5 * log(2 * Double.pi)
        self.logMoment =
            abs(logMoment) < 1e-3 ? Self.smallLogMoment(loss, order, panels) : logMoment
        let average = first / sum
        mean = origin + average
        variance = max(0, second / sum - average * average)
    }

    /// log E[(1 + w)^α] as log(1 + E[(1 + w)^α − 1 − αw]), for E[w] = 0: in a thousand million uses
    /// at a tiny rate, what is less than the last bit of one matters.
    private static func smallLogMoment(
        _ loss: SampledLoss, _ order: Double, _ panels: [(Double, Double)]
    ) -> Double {
        var sum = 0.0
        for (a, b) in panels {
            let (half, middle) = ((b - a) / 2, (a + b) / 2)
            for (node, weight) in zip(GaussLegendre.nodes16, GaussLegendre.weights16) {
                for z in [middle - half * node, middle + half * node] {
                    let density = -z * z / (2 * loss.variance)
                    sum += weight * half * remainder(loss.loss(at: z), order, density)
                }
            }
        }
        return log1p(sum / loss.noise / (2 * Double.pi).squareRoot())
    }

    /// e^{αl} − 1 − α·(e^l − 1), which is never negative for α outside of (0, 1), times e^density.
    private static func remainder(_ loss: Double, _ order: Double, _ density: Double) -> Double {
        guard abs(loss) < 0.02, abs(order * loss) < 0.02 else {
            return exp(order * loss + density) - order * exp(loss + density)
                + (order - 1) * exp(density)
        }
        // Σ (α^k − α)·l^k/k! from the second term on.
        var (power, total, factor) = (order, 0.0, loss)
        for k in 2...9 {
            power *= order
            factor *= loss / Double(k)
            total += (power - order) * factor
        }
        return total * exp(density)
    }
}

/// Positive nodes and weights of Gauss and Legendre's rules on [−1, 1] (Abramowitz and Stegun,
/// Table 25.4).
enum GaussLegendre {
    static let nodes16 = [
        0.0950125098376374, 0.2816035507792589, 0.4580167776572274, 0.6178762444026438,
        0.7554044083550030, 0.8656312023878318, 0.9445750230732326, 0.9894009349916499,
    ]
    static let weights16 = [
        0.1894506104550685, 0.1826034150449236, 0.1691565193950025, 0.1495959888165767,
        0.1246289712555339, 0.0951585116824928, 0.0622535239386479, 0.0271524594117541,
    ]
    /// All five of the rule with five.
    static let nodes5 = [
        -0.9061798459386640, -0.5384693101056831, 0, 0.5384693101056831, 0.9061798459386640,
    ]
    static let weights5 = [
        0.2369268850561891, 0.4786286704993665, 0.5688888888888889, 0.4786286704993665,
        0.2369268850561891,
    ]
    /// With one at the negative, each of weight 1.
    static let node2 = 0.5773502691896258
    static let nodes3 = [-0.7745966692414834, 0, 0.7745966692414834]
    static let weights3 = [0.5555555555555556, 0.8888888888888889, 0.5555555555555556]
}
