import Glibc

/// Where and how finely a composed loss is computed: a window of the lattice around the ε that is
/// looked for, wide enough that the tilted law is all but inside it.
struct LatticePlan: Sendable {
    let direction: Direction
    let tilt: Double
    /// h, in nats.
    let step: Double
    /// The window is `count` lattice points from `first` on; `count` is a power of two.
    private(set) var first: Int
    let count: Int
    /// Whether the points are further apart than they should be, since there may be no more.
    let isCoarse: Bool
    /// The lattice point next to the tilted law's mean, about ε.
    private(set) var center: Int
    /// λ of the Chernoff bounds above and below the window.
    let lambdaAbove: Double
    let lambdaBelow: Double
    /// log of the P-mass that each use may lose to +∞.
    let logLost: Double

    /// log of the part of the tilted law that makes up δ, about: e^{θ(ε − L)}·(1 − e^{ε − L})₊ on
    /// average.
    let logShare: Double

    var last: Int { first + count - 1 }

    /// Memory: a lattice has at most this many points, 8 bytes each, and a few copies. Time: that
    /// of four such lattices.
    static let pointsMax = 1 << 20
    /// For a first look at where the law is, and at its numerical error.
    static let pointsMaxRough = 1 << 17
    static let pointsWanted = 1 << 16
    private static let pointsMin = 1 << 13

    /// Nil where the numbers leave binary64's range or the lattice its limits.
    init?(
        _ cumulants: Cumulants, components: [PrivacyPhase], tilt: Double, logDelta: Double,
        pointsWanted: Int = LatticePlan.pointsWanted, pointsMax: Int = LatticePlan.pointsMax
    ) {
        var most = pointsMax
        while components.count * most > max(4 * Self.pointsMax, components.count << 17) {
            most /= 2
        }
        let (guess, values) = cumulants.guess(tilt)
        // How much of the tilted law may lie outside of the window on either side: next to
        // nothing beside the share of it that makes up δ.
        let share = min(guess, logDelta) - values.total + tilt * max(values.mean, 0)
        logShare = min(0, share)
        let outside = max(-60, logShare - 12)
        let above = cumulants.reach(from: tilt, values, sign: 1, logLost: outside)
        let below = cumulants.reach(from: tilt, values, sign: -1, logLost: outside)
        guard above.end.isFinite, below.end.isFinite, above.end > below.end,
            values.total.isFinite
        else { return nil }
        direction = cumulants.direction
        self.tilt = tilt
        lambdaAbove = above.lambda
        lambdaBelow = below.lambda
        let uses = components.reduce(0) { $0 + Double($1.steps) }
        // Only what lies from zero on is asked for, but what is below must not be folded into it.
        let window = above.end - below.end
        let deviation = values.variance.squareRoot()
        let scale = max(values.mean, 0.1 * deviation)
        // Connecting the dots adds h²/12 to the mean loss and h²/6 to the variance of each use:
        // uses·(θ + 1)·h²/12 to ε.
        let unit = (12 * scale / (uses * (tilt + 1))).squareRoot()
        var step = max(
            0.0045 * unit, min(0.02 * unit, window / Double(pointsWanted)))
        step = min(step, 0.05 / (tilt + 1), window / Double(Self.pointsMin))
        isCoarse = step < window / Double(most - 2)
        step = max(step, window / Double(most - 2))
        var count = Self.pointsMin
        while Double(count - 2) * step < window { count *= 2 }
        guard count <= most else { return nil }
        step = max(window / Double(count - 2), step / 2)
        guard step > 0, abs(below.end / step) < 1e15 else { return nil }
        self.step = step
        self.count = count
        first = Int((below.end / step).rounded(.down))
        center = Int((max(values.mean, 0) / step).rounded())
        logLost = cumulants.logLost
    }

    /// The same window elsewhere.
    func moved(by distance: Double) -> LatticePlan {
        var copy = self
        copy.first += Int((distance / step).rounded())
        copy.center = max(0, copy.center + Int((distance / step).rounded()))
        return copy
    }
}
