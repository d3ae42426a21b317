import Glibc

/// ε after each step of a phase, from transforms that are kept: under a millisecond a step.
///
/// ```
/// var curve = EpsilonCurve(of: phase, after: ledger.phases, delta: 1e-5)
/// while curve.next() <= budget { … one more step … }
/// ```
package struct EpsilonCurve: Sendable {
    /// How many steps have been taken.
    package private(set) var steps = 0
    private let mechanism: PrivacyPhase
    private let before: [PrivacyPhase]
    private let delta: Double
    private var sections: [CurveSection] = []

    /// `phase` gives q and σ; its steps do not matter. `before` is what was spent already.
    package init(of phase: PrivacyPhase, after before: [PrivacyPhase] = [], delta: Double) {
        precondition(delta > 0 && delta < 1, "δ is a probability")
        mechanism = PrivacyPhase(
            rate: phase.samplingRate, noise: phase.noiseMultiplier, steps: 1)
        self.before = before
        self.delta = delta
    }

    /// ε after one step more.
    package mutating func next() -> Double {
        steps += 1
        return epsilon(afterSteps: steps)
    }

    /// An upper bound of ε after any number of steps. Fast where the last question was about a
    /// number that is not far off.
    package mutating func epsilon(afterSteps count: Int) -> Double {
        precondition(count >= 0, "steps are counted from none")
        let phase = PrivacyPhase(
            rate: mechanism.samplingRate, noise: mechanism.noiseMultiplier, steps: count)
        let sum = PhaseSum(before + [phase])
        guard count > 0, mechanism.samplingRate > 0, mechanism.samplingRate < 1,
            !sum.isUnbounded, sum.sampled.count <= PhaseSum.mechanismsMax,
            PLDAccountant.canHold(sum.components)
        else { return PrivacyAccountant(before + [phase]).epsilon(atDelta: delta) }
        if sections.isEmpty || !sections.allSatisfy({ $0.covers(count) }) {
            let horizon = count + max(16, count / 2)
            sections = [Direction.remove, .add].compactMap {
                CurveSection(
                    mechanism, before: before, horizon: horizon, $0, logDelta: log(delta))
            }
        }
        guard sections.count == 2, let epsilon = sections[0].epsilon(afterSteps: count) else {
            return PrivacyAccountant(before + [phase]).epsilon(atDelta: delta)
        }
        if sections[1].shows(epsilon, afterSteps: count) { return epsilon }
        guard let added = sections[1].epsilon(afterSteps: count) else {
            return PrivacyAccountant(before + [phase]).epsilon(atDelta: delta)
        }
        return max(epsilon, added)
    }
}

/// One direction's transforms, for a range of steps: one lattice, one tilt, and a window of fixed
/// width that moves with the mean.
private struct CurveSection: Sendable {
    private let plan: LatticePlan
    private let horizon: Int
    private let logDelta: Double
    private let meanOfOne: Double
    private let single: Cumulants
    private let past: Cumulants
    private let base: LossComposition
    private let one: LatticeSpectrum

    init?(
        _ mechanism: PrivacyPhase, before: [PrivacyPhase], horizon: Int, _ direction: Direction,
        logDelta: Double
    ) {
        let whole = PrivacyPhase(
            rate: mechanism.samplingRate, noise: mechanism.noiseMultiplier, steps: horizon)
        let components = PhaseSum(before + [whole]).components
        let cumulants = Cumulants(components, direction, logDelta: logDelta)
        let tilt = cumulants.regular(cumulants.tilt(logDelta: logDelta))
        guard
            let plan = LatticePlan(
                cumulants, components: components, tilt: tilt, logDelta: logDelta,
                pointsWanted: 1 << 15),
            let lattice = PLDAccountant.lattice(mechanism, plan)
        else { return nil }
        var base = LossComposition(plan)
        one = base.transformed(lattice)
        for phase in PhaseSum(before).components {
            guard let lattice = PLDAccountant.lattice(phase, plan) else { return nil }
            base.compose(base.transformed(lattice), steps: phase.steps)
        }
        self.base = base
        self.plan = plan
        self.horizon = horizon
        self.logDelta = logDelta
        single = Cumulants([mechanism], direction)
        past = Cumulants(PhaseSum(before).components, direction)
        meanOfOne =
            (cumulants(tilt).mean
                - Cumulants(PhaseSum(before).components, direction)(tilt).mean)
            / Double(horizon)
    }

    func covers(_ steps: Int) -> Bool {
        steps <= horizon && Double(steps) >= 0.55 * Double(horizon) - 32
    }

    func epsilon(afterSteps steps: Int) -> Double? {
        var composition = base
        composition.compose(one, steps: steps)
        let window = plan.moved(by: Double(steps - horizon) * meanOfOne)
        return composition.tail(in: window).epsilonAbove(logDelta: logDelta)
    }

    /// Whether Rényi divergences prove that this direction costs at most `epsilon`.
    func shows(_ epsilon: Double, afterSteps steps: Int) -> Bool {
        let tilt = plan.tilt
        return [1.0, 1.3, 0.8].contains {
            let theta = tilt * $0
            let total = past(theta).total + Double(steps) * single(theta).total
            let padded = total + 1e-12 * abs(total) + (past.uses + Double(steps)) * 4e-15
            return padded - theta * log1p(1 / theta) - log1p(theta) - theta * epsilon <= logDelta
        }
    }
}
