import Glibc

/// Why nothing meets a target.
package enum CalibrationError: Error, Hashable, Sendable, CustomStringConvertible {
    case invalidTarget
    /// Even the most protective value allowed costs more.
    case unreachable(epsilonLeast: Double)

    package var description: String {
        switch self {
        case .invalidTarget:
            "a target is a finite epsilon above 0, a delta between 0 and 1, a sampling rate "
                + "from 0 to 1 and a number of steps from 0"
        case .unreachable(let least): "the least epsilon that can be reached is \(least)"
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
    private static func roundedUp(_ value: Double) -> Double {
        guard value != 0, value.isFinite else { return value }
        let digits = pow(10, 6 - log10(abs(value)).rounded(.down))
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

    func run(
        from start: Double, in range: ClosedRange<Double>, unit: Double = 0,
        round: @escaping (Double) -> Double
    ) throws(CalibrationError) -> Double {
        var first = start
        if accountant != .rdp {
            first = bracket(start, range, unit, 1e-4, round, guess)?.value ?? start
        }
        let tolerance = accountant == .rdp ? 1e-4 : 4e-4
        if let found = bracket(first, range, unit, tolerance, round, epsilon) { return found.value }
        throw .unreachable(epsilonLeast: epsilon(sign > 0 ? range.upperBound : range.lowerBound))
    }

    /// Closes in on the edge, by secants in the logarithms, in which the curve is nearly straight.
    /// Nil where no value of the range is enough.
    private func bracket(
        _ start: Double, _ range: ClosedRange<Double>, _ unit: Double, _ tolerance: Double,
        _ round: (Double) -> Double, _ cost: (Double) -> Double
    ) -> (value: Double, cost: Double)? {
        var enough: (value: Double, cost: Double)?
        var few: (value: Double, cost: Double)?
        let aim = target * (1 - tolerance / 3)
        var next = start
        for attempt in 0..<200 {
            let value = min(max(round(next), range.lowerBound), range.upperBound)
            let cost = cost(value)
            if cost <= target { enough = (value, cost) } else { few = (value, cost) }
            if let enough, enough.cost >= target * (1 - tolerance) { return enough }
            switch (enough, few) {
            case (let enough?, let few?):
                let gap = abs(enough.value - few.value)
                // Where rounding makes the curve jump, closing in further gains nothing.
                let near = attempt < 12 ? 2e-7 : 2e-4
                if gap <= max(unit, near * enough.value) { return enough }
                let (x, y) = (log(enough.value), log(few.value))
                var share = 0.5
                if attempt % 3 != 2, enough.cost > 0, few.cost.isFinite {
                    share = log(aim / enough.cost) / log(few.cost / enough.cost)
                }
                if !(share > 0.001 && share < 0.999) { share = share > 0.5 ? 0.98 : 0.02 }
                next = exp(x + share * (y - x))
                if abs(round(next) - enough.value) < 1e-8 * enough.value
                    || abs(round(next) - few.value) < 1e-8 * few.value
                {
                    next = (enough.value + few.value) / 2
                }
            case (let enough?, nil):
                let loosest = sign > 0 ? range.lowerBound : range.upperBound
                if enough.value == loosest { return enough }
                next = enough.value * exp(-sign * stride(enough.cost, attempt))
            case (nil, let few?):
                let strictest = sign > 0 ? range.upperBound : range.lowerBound
                if few.value == strictest { return nil }
                next = few.value * exp(sign * stride(few.cost, attempt))
            case (nil, nil): return nil
            }
        }
        return enough
    }

    /// How far to go, in the parameter's logarithm, where only one side is known yet.
    private func stride(_ cost: Double, _ attempt: Int) -> Double {
        guard cost > 0, cost.isFinite else { return 1.5 }
        return min(3, max(abs(log(cost / target)) * 1.2, 1e-3 * pow(2, Double(attempt))))
    }
}
