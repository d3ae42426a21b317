import Glibc

/// ε and δ by the privacy loss distribution: pessimistic lattices of both directions, composed in
/// the frequency domain; and a lower bound from an optimistic one, so that it shows how tight they
/// are.
///
/// Every answer is a bound: lattice, cut tails, aliasing and rounding each go to its side.
enum PLDAccountant {
    /// An upper bound of ε at δ in (0, 1); nil where the lattice would outgrow its limits.
    static func epsilon(_ sum: PhaseSum, logDelta: Double) -> Double? {
        if sum.isFree { return 0 }
        if sum.isUnbounded { return .infinity }
        if sum.sampled.isEmpty {
            return GaussianMechanism.epsilon(
                logDelta: logDelta, mu: sum.gaussianMuSquared.squareRoot())
        }
        let components = sum.components
        guard let epsilon = epsilon(components, .remove, logDelta: logDelta) else { return nil }
        // The other direction costs less, or nearly the same: most often a bound shows it.
        let add = Cumulants(components, .add)
        let proved = RenyiBound(add)
        if proved.shows(epsilon: epsilon, logDelta: logDelta, near: add.tilt(epsilon: epsilon)) {
            return epsilon
        }
        let added =
            self.epsilon(components, .add, logDelta: logDelta)
            ?? proved.epsilon(logDelta: logDelta)
        return max(epsilon, added)
    }

    /// ε of one direction. The first tilt is a guess; where the numerical error shows in what it
    /// gives, another follows that suits the ε found, and in the end the same in more digits.
    private static func epsilon(
        _ components: [PrivacyPhase], _ direction: Direction, logDelta: Double
    ) -> Double? {
        let cumulants = Cumulants(components, direction, logDelta: logDelta)
        var tilt = cumulants.regular(cumulants.tilt(logDelta: logDelta))
        var best: Double?
        var noise = Double.infinity
        for _ in 0..<3 {
            let tail = tail(cumulants, components, tilt: tilt, logDelta: logDelta)
            guard let tail, let epsilon = tail.epsilonAbove(logDelta: logDelta) else {
                tilt /= 2
                continue
            }
            best = min(best ?? .infinity, epsilon)
            noise = min(noise, tail.noise(atEpsilon: epsilon, logDelta: logDelta))
            if epsilon == 0 || noise < 1e-4 { return best }
            let next = cumulants.tilt(epsilon: epsilon)
            if abs(next - tilt) < 0.1 * tilt { break }
            tilt = next
        }
        // The other direction costs less: rounding up is good enough there.
        guard noise > noiseMost, direction == .remove else { return best }
        let tail = tail(cumulants, components, tilt: tilt, logDelta: logDelta, inMoreDigits: true)
        guard let epsilon = tail?.epsilonAbove(logDelta: logDelta) else { return best }
        return min(best ?? .infinity, epsilon)
    }

    /// A lower bound of ε at δ.
    static func epsilonLower(_ sum: PhaseSum, logDelta: Double) -> Double {
        if sum.isFree { return 0 }
        if sum.isUnbounded { return .infinity }
        if sum.sampled.isEmpty {
            return GaussianMechanism.epsilon(
                logDelta: logDelta, mu: sum.gaussianMuSquared.squareRoot()) * (1 - 1e-11)
        }
        let components = sum.components
        guard canHold(components) else { return 0 }
        let cumulants = Cumulants(components, .remove, logDelta: logDelta)
        let tilt = cumulants.regular(cumulants.tilt(logDelta: logDelta))
        guard
            let plan = LatticePlan(
                cumulants, components: components, tilt: tilt, logDelta: logDelta)
        else { return 0 }
        var lattices: [LatticeLoss] = []
        for phase in components {
            let builder = LatticeBuilder(
                SampledLoss(phase, logLost: plan.logLost), .remove, plan: plan)
            guard
                let lattice = LatticeLoss(
                    optimistic: builder, logLost: plan.logLost,
                    pointsMax: LatticePlan.pointsMax)
            else { return 0 }
            lattices.append(lattice)
        }
        let steps = components.map(\.steps)
        let tail = compose(lattices, steps, plan)
        let epsilon = tail.epsilonBelow(logDelta: logDelta)
        // Where much lies below the window, more digits tell nothing.
        guard tail.noise(atEpsilon: epsilon, logDelta: logDelta) > noiseMost, tail.below < 1e-3,
            plan.count <= LatticePlan.pointsMax / 4
        else { return epsilon }
        let precise = compose(lattices, steps, plan, inMoreDigits: true)
        return max(epsilon, precise.epsilonBelow(logDelta: logDelta))
    }

    /// An upper bound of δ at ε ≥ 0; nil where the lattice would outgrow its limits.
    static func delta(_ sum: PhaseSum, epsilon: Double) -> Double? {
        if sum.isFree { return 0 }
        if sum.isUnbounded { return 1 }
        if sum.sampled.isEmpty {
            let mu = sum.gaussianMuSquared.squareRoot()
            return min(1, exp(GaussianMechanism.logDelta(epsilon: epsilon, mu: mu) + 1e-12))
        }
        let components = sum.components
        var worst = 0.0
        for direction in [Direction.remove, .add] {
            let whole = Cumulants(components, direction)
            let rough = min(0, RenyiBound(whole).logDelta(epsilon: epsilon))
            // That bound is far above a tiny δ: what is left out must be little beside the latter.
            var cumulants = Cumulants(components, direction, logDelta: rough - 5)
            var tilt = cumulants.tilt(epsilon: epsilon)
            let logDelta = min(rough, cumulants.guess(tilt).logDelta)
            cumulants = Cumulants(components, direction, logDelta: logDelta - 2)
            tilt = cumulants.regular(cumulants.tilt(epsilon: epsilon))
            if direction == .add,
                RenyiBound(whole).shows(
                    epsilon: epsilon, logDelta: log(worst), near: tilt)
            {
                continue
            }
            guard
                let tail = tail(cumulants, components, tilt: tilt, logDelta: logDelta),
                let delta = tail.deltaAbove(epsilon: epsilon)
            else { return nil }
            worst = max(worst, delta)
        }
        return min(1, worst)
    }

    /// The composed pessimistic loss of one direction.
    private static func tail(
        _ cumulants: Cumulants, _ components: [PrivacyPhase], tilt: Double, logDelta: Double,
        inMoreDigits: Bool = false
    ) -> LossTail? {
        // A second, with one mechanism in the largest window.
        guard canHold(components), !inMoreDigits || components.count <= 4,
            let plan = LatticePlan(
                cumulants, components: components, tilt: tilt, logDelta: logDelta)
        else { return nil }
        var lattices: [LatticeLoss] = []
        for phase in components {
            guard let lattice = lattice(phase, plan) else { return nil }
            lattices.append(lattice)
        }
        return compose(lattices, components.map(\.steps), plan, inMoreDigits: inMoreDigits)
    }

    private static func compose(
        _ lattices: [LatticeLoss], _ steps: [Int], _ plan: LatticePlan, inMoreDigits: Bool = false
    ) -> LossTail {
        if inMoreDigits {
            var composition = PreciseComposition(plan)
            for (lattice, steps) in zip(lattices, steps) {
                composition.compose(lattice, steps: steps)
            }
            return composition.tail()
        }
        var composition = LossComposition(plan)
        for (lattice, steps) in zip(lattices, steps) {
            composition.compose(composition.transformed(lattice), steps: steps)
        }
        return composition.tail()
    }

    static func lattice(_ phase: PrivacyPhase, _ plan: LatticePlan) -> LatticeLoss? {
        // Unsampled, both directions are the same.
        let direction = phase.samplingRate == 1 ? .remove : plan.direction
        let bounded = direction == .remove ? plan.logLost : nil
        let builder = LatticeBuilder(
            SampledLoss(phase, logLost: bounded), direction, plan: plan)
        return LatticeLoss(
            pessimistic: builder, logLost: plan.logLost, pointsMax: LatticePlan.pointsMax)
    }

    /// Whether binary64 holds enough digits of a mechanism's density.
    static func canHold(_ components: [PrivacyPhase]) -> Bool {
        components.allSatisfy { $0.noiseMultiplier >= noiseLeast }
    }

    /// What share of δ may be numerical error before more digits are worth their time.
    private static let noiseMost = 2e-3

    /// Below this σ the loss is so large that binary64 holds too few digits of its density.
    private static let noiseLeast = 0.01
}
