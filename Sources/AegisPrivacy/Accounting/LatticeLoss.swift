import Glibc

/// Which of the two neighbouring data sets has the record.
enum Direction: Sendable {
    /// The mechanism's output is that with the record: P is the mixture, Q the Gaussian.
    case remove
    /// P is the Gaussian, Q the mixture; the loss is −l.
    case add

    /// The order α of E_Q[(mixture/Q)^α] that is E[e^{θL}] of this direction's loss L.
    func order(tilt: Double) -> Double { self == .remove ? tilt + 1 : -tilt }
}

/// The privacy loss of one use of a mechanism on a lattice of points h apart, under the law that
/// is tilted by e^{θL}: what composes by convolution, with the tail that matters in the middle of
/// binary64's range.
///
/// The tilted mass of a point with loss l stands for a mass p under P and p·e^{−l} under Q.
struct LatticeLoss: Sendable {
    /// The loss at index 0, in nats; zero for a pessimistic lattice.
    let origin: Double
    /// The lattice index of the first mass.
    let first: Int
    /// Normalised to one.
    let masses: [Double]
    /// log of what they were divided by: an upper bound of K(θ), or for an optimistic lattice a
    /// lower one.
    let logTotal: Double
    /// P's mass that is at +∞; zero for an optimistic lattice.
    let infinite: Double
    /// By how much `logTotal` differs from K(θ): the price of the lattice.
    let excess: Double

    /// Every integral over a cell is off by less than this, relatively, and so is a sum of them:
    /// the rules' errors where the tilted density matters are below 10⁻¹².
    static func padding(_ loss: SampledLoss, order: Double) -> Double {
        1e-12 + 1e-15 * (order * order + 1) / loss.variance
    }

    /// The masses modulo a window's length, a power of two.
    func folded(_ count: Int) -> [Double] {
        var folded = [Double](repeating: 0, count: count)
        for (index, mass) in masses.enumerated() { folded[(first + index) & (count - 1)] += mass }
        return folded
    }

    /// log E[e^{λL}] under the tilted law, for any λ.
    func logMoment(_ lambda: Double, step: Double) -> Double {
        let rate = lambda * step
        let peak = max(rate * Double(first), rate * Double(first + masses.count - 1))
        var sum = 0.0
        var index = 0
        // By multiplication, restarted often enough to lose nothing.
        while index < masses.count {
            var factor = exp(rate * Double(first + index) - peak)
            let growth = exp(rate)
            let end = min(index + 64, masses.count)
            while index < end {
                sum += masses[index] * factor
                factor *= growth
                index += 1
            }
        }
        return peak + lambda * origin + log(sum) + 1e-12
    }
}

/// The walk over a lattice's cells that both kinds of lattice share.
struct LatticeBuilder {
    let loss: SampledLoss
    let direction: Direction
    let tilt: Double
    let step: Double
    let order: Double
    /// log of the normalisation, about K(θ), with the density's constant.
    private let reference: Double
    let moments: LossMoments
    private let sign: Double
    /// Narrows the panels where the tilted density is steep at the limit.
    let fraction: Double
    private let nodes3 = GaussLegendre.nodes3
    private let weights3 = GaussLegendre.weights3
    private let nodes5 = GaussLegendre.nodes5
    private let weights5 = GaussLegendre.weights5

    init(_ loss: SampledLoss, _ direction: Direction, plan: LatticePlan) {
        let tilt = plan.tilt
        self.loss = loss
        self.direction = direction
        self.tilt = tilt
        step = plan.step
        order = direction.order(tilt: tilt)
        moments = LossMoments(loss, order: order)
        sign = direction == .remove ? 1 : -1
        reference =
            moments.logMoment + log(loss.noise) + 0.5 * log(2 * Double.pi)
        let steepest =
            loss.limit.isFinite ? (order * loss.share(at: loss.limit) - loss.limit) : 0
        fraction = min(1, 12 * loss.noise / max(steepest, 1e-300))
    }

    /// What is kept of the outcomes: from `low`, where the loss is smallest, to `high`.
    struct Range {
        let low: Double
        let high: Double
        /// log of the tilted mass below `low`, all of it moved up to `low`: under −60.
        let logBelow: Double
        /// log of P's mass above `high`.
        let logAbove: Double
    }

    /// The outcomes to keep, so that P's mass above them is below e^{logLost}.
    func range(logLost: Double) -> Range {
        let panels = loss.panels(order: order, cut: 70, width: 1)
        var left = panels.first?.0 ?? 0
        var right = panels.last?.1 ?? 0
        func logBelow(_ z: Double) -> Double { z < 0 ? -z * z / (2 * loss.variance) : 0 }
        func logAbove(_ z: Double) -> Double {
            z > 1 ? -(z - 1) * (z - 1) / (2 * loss.variance) : 0
        }
        switch direction {
        case .remove:
            func lump() -> Double {
                logBelow(left) + tilt * loss.loss(at: left) - moments.logMoment
            }
            while lump() > -60 { left -= loss.noise / 2 }
            while logAbove(right) > logLost { right += loss.noise / 2 }
            right = min(right, loss.limit)
            return Range(
                low: left, high: right, logBelow: lump(), logAbove: logAbove(right))
        case .add:
            func lump() -> Double {
                logBelow(-right) - tilt * loss.loss(at: right) - moments.logMoment
            }
            while lump() > -60 { right += loss.noise / 2 }
            while logBelow(left) > logLost { left -= loss.noise / 2 }
            return Range(
                low: right, high: left, logBelow: lump(), logAbove: logBelow(left))
        }
    }

    /// Whether nearly nothing of the tilted law is as far out as z.
    func isNegligible(at z: Double) -> Bool {
        loss.logTilted(at: z, order: order) - reference < -40 && z < 0
    }

    /// How many lattice points a cell may span at z. The price of a cell is its mass times its
    /// width's square, so that where there is little mass it may be wide; but not so wide that the
    /// loss's density changes much in it, for δ may come from just there.
    private func span(at z: Double) -> Int {
        let density = exp(loss.logTilted(at: z, order: order) - reference) * loss.noise
        if !(density < 0.01) { return 1 }
        let share = max(loss.share(at: z), 1e-300)
        let slope = 1 + abs(z / share) + (1 - share) / share
        return Int(min((0.02 / max(density, 1e-20)).squareRoot(), 0.05 / (slope * step), 1e6))
    }

    /// The same for a cell from one loss to another.
    func span(from start: Double, to end: Double) -> Int {
        min(span(at: position(of: start)), span(at: position(of: end)))
    }

    /// This direction's loss at z.
    func value(at z: Double) -> Double { sign * loss.loss(at: z) }
    func position(of value: Double) -> Double { loss.position(of: sign * value) }

    /// Sums `visit(weight, loss)` over a rule's nodes between two positions, where the weight
    /// includes P's density and e^{θ·anchor}, normalised.
    @inline(__always)
    func integrate(
        from start: Double, to end: Double, anchor: Double,
        _ visit: (_ weight: Double, _ loss: Double) -> Void
    ) {
        precondition(start.isFinite && end.isFinite, "outcomes are between two finite ones")
        let shift = tilt * anchor - reference
        let ownLoss = direction == .remove ? 1.0 : 0
        @inline(__always)
        func node(_ z: Double, _ weight: Double) {
            let l = loss.loss(at: z)
            let exponent = ownLoss * l - z * z / (2 * loss.variance) + shift
            visit(weight * exp(exponent), sign * l)
        }
        var z = start
        while z != end {
            let width = loss.panelWidth(at: z, fraction)
            let gap = abs(end - z)
            if gap <= 0.02 * width {
                let (half, middle) = ((end - z) / 2, (z + end) / 2)
                if gap <= 0.005 * width {
                    node(middle - half * GaussLegendre.node2, abs(half))
                    node(middle + half * GaussLegendre.node2, abs(half))
                    return
                }
                for index in 0..<3 {
                    node(middle + half * nodes3[index], abs(half) * weights3[index])
                }
                return
            }
            let next = gap <= 0.25 * width ? end : z + (end > z ? 0.25 : -0.25) * width
            guard next != z else { return }
            let (half, middle) = ((next - z) / 2, (z + next) / 2)
            for index in 0..<5 {
                node(middle + half * nodes5[index], abs(half) * weights5[index])
            }
            z = next
        }
    }
}

extension LatticeBuilder {
    /// Some outcomes merged into one: P's mass, and Q's at the scale of the loss `anchor`.
    private struct Merged {
        let anchor: Double
        var p = 0.0
        var q = 0.0

        /// Takes them off again where `end` is before `start`.
        mutating func add(_ builder: LatticeBuilder, from start: Double, to end: Double) {
            let sign = end > start ? 1.0 : -1
            builder.integrate(from: start, to: end, anchor: anchor) { weight, loss in
                p += sign * weight
                q += sign * weight * exp(anchor - loss)
            }
        }
    }

    /// The mean loss of the outcomes around z = 0, among which most often all but a few are: the
    /// best origin of an optimistic lattice.
    func center() -> Double {
        var mean = loss.loss(at: 0)
        for _ in 0..<3 {
            var merged = Merged(anchor: mean)
            // Down to the floor where it is near: what is there is of the same cell.
            let isNear = mean - 1.5 * step < loss.floor
            let start = isNear ? -12 * loss.noise : position(of: mean - step / 2)
            // There, up to where the density falls so slowly that cells can follow.
            var reach = step / 2
            while isNear, reach < 32 * step, slope(at: position(of: mean + reach)) * step < -2 {
                reach *= 2
            }
            let end = min(position(of: mean + reach), 12 * loss.noise + 1)
            guard start.isFinite, end > start else { break }
            merged.add(self, from: start, to: end)
            guard merged.p > 0, merged.q > 0 else { break }
            mean += min(max(log(merged.p / merged.q), -step / 2), step / 2)
        }
        return mean - step * (mean / step).rounded() - 1e-9 * step - 2e-14
    }

    /// How fast the density of the loss grows with it, relatively.
    private func slope(at z: Double) -> Double {
        let share = loss.share(at: z)
        return 0.5 - z / share - (1 - share) / share
    }

    /// Some outcomes as one.
    struct Cell {
        /// P's mass, tilted as for a loss of `anchor`.
        let mass: Double
        /// Where the outcomes end.
        let end: Double
        /// Whether their mean loss is at least the anchor.
        let isEnough: Bool
    }

    /// Merges outcomes from `start`, below the anchor, on into one whose mean loss is the anchor,
    /// or next to nothing above it; so that as much is merged from above as there is below. What
    /// is lost to a mean above the anchor is lost in each use, while the width costs its square.
    func merge(from start: Double, to limit: Double, anchor: Double, width: Double) -> Cell {
        let lower = anchor - value(at: start)
        // Where the density is even, as far up as down; next to that by its slope.
        let slope = slope(at: start)
        let shift = slope.isFinite ? min(max(lower * slope * 2 / 3, -0.5), 0.4) : 0
        let most = anchor + 40 * width
        // Next to the least loss, rounding may leave no outcome between it and a point.
        func position(of border: Double) -> Double {
            min(max(self.position(of: border), start), limit)
        }
        var border = min(anchor + max(lower * (1 - shift), 1e-9 * width), most)
        var end = position(of: border)
        guard end > start else { return Cell(mass: 0, end: start, isEnough: true) }
        var merged = Merged(anchor: anchor)
        merged.add(self, from: start, to: end)
        // Rounding must not make a mean that is too low look right.
        var excess: Double { merged.p - merged.q * (1 + 1e-14) }
        for _ in 0..<60 {
            let tolerance = width * (1e-8 * merged.p + 1e-13)
            let excess = excess
            if excess >= 0, excess <= tolerance { break }
            if excess < 0, end >= limit || border >= most { break }
            let density =
                exp(loss.logTilted(at: end, order: order) - reference + tilt * (anchor - border))
                * loss.variance / loss.share(at: end)
            let change = (0.5 * tolerance - excess) / (density * -expm1(anchor - border))
            guard change.isFinite else { break }
            // Not below the anchor, where the mean would not rise with the border.
            let reached = border - anchor
            border = anchor + min(max(reached + change, 0.1 * reached), 10 * reached)
            border = min(border, most)
            let from = end
            end = position(of: border)
            guard end != from else { break }
            merged.add(self, from: from, to: end)
        }
        if excess >= 0 { return Cell(mass: merged.p, end: end, isEnough: true) }
        // The tail is too thin: no more than lies next to the anchor.
        end = position(of: anchor + width / 2)
        merged = Merged(anchor: anchor)
        merged.add(self, from: start, to: end)
        return Cell(mass: merged.p, end: end, isEnough: false)
    }
}

extension LatticeLoss {
    /// A pessimistic lattice: the loss of every outcome is split between the two lattice points
    /// beside it such that its mass under P and under Q is kept ("connect the dots", Doroshenko et
    /// al. 2022). The hockey-stick divergence is exact at the lattice points and above the true
    /// one between them, and stays so under composition. Nil where there would be too many points.
    init?(pessimistic builder: LatticeBuilder, logLost: Double, pointsMax: Int) {
        let range = builder.range(logLost: logLost)
        let (low, high, step) = (range.low, range.high, builder.step)
        let lowIndex = (builder.value(at: low) / step).rounded(.down)
        let highIndex = (builder.value(at: high) / step).rounded(.down) + 2
        guard abs(lowIndex) < 1e15, highIndex - lowIndex < Double(pointsMax) else { return nil }
        origin = 0
        first = Int(lowIndex)
        let count = Int(highIndex - lowIndex) + 1
        var masses = [Double](repeating: 0, count: count)
        // What is cut off below, moved up to the second point.
        masses[1] = exp(range.logBelow + builder.tilt * step)
        var z = low
        var cell = 0
        let forwards = high > low
        while cell < count - 1 {
            let anchor = Double(first + cell) * step
            var span = min(builder.span(from: anchor, to: anchor + step), count - 1 - cell)
            var end = builder.position(of: anchor + Double(max(1, span)) * step)
            // Nor wider than a panel of the rule, nor than what its far end allows.
            while span > 1,
                abs(end - z) > 0.25 * builder.loss.panelWidth(at: z, builder.fraction)
                    || builder.span(from: anchor, to: anchor + Double(span) * step) < span
            {
                span /= 2
                end = builder.position(of: anchor + Double(max(1, span)) * step)
            }
            span = max(1, span)
            if forwards ? end > high : end < high { end = high }
            defer { cell += span }
            guard forwards ? end > z : end < z else { continue }
            let width = Double(span) * step
            let scale = 1 / -expm1(-width)
            var (down, up) = (0.0, 0.0)
            builder.integrate(from: z, to: end, anchor: anchor) { weight, loss in
                let offset = min(max(loss - anchor, 0), width)
                let share = -expm1(-offset) * scale
                up += weight * share
                down += weight * (1 - share)
            }
            masses[cell] += down
            masses[cell + span] += up * exp(builder.tilt * width)
            z = end
        }
        let total = masses.reduce(0, +)
        for index in masses.indices { masses[index] /= total }
        self.masses = masses
        excess = log(total)
        logTotal =
            builder.moments.logMoment + log(total)
            + Self.padding(builder.loss, order: builder.order)
        infinite = exp(range.logAbove)
    }

    /// An optimistic lattice for the direction `remove`: the outcomes around each lattice point
    /// are merged into one with its loss, which is post-processing. What can't be merged so is
    /// lowered to a lattice point, or left out.
    init?(optimistic builder: LatticeBuilder, logLost: Double, pointsMax: Int) {
        precondition(builder.direction == .remove, "the direction that costs more")
        let range = builder.range(logLost: logLost)
        let (low, high, step) = (range.low, range.high, builder.step)
        let lowIndex = (builder.value(at: low) / step).rounded(.down)
        let highIndex = (builder.value(at: high) / step).rounded(.down) + 1
        guard abs(lowIndex) < 1e15, highIndex - lowIndex < Double(pointsMax) else { return nil }
        origin = builder.center()
        // Losses below what binary64 resolves next to one have no mean here.
        guard origin.isFinite, step > 1e-13 else { return nil }
        // One point more below, for what falls short of the first.
        first = Int(lowIndex) - 2
        let count = Int(highIndex) - first + 1
        var masses = [Double](repeating: 0, count: count)
        var z = low
        var (cell, span) = (3, 1)
        // Borders in the middle between points stay there. Nearly nothing is below.
        let middle = builder.position(of: origin + (Double(first + cell) - 0.5) * step)
        if middle > z, builder.isNegligible(at: middle) { z = middle }
        while cell < count, z < high {
            let value = builder.value(at: z)
            guard abs(value / step) < 1e15 else { return nil }
            let anchor = origin + Double(first + cell) * step
            guard value < anchor else {
                cell = max(cell + 1, Int(((value - origin) / step).rounded(.up)) - first)
                continue
            }
            let width = Double(span) * step
            let merged = builder.merge(from: z, to: high, anchor: anchor, width: width)
            if merged.isEnough {
                masses[cell] += merged.mass
            } else {
                // Its mean loss is below the point: its mass counts below the least of its losses,
                // where the tilt weighs it less.
                let least = ((value - origin) / step).rounded(.down)
                let below = min(max(0, Int(least) - first), cell)
                masses[below] += merged.mass * exp(-builder.tilt * Double(cell - below) * step)
            }
            z = merged.end
            // Odd spans, so that the next point is one of the lattice. They shrink ahead of time.
            let border = anchor + width / 2
            var next = span
            if builder.span(from: border, to: border + 6 * width) >= 3 * span {
                next = 3 * span
            } else if builder.span(from: border, to: border + 3 * width) < span {
                next = max(1, span / 3)
            }
            cell += (span + next) / 2
            span = next
        }
        let total = masses.reduce(0, +)
        guard total > 0 else { return nil }
        for index in masses.indices { masses[index] /= total }
        self.masses = masses
        excess = log(total)
        logTotal =
            builder.moments.logMoment + log(total)
            - Self.padding(builder.loss, order: builder.order)
        infinite = 0
    }
}
