import Glibc

/// Why nothing meets a target.
package enum CalibrationError: Error, Hashable, Sendable, CustomStringConvertible {
    case invalidTarget
    /// Even the most protective value allowed costs more.
    case unreachable(epsilonLeast: Double)
    /// The bound of ε jumps over what would be close enough: `epsilon` at `value` is the nearest
    /// below the target.
    case jumps(epsilon: Double, at: Double)

    package var description: String {
        switch self {
        case .invalidTarget:
            "a target is a finite epsilon above 0, a delta between 0 and 1, a sampling rate "
                + "from 0 to 1 and a number of steps from 0"
        case .unreachable(let least): "the least epsilon that can be reached is \(least)"
        case .jumps(let epsilon, let value):
            "no value comes within 0.1 % of the target: the nearest below it is \(value), with "
                + "epsilon \(epsilon), and next to that the bound is above the target"
        }
    }
}

/// Finds how a mechanism must be set to meet a budget. The ε of what is found never exceeds the
/// target and is at most 0.1 % below it (where steps allow it, for they are whole).
package enum Calibration {
    /// The least σ, to seven digits, whose ε after `steps` steps is at most `epsilon`.
    ///
    /// The accountant must be the one that charges the run: what suffices for `best` is more than
    /// the budget for a ledger that counts by `rdp`.
    package static func noiseMultiplier(
        epsilon target: Double, delta: Double, samplingRate: Double, steps: Int,
        accountant: AccountantKind = .best
    ) throws(CalibrationError) -> Double {
        try check(epsilon: target, delta: delta)
        guard samplingRate >= 0, samplingRate <= 1, steps >= 0 else { throw .invalidTarget }
        if steps == 0 || samplingRate == 0 { return 0 }
        if samplingRate == 1, accountant != .rdp {
            let mu = GaussianMechanism.mu(epsilon: target, logDelta: log(delta))
            return roundedUp(Double(steps).squareRoot() / mu * (1 + 1e-12))
        }
        return try Search(target: target, delta: delta, accountant: accountant, sign: 1) {
            PrivacyPhase(rate: samplingRate, noise: $0, steps: steps)
        }.run(from: 1, in: 1e-6...1e9, round: roundedUp)
    }

    /// The most steps that cost at most `epsilon`; none where even one costs more.
    package static func steps(
        epsilon target: Double, delta: Double, samplingRate: Double, noiseMultiplier: Double,
        accountant: AccountantKind = .best
    ) throws(CalibrationError) -> Int {
        try check(epsilon: target, delta: delta)
        guard samplingRate >= 0, samplingRate <= 1, noiseMultiplier >= 0,
            noiseMultiplier.isFinite
        else { throw .invalidTarget }
        if samplingRate == 0 { return stepsMax }
        let search = Search(target: target, delta: delta, accountant: accountant, sign: -1) {
            PrivacyPhase(rate: samplingRate, noise: noiseMultiplier, steps: Int($0))
        }
        if search.epsilon(1) > target { return 0 }
        return Int(
            try search.run(from: 100, in: 1...Double(stepsMax), unit: 1) { $0.rounded(.down) })
    }

    /// The greatest sampling rate that costs at most `epsilon`.
    package static func samplingRate(
        epsilon target: Double, delta: Double, noiseMultiplier: Double, steps: Int,
        accountant: AccountantKind = .best
    ) throws(CalibrationError) -> Double {
        try check(epsilon: target, delta: delta)
        guard noiseMultiplier >= 0, noiseMultiplier.isFinite, steps >= 0 else {
            throw .invalidTarget
        }
        if steps == 0 { return 1 }
        return try Search(target: target, delta: delta, accountant: accountant, sign: -1) {
            PrivacyPhase(rate: $0, noise: noiseMultiplier, steps: steps)
        }.run(from: 0.01, in: 1e-9...1) { min(1, -roundedUp(-$0)) }
    }

    /// Beyond this, nothing is trained.
    package static let stepsMax = 1_000_000_000

    private static func check(epsilon: Double, delta: Double) throws(CalibrationError) {
        guard epsilon > 0, epsilon.isFinite, delta > 0, delta < 1 else { throw .invalidTarget }
    }

    /// To seven digits, up.
    private static func roundedUp(_ value: Double) -> Double { roundedUp(value, digits: 7) }

    fileprivate static func roundedUp(_ value: Double, digits: Double) -> Double {
        guard value != 0, value.isFinite else { return value }
        let digits = pow(10, digits - 1 - log10(abs(value)).rounded(.down))
        return (value * digits * (1 - 1e-15)).rounded(.up) / digits
    }
}

/// Looks for the value of one parameter at which ε meets a target.
private struct Search {
    let target: Double
    let delta: Double
    let accountant: AccountantKind
    /// 1 where ε falls with the parameter, −1 where it rises.
    let sign: Double
    let phase: (Double) -> PrivacyPhase

    init(
        target: Double, delta: Double, accountant: AccountantKind, sign: Double,
        _ phase: @escaping (Double) -> PrivacyPhase
    ) {
        self.target = target
        self.delta = delta
        self.accountant = accountant
        self.sign = sign
        self.phase = phase
    }

    func epsilon(_ value: Double) -> Double {
        PrivacyAccountant([phase(value)], accountant).epsilon(atDelta: delta)
    }

    /// Not a bound, but nearly the same and at a fiftieth of the cost.
    private func guess(_ value: Double) -> Double {
        let sum = PhaseSum([phase(value)])
        let logDelta = log(delta)
        guard !sum.sampled.isEmpty else { return epsilon(value) }
        return Cumulants(sum.components, .remove, logDelta: logDelta)
            .epsilonGuess(logDelta: logDelta)
    }

    /// A bound by so coarse a lattice that it takes a tenth of the time.
    private func rough(_ value: Double) -> Double {
        PLDAccountant.epsilon(PhaseSum([phase(value)]), logDelta: log(delta), pointsMax: 1 << 15)
            ?? .infinity
    }

    private func isMet(_ cost: Double) -> Bool { cost <= target && cost >= target * 0.9991 }

    func run(
        from start: Double, in range: ClosedRange<Double>, unit: Double = 0,
        round: @escaping (Double) -> Double
    ) throws(CalibrationError) -> Double {
        var first = start
        var points: [Point] = []
        if accountant != .rdp {
            points = nearby(start, range, round, tries: 2, guess)
            if let last = points.last, !isMet(last.cost) {
                points += nearby(last.value, range, round, tries: 3, rough)
            }
            first = points.last?.value ?? start
            // The nearest to the target last, since the last on either side count.
            points.sort { abs(log($0.cost / target)) > abs(log($1.cost / target)) }
        }
        let tolerance = accountant == .rdp ? 1e-4 : 9e-4
        guard let edge = bracket(first, range, unit, tolerance, points, round, epsilon) else {
            throw .unreachable(
                epsilonLeast: epsilon(sign > 0 ? range.upperBound : range.lowerBound))
        }
        let found = edge.enough
        let loosest = sign > 0 ? range.lowerBound : range.upperBound
        func isClose(_ found: (value: Double, cost: Double)) -> Bool {
            unit > 0 || found.cost >= target * 0.999 || found.value == loosest
        }
        if isClose(found) { return found.value }
        // A steep curve takes more digits.
        let finer = bracket(
            found.value, range, 0, tolerance, [edge.few, found].compactMap(\.self), near: 1e-11,
            attemptsMax: 16,
            { value in
                sign * Calibration.roundedUp(sign * value, digits: 12)
            }, epsilon)
        if let finer, isClose(finer.enough) { return finer.enough.value }
        throw .jumps(epsilon: found.cost, at: found.value)
    }

    /// A proxy differs from the bound by a factor that hardly changes from one value to the next:
    /// by it, two bounds are most often enough. They are given with their values.
    private func nearby(
        _ start: Double, _ range: ClosedRange<Double>, _ round: (Double) -> Double,
        tries: Int, _ proxy: (Double) -> Double
    ) -> [Point] {
        var factor = 1.0
        var points: [Point] = []
        for _ in 0..<tries {
            let next = points.last?.value ?? start
            let found = bracket(next, range, 0, 1e-5, [], round) {
                proxy($0) * factor * 1.0004
            }?.enough
            guard let found, found.value != points.last?.value, found.cost > 0 else { break }
            let cost = epsilon(found.value)
            points.append((found.value, cost))
            if isMet(cost) { break }
            factor = cost / proxy(found.value)
            guard factor > 0.01, factor < 100 else { break }
        }
        return points
    }

    /// A value of the parameter, and ε there.
    private typealias Point = (value: Double, cost: Double)
    /// The nearest value found that is enough, and the nearest that is not.
    private typealias Edge = (enough: Point, few: Point?)

    /// Where ε would be `aim`, by an inverse parabola through the last three points.
    private static func interpolated(_ points: [Point], aim: Double) -> Double? {
        let last = points.suffix(3).map { (x: log($0.value), y: log($0.cost / aim)) }
        guard last.count == 3, last.allSatisfy({ $0.y.isFinite }) else { return nil }
        var x = 0.0
        for (index, point) in last.enumerated() {
            var term = point.x
            for (other, from) in last.enumerated() where other != index {
                term *= from.y / (from.y - point.y)
            }
            x += term
        }
        return x.isFinite ? x : nil
    }

    /// Closes in on the edge, by secants in the logarithms, in which the curve is nearly straight.
    /// Nil where no value of the range is enough.
    private func bracket(
        _ start: Double, _ range: ClosedRange<Double>, _ unit: Double, _ tolerance: Double,
        _ known: [Point], near: Double = 2e-7, attemptsMax: Int = 60, _ round: (Double) -> Double,
        _ cost: (Double) -> Double
    ) -> Edge? {
        var enough: Point?
        var few: Point?
        let aim = target * (1 - tolerance / 2)
        var points: [Point] = []
        var next = start
        for attempt in 0..<attemptsMax {
            if attempt < known.count {
                points.append(known[attempt])
            } else {
                let value = min(max(round(next), range.lowerBound), range.upperBound)
                points.append((value, cost(value)))
            }
            let last = points[points.count - 1]
            if last.cost <= target { enough = last } else { few = last }
            if let enough, enough.cost >= target * (1 - tolerance) { return (enough, few) }
            switch (enough, few) {
            case (let enough?, let few?):
                let gap = abs(enough.value - few.value)
                // Where rounding makes the curve jump, closing in further gains nothing.
                let near = attempt < 14 ? near : near * 1e3
                if gap <= max(unit, near * enough.value) { return (enough, few) }
                let (x, y) = (log(enough.value), log(few.value))
                var share = 0.5
                if attempt % 5 != 4, enough.cost > 0, few.cost.isFinite {
                    share = log(aim / enough.cost) / log(few.cost / enough.cost)
                    if attempt % 2 == 0, let between = Self.interpolated(points, aim: aim) {
                        let other = (between - x) / (y - x)
                        if other > 0, other < 1 { share = other }
                    }
                }
                if !(share > 0.001 && share < 0.999) { share = share > 0.5 ? 0.98 : 0.02 }
                next = exp(x + share * (y - x))
                if abs(round(next) - enough.value) < 0.05 * near * enough.value
                    || abs(round(next) - few.value) < 0.05 * near * few.value
                {
                    next = (enough.value + few.value) / 2
                }
            case (let enough?, nil):
                let loosest = sign > 0 ? range.lowerBound : range.upperBound
                if enough.value == loosest { return (enough, nil) }
                next = enough.value * exp(-sign * stride(enough.cost, attempt))
            case (nil, let few?):
                let strictest = sign > 0 ? range.upperBound : range.lowerBound
                if few.value == strictest { return nil }
                next = few.value * exp(sign * stride(few.cost, attempt))
            case (nil, nil): return nil
            }
        }
        return enough.map { ($0, few) }
    }

    /// How far to go, in the parameter's logarithm, where only one side is known yet.
    private func stride(_ cost: Double, _ attempt: Int) -> Double {
        guard cost > 0, cost.isFinite else { return 1.5 }
        return min(3, max(abs(log(cost / target)) * 1.2, 1e-3 * pow(2, Double(attempt))))
    }
}
