import Glibc

/// The cumulant function of the composed privacy loss in one direction, K(θ) = Σ steps·K_i(θ),
/// and what the saddle point method makes of it (Alghamdi et al. 2023): a guess of δ and ε good
/// to a few per cent, from which the lattice is planned. No answer rests on it.
struct Cumulants: Sendable {
    let direction: Direction
    private let losses: [(loss: SampledLoss, steps: Double)]
    /// log of the P-mass that each use may lose to +∞.
    let logLost: Double

    /// How many uses there are in all.
    var uses: Double { losses.reduce(0) { $0 + $1.steps } }

    struct Values {
        var total = 0.0
        var mean = 0.0
        var variance = 0.0
    }

    /// With `logDelta`, of the loss without its part that is too rare to matter at that δ: all
    /// uses together lose e^{−18}·δ.
    init(_ components: [PrivacyPhase], _ direction: Direction, logDelta: Double? = nil) {
        self.direction = direction
        let uses = components.reduce(0) { $0 + Double($1.steps) }
        let logLost = logDelta.map { $0 - 18 - log(uses) }
        self.logLost = logLost ?? -.infinity
        let bounded = direction == .remove ? logLost : nil
        losses = components.map { (SampledLoss($0, logLost: bounded), Double($0.steps)) }
    }

    func callAsFunction(_ tilt: Double) -> Values {
        var values = Values()
        for (loss, steps) in losses {
            let flipped = direction == .add && loss.rate < 1
            let order = flipped ? -tilt : tilt + 1
            let moments = LossMoments(loss, order: order)
            values.total += steps * moments.logMoment
            values.mean += steps * (flipped ? -moments.mean : moments.mean)
            values.variance += steps * moments.variance
        }
        return values
    }

    /// log δ where the tilted law is taken for a normal one around ε = K′(θ).
    func guess(_ tilt: Double) -> (logDelta: Double, values: Values) {
        let values = self(tilt)
        let deviation = values.variance.squareRoot()
        let logDelta =
            values.total - tilt * values.mean
            + Self.logNormalTail(tilt: tilt, deviation: deviation)
        return (logDelta, values)
    }

    /// log E[e^{−θX}(1 − e^{−X})₊] for a normal X with mean 0.
    private static func logNormalTail(tilt: Double, deviation s: Double) -> Double {
        // With X = s·y it is the Gaussian mechanism's integral with a = θ·s and μ = s.
        let a = tilt * s
        return GaussianMechanism.logDelta(epsilon: (a + s / 2) * s, mu: s) + a * a / 2
    }

    /// Solves a falling function of the tilt for zero, between limits, to a relative tolerance;
    /// `least` where it is negative already there.
    private func solve(
        least: Double, tolerance: Double, _ value: (Double) -> Double
    ) -> Double {
        var below = least
        var valueBelow = value(below)
        if valueBelow <= 0 { return least }
        var above = below
        var valueAbove = valueBelow
        repeat {
            (below, valueBelow) = (above, valueAbove)
            above *= 8
            valueAbove = value(above)
        } while valueAbove > 0 && above < 1e15
        for _ in 0..<60 where above > below * (1 + tolerance) {
            let (x, y) = (log(below), log(above))
            var guess = x + (y - x) * valueBelow / (valueBelow - valueAbove)
            if !(guess > x + 0.01 * (y - x) && guess < y - 0.01 * (y - x)) { guess = (x + y) / 2 }
            let middle = exp(guess)
            let result = value(middle)
            if result > 0 {
                (below, valueBelow) = (middle, result)
                valueAbove /= 2
            } else {
                (above, valueAbove) = (middle, result)
                valueBelow /= 2
            }
        }
        return above
    }

    /// The least tilt worth using: below it the tilted law is the law. Where the loss has a heavy
    /// tail, even a fraction of a deviation's inverse can lead far into it.
    private var tiltLeast: Double { min(1, 0.2 / max(self(0).variance.squareRoot(), 1e-150)) }

    /// The tilt that suits the ε at which δ is what is given.
    func tilt(logDelta target: Double, tolerance: Double = 1e-2) -> Double {
        solve(least: tiltLeast, tolerance: tolerance) { guess($0).logDelta - target }
    }

    /// A tilt at most as large, under which the law is not torn in two. Where the loss has a heavy
    /// tail, the tilted law jumps into it at some θ; around there it is bulk and far tail at once,
    /// and as wide as the way between them.
    func regular(_ tilt: Double) -> Double {
        var tilt = tilt
        for _ in 0..<16 where self(tilt).variance > 3 * self(0.85 * tilt).variance {
            tilt *= 0.85
        }
        return tilt
    }

    /// The tilt whose mean is ε.
    func tilt(epsilon: Double) -> Double {
        solve(least: tiltLeast, tolerance: 1e-2) { epsilon - self($0).mean }
    }

    /// An approximation of ε at δ, not a bound.
    func epsilonGuess(logDelta: Double) -> Double {
        let tilt = tilt(logDelta: logDelta, tolerance: 1e-7)
        return self(tilt).mean
    }

    /// The distance from 0 beyond which the tilted law has a mass below e^{logLost}, on the side
    /// of `sign`, with the λ that proves it (Chernoff).
    func reach(
        from tilt: Double, _ values: Values, sign: Double, logLost: Double
    ) -> (end: Double, lambda: Double) {
        func end(_ logLambda: Double) -> Double {
            let lambda = exp(logLambda)
            let growth = self(tilt + sign * lambda).total - values.total
            return (growth - logLost) / lambda
        }
        let start = log((-2 * logLost).squareRoot() / max(values.variance.squareRoot(), 1e-150))
        let golden = 0.381_966_011_250_105
        var (low, high) = (min(start - 2, log(0.05 * tilt)), start + 1)
        var (x, y) = (low + golden * (high - low), high - golden * (high - low))
        var (valueX, valueY) = (end(x), end(y))
        for _ in 0..<12 {
            // Not a number where e^{λL} has no expectation that binary64 can hold.
            if !(valueX > valueY) {
                (high, y, valueY) = (y, x, valueX)
                x = low + golden * (high - low)
                valueX = end(x)
            } else {
                (low, x, valueX) = (x, y, valueY)
                y = high - golden * (high - low)
                valueY = end(y)
            }
        }
        return valueY < valueX
            ? (sign * valueY, sign * exp(y)) : (sign * valueX, sign * exp(x))
    }
}
