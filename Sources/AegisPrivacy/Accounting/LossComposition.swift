import Glibc

/// The composed privacy loss in a plan's window: the law of the sum, tilted, and what bounds its
/// numerical error.
///
/// The Fourier transform computes the sum modulo the window, so that what lies outside is folded
/// into it: more mass, never less, for a pessimistic answer; an optimistic one takes it off again.
struct LossComposition: Sendable {
    private let plan: LatticePlan
    private let transform: RealFFT
    /// Of all phases.
    private var spectrum: Spectrum
    /// Bounds the sum over all frequencies of the spectrum's error.
    private var spectrumError = 0.0
    private var totals = CompositionTotals()

    init(_ plan: LatticePlan) {
        self.plan = plan
        transform = RealFFT.length(plan.count)
        spectrum = Spectrum(count: plan.count / 2 + 1)
        for index in spectrum.real.indices { spectrum.real[index] = 1 }
    }

    /// One use of a mechanism in the frequency domain.
    func transformed(_ lattice: LatticeLoss) -> LatticeSpectrum {
        var folded = lattice.folded(plan.count)
        // The largest mass is transformed apart, exactly: where it is nearly all, as at a small
        // rate, the error is a share of the little that is left.
        var largest = 0
        for index in folded.indices where folded[index] > folded[largest] { largest = index }
        let atom = folded[largest]
        folded[largest] = 0
        var (rest, squares) = (0.0, 0.0)
        for mass in folded {
            rest += mass
            squares += mass * mass
        }
        var spectrum = transform.forward(folded)
        for k in 0..<spectrum.count {
            let root = transform.root(largest &* k)
            spectrum.real[k] += atom * root.real
            spectrum.imaginary[k] += atom * root.imaginary
        }
        // The error at a frequency is at most that share of the sum of all masses; nor more than
        // that share of the spectrum's 2-norm.
        let norm = min(rest, (squares * Double(plan.count)).squareRoot())
        return LatticeSpectrum(
            spectrum: spectrum, error: transform.relativeError * norm + 3.5e-16,
            moments: LatticeMoments(lattice, plan))
    }

    /// Adds `steps` uses.
    mutating func compose(_ one: LatticeSpectrum, steps: Int) {
        totals.add(one.moments, steps: steps)
        let uses = Double(steps)
        var error = 0.0
        for k in 0..<spectrum.count {
            let (real, imaginary) = (one.spectrum.real[k], one.spectrum.imaginary[k])
            let square = real * real + imaginary * imaginary
            let before =
                abs(spectrum.real[k]) + abs(spectrum.imaginary[k])
            // |f̂|^steps ≤ e^{−steps·(1 − |f̂|²)/2}
            if uses * (1 - square) > 180 {
                spectrum.real[k] = 0
                spectrum.imaginary[k] = 0
                error += 1e-39 * before
                continue
            }
            let magnitude = square.squareRoot()
            let relative = uses * (one.error / magnitude + 2.6e-16)
            let power = Self.power(real, imaginary, steps)
            let now = (
                spectrum.real[k] * power.0 - spectrum.imaginary[k] * power.1,
                spectrum.real[k] * power.1 + spectrum.imaginary[k] * power.0
            )
            spectrum.real[k] = now.0
            spectrum.imaginary[k] = now.1
            if relative < 0.1 {
                error += 1.06 * relative * (abs(now.0) + abs(now.1))
            } else {
                error += before * min(1, pow(11 * uses * (one.error + 1e-16), uses))
            }
        }
        // Both halves of the frequencies.
        spectrumError += 2 * error
    }

    private static func power(
        _ real: Double, _ imaginary: Double, _ exponent: Int
    ) -> (Double, Double) {
        var base = (real, imaginary)
        var result = (1.0, 0.0)
        var rest = exponent
        while rest > 0 {
            if rest & 1 == 1 {
                result = (
                    result.0 * base.0 - result.1 * base.1, result.0 * base.1 + result.1 * base.0
                )
            }
            rest >>= 1
            if rest > 0 {
                base = (base.0 * base.0 - base.1 * base.1, 2 * base.0 * base.1)
            }
        }
        return result
    }

    /// Back in the domain of losses, with Chernoff's bounds of what is outside of the window.
    /// Another plan may only differ in where the window is.
    func tail(in moved: LatticePlan? = nil) -> LossTail {
        let plan = moved ?? plan
        let masses = transform.inverse(spectrum)
        var (squares, sum) = (0.0, 0.0)
        for k in 0..<spectrum.count {
            let square =
                spectrum.real[k] * spectrum.real[k]
                + spectrum.imaginary[k] * spectrum.imaginary[k]
            squares += 2 * square
            sum += 2 * square.squareRoot()
        }
        let size = Double(plan.count)
        let error =
            spectrumError / size
            + transform.relativeError * min((squares / size).squareRoot(), sum / size)
        return totals.tail(plan, masses: masses, error: error)
    }
}

/// A mechanism's lattice in the frequency domain.
struct LatticeSpectrum: Sendable {
    let spectrum: Spectrum
    /// Bounds the error at each frequency.
    let error: Double
    let moments: LatticeMoments
}

/// What of a lattice adds up, use by use.
struct LatticeMoments: Sendable {
    let origin: Double
    let logTotal: Double
    let infinite: Double
    /// log E[e^{λL}] at the plan's two λ.
    let logMomentAbove: Double
    let logMomentBelow: Double

    init(_ lattice: LatticeLoss, _ plan: LatticePlan) {
        origin = lattice.origin
        logTotal = lattice.logTotal
        infinite = lattice.infinite
        logMomentAbove = lattice.logMoment(plan.lambdaAbove, step: plan.step)
        logMomentBelow = lattice.logMoment(plan.lambdaBelow, step: plan.step)
    }
}

/// The same of all uses.
struct CompositionTotals: Sendable {
    private var logTotal = 0.0
    private var infinite = 0.0
    private var logMomentAbove = 0.0
    private var logMomentBelow = 0.0
    /// The sum's loss where all indices are zero.
    private var offset = 0.0

    mutating func add(_ one: LatticeMoments, steps: Int) {
        logMomentAbove += Double(steps) * one.logMomentAbove
        logMomentBelow += Double(steps) * one.logMomentBelow
        offset += Double(steps) * one.origin
        logTotal += Double(steps) * one.logTotal
        infinite = min(1, infinite + Double(steps) * one.infinite)
    }

    /// The law in a window, with Chernoff's bounds of what is outside of it.
    /// `rotated`: how many points the masses are below where they belong.
    func tail(
        _ plan: LatticePlan, masses: [Double], error: Double, rotatedBy rotated: Int = 0
    ) -> LossTail {
        let origins = Int((offset / plan.step).rounded())
        let residue = offset - Double(origins) * plan.step
        // Modulo the window's length, a power of two.
        let rotation = origins &+ rotated
        func bound(_ logMoment: Double, _ lambda: Double, _ index: Int) -> Double {
            exp(min(0, logMoment - lambda * (Double(index) * plan.step + residue)))
        }
        return LossTail(
            plan: plan, masses: masses, rotation: rotation, residue: residue, error: error,
            logTotal: logTotal, infinite: infinite,
            above: bound(logMomentAbove, plan.lambdaAbove, plan.last),
            below: bound(logMomentBelow, plan.lambdaBelow, plan.first))
    }
}

/// A composed loss, to be asked for ε and δ.
///
/// δ(ε) = Σ p_k·(1 − e^{ε − kh})₊ is summed from the top down: with A the sum of the masses above
/// a point and D its δ, one point further down D becomes D·e^{−h} + A·(1 − e^{−h}). Every term is
/// positive. All is scaled by e^{−log total + θ·center·h}.
struct LossTail: Sendable {
    let plan: LatticePlan
    /// Of lattice point k is the mass at k − rotation, modulo the window's length.
    let masses: [Double]
    let rotation: Int
    /// Lattice point k has the loss k·h and this.
    let residue: Double
    /// Bounds the error of each mass.
    let error: Double
    let logTotal: Double
    /// P's mass at +∞, not tilted.
    let infinite: Double
    /// Bounds of the tilted masses above and below the window.
    let above: Double
    let below: Double

    /// How much of an answer at ε may be due to the bounds of numerical errors.
    func noise(atEpsilon epsilon: Double, logDelta: Double) -> Double {
        let points = 1 / (plan.tilt * plan.step) + Double(plan.count) / 64
        return error * points * exp(logTotal - plan.tilt * epsilon - logDelta)
    }

    private var logScale: Double {
        -logTotal + plan.tilt * loss(plan.center)
    }

    private func loss(_ index: Int) -> Double { Double(index) * plan.step + residue }

    /// An upper bound of the least ε whose δ is at most what is given; nil where this window does
    /// not show one.
    func epsilonAbove(logDelta: Double) -> Double? {
        let room = exp(logDelta) - infinite
        let logRoom = infinite == 0 ? logDelta : log(room)
        guard infinite == 0 || room > 0 else { return nil }
        let target = exp(logRoom + logScale) * (1 - 1e-12)
        guard target < 1e290 else { return nil }
        var walk = Walk(self, error: error)
        let rest = walk.unseen
        guard rest < target else { return nil }
        let floor = max(plan.first, 0)
        while walk.index > floor {
            let before = walk.delta
            walk.descend(self, error: error)
            if walk.delta + rest >= target {
                let share = (walk.delta + rest - target) / (walk.delta - before)
                return max(0, loss(walk.index) + log1p(expm1(plan.step) * share)) * (1 + 1e-12)
            }
        }
        return max(0, loss(floor))
    }

    /// A lower bound of it, from an optimistic lattice.
    func epsilonBelow(logDelta: Double) -> Double {
        let target = exp(logDelta + logScale) * (1 + 1e-12)
        let folded = above + below
        var walk = Walk(self, error: -error)
        var valueBefore = -Double.infinity
        while walk.index > max(plan.first, -1) {
            walk.descend(self, error: -error)
            let value = walk.delta - folded * walk.weight
            if value >= target {
                guard valueBefore.isFinite else { return max(0, loss(walk.index)) }
                let share = min(1, max(0, (value - target) / (value - valueBefore)))
                return max(0, loss(walk.index) + log1p(expm1(plan.step) * share)) * (1 - 1e-12)
            }
            valueBefore = value
        }
        return 0
    }

    /// An upper bound of δ at ε, of a pessimistic lattice; nil where ε is outside of this window.
    func deltaAbove(epsilon: Double) -> Double? {
        let position = epsilon / plan.step
        guard position < Double(plan.last - 1), position >= Double(plan.first) else { return nil }
        let index = Int(position.rounded(.down))
        var walk = Walk(self, error: error)
        let rest = walk.unseen
        guard walk.index > index + 1 else { return nil }
        while walk.index > index + 1 { walk.descend(self, error: error) }
        let upper = walk.delta
        walk.descend(self, error: error)
        let share =
            expm1(max(0, epsilon - Double(index) * plan.step)) / expm1(plan.step)
        let value = walk.delta + (upper - walk.delta) * min(1, share)
        return exp(log(value + rest) - logScale + 1e-12) + infinite
    }

    /// A position on the way down.
    private struct Walk {
        /// `delta` is the scaled δ at this lattice point.
        private(set) var index: Int
        private(set) var delta = 0.0
        /// e^{−θ·(index − center)·h}
        private(set) var weight: Double
        /// Bounds the δ of all that lies above the start.
        let unseen: Double
        private var mass = 0.0
        private let growth: Double
        private let shrink: Double
        private let gain: Double
        private let mask: Int

        init(_ tail: LossTail, error: Double) {
            let plan = tail.plan
            let rate = plan.tilt * plan.step
            // Further up a weight would be below binary64's range.
            let reach = Double(plan.center) + min(600 / rate, 1e15)
            index = min(plan.last, Int(reach))
            weight = exp(-rate * Double(index - plan.center))
            unseen = weight * tail.above + (index < plan.last ? 1e-250 : 0)
            growth = exp(rate)
            shrink = exp(-plan.step)
            gain = -expm1(-plan.step)
            mask = plan.count - 1
        }

        /// Takes in the mass at `index` and moves one point down.
        mutating func descend(_ tail: LossTail, error: Double) {
            mass += max(0, tail.masses[(index &- tail.rotation) & mask] + error) * weight
            delta = delta * shrink + mass * gain
            index -= 1
            weight *= growth
        }
    }
}
