import Glibc

/// ε and δ by the privacy loss distribution: pessimistic lattices of both directions, composed in
/// the frequency domain; and a lower bound from an optimistic one, so that it shows how tight they
/// are.
///
/// Every answer is a bound: lattice, cut tails, aliasing and rounding each go to its side.
enum PLDAccountant {
    /// An upper bound of ε at δ in (0, 1); nil where the lattice would outgrow its limits. With
    /// fewer points it is faster and looser.
    static func epsilon(
        _ sum: PhaseSum, logDelta: Double, pointsMax: Int = LatticePlan.pointsMax
    ) -> Double? {
        if sum.isFree { return 0 }
        if sum.isUnbounded { return .infinity }
        if sum.sampled.isEmpty {
            return GaussianMechanism.epsilon(
                logDelta: logDelta, mu: sum.gaussianMuSquared.squareRoot())
        }
        let components = sum.components
        let epsilon = epsilon(components, .remove, logDelta: logDelta, pointsMax)
        guard let epsilon else { return nil }
        // The other direction costs less, or nearly the same: most often a bound shows it.
        let add = Cumulants(components, .add)
        let proved = RenyiBound(add)
        if proved.shows(epsilon: epsilon, logDelta: logDelta, near: add.tilt(epsilon: epsilon)) {
            return epsilon
        }
        let added =
            self.epsilon(components, .add, logDelta: logDelta, pointsMax)
            ?? proved.epsilon(logDelta: logDelta)
        return max(epsilon, added)
    }

    /// ε of one direction. The first tilt is a guess; where the numerical error shows in what it
    /// gives, another follows that suits the ε found, and in the end the same in more digits.
    private static func epsilon(
        _ components: [PrivacyPhase], _ direction: Direction, logDelta: Double, _ pointsMax: Int
    ) -> Double? {
        let cumulants = Cumulants(components, direction, logDelta: logDelta)
        var tilt = cumulants.regular(cumulants.tilt(logDelta: logDelta))
        var best: Double?
        var noise = Double.infinity
        for attempt in 0..<4 {
            let tail = tail(
                cumulants, components, tilt: tilt, logDelta: logDelta,
                pointsMax: attempt == 0 ? min(pointsMax, LatticePlan.pointsMaxRough) : pointsMax)
            guard let tail, let epsilon = tail.epsilonAbove(logDelta: logDelta) else {
                if attempt > 0 { tilt /= 2 }
                continue
            }
            best = min(best ?? .infinity, epsilon)
            let found = tail.noise(atEpsilon: epsilon, logDelta: logDelta)
            if attempt == 0, tail.plan.isCoarse, found < noiseHopeless { continue }
            noise = min(noise, found)
            if epsilon == 0 || noise < 1e-4 { return best }
            let next = cumulants.tilt(epsilon: epsilon)
            if abs(next - tilt) < 0.1 * tilt { break }
            tilt = next
            if noise > noiseHopeless, direction == .remove { break }
        }
        // The other direction costs less: rounding up is good enough there.
        guard noise > noiseMost, direction == .remove else { return best }
        for _ in 0..<2 {
            let tail = tail(
                cumulants, components, tilt: tilt, logDelta: logDelta, inMoreDigits: true,
                pointsMax: pointsMax)
            guard let epsilon = tail?.epsilonAbove(logDelta: logDelta) else { break }
            best = min(best ?? .infinity, epsilon)
            // A tilt that suits a far larger ε leaves more of the error.
            let next = cumulants.tilt(epsilon: epsilon)
            if abs(next - tilt) < 0.2 * tilt { break }
            tilt = next
        }
        return best
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
        var tilt = cumulants.regular(cumulants.tilt(logDelta: logDelta))
        var best = 0.0
        var noise = Double.infinity
        for attempt in 0..<4 {
            let tail = optimisticTail(
                cumulants, components, tilt: tilt, logDelta: logDelta,
                pointsMax: attempt == 0 ? LatticePlan.pointsMaxRough : LatticePlan.pointsMax)
            guard let tail else { continue }
            let epsilon = tail.epsilonBelow(logDelta: logDelta)
            best = max(best, epsilon)
            let found = tail.noise(atEpsilon: epsilon, logDelta: logDelta)
            if attempt == 0, tail.plan.isCoarse, found < noiseHopeless { continue }
            noise = min(noise, found)
            if noise < 1e-4 { return best }
            // The error added instead of taken off, it is near enough to find a better tilt.
            let near = tail.epsilonAbove(logDelta: logDelta) ?? epsilon
            let next = cumulants.tilt(epsilon: near)
            if abs(next - tilt) < 0.1 * tilt { break }
            tilt = next
            if noise > noiseHopeless { break }
        }
        guard noise > noiseMost else { return best }
        let tail = optimisticTail(
            cumulants, components, tilt: tilt, logDelta: logDelta, inMoreDigits: true)
        return max(best, tail?.epsilonBelow(logDelta: logDelta) ?? 0)
    }

    /// The composed optimistic loss.
    private static func optimisticTail(
        _ cumulants: Cumulants, _ components: [PrivacyPhase], tilt: Double, logDelta: Double,
        inMoreDigits: Bool = false, pointsMax: Int = LatticePlan.pointsMax
    ) -> LossTail? {
        guard !inMoreDigits || components.count <= preciseMechanismsMax,
            let plan = LatticePlan(
                cumulants, components: components, tilt: tilt, logDelta: logDelta,
                pointsMax: pointsMax)
        else { return nil }
        var lattices: [LatticeLoss] = []
        for phase in components {
            let builder = LatticeBuilder(
                SampledLoss(phase, logLost: plan.logLost), .remove, plan: plan)
            guard
                let lattice = LatticeLoss(
                    optimistic: builder, logLost: plan.logLost, pointsMax: LatticePlan.pointsMax)
            else { return nil }
            lattices.append(lattice)
        }
        return compose(lattices, components.map(\.steps), plan, inMoreDigits: inMoreDigits)
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
            let bound = deltaAbove(
                epsilon, cumulants, components, tilt: tilt, logDelta: logDelta)
            guard let bound else { return nil }
            worst = max(worst, bound)
        }
        return min(1, worst)
    }

    /// δ of one direction; in more digits where the numerical error shows.
    private static func deltaAbove(
        _ epsilon: Double, _ cumulants: Cumulants, _ components: [PrivacyPhase], tilt: Double,
        logDelta: Double
    ) -> Double? {
        // A tilt far out in a heavy tail may have no window; a smaller one has.
        for tilt in [tilt, tilt / 2, tilt / 8] {
            guard let tail = tail(cumulants, components, tilt: tilt, logDelta: logDelta),
                let delta = tail.deltaAbove(epsilon: epsilon)
            else { continue }
            guard cumulants.direction == .remove,
                tail.noise(atEpsilon: epsilon, logDelta: log(delta)) > noiseMost,
                let precise = self.tail(
                    cumulants, components, tilt: tilt, logDelta: logDelta, inMoreDigits: true),
                let finer = precise.deltaAbove(epsilon: epsilon)
            else { return delta }
            return min(delta, finer)
        }
        return nil
    }

    /// The composed pessimistic loss of one direction.
    private static func tail(
        _ cumulants: Cumulants, _ components: [PrivacyPhase], tilt: Double, logDelta: Double,
        inMoreDigits: Bool = false, pointsMax: Int = LatticePlan.pointsMax
    ) -> LossTail? {
        guard canHold(components), !inMoreDigits || components.count <= preciseMechanismsMax,
            let plan = LatticePlan(
                cumulants, components: components, tilt: tilt, logDelta: logDelta,
                pointsMax: pointsMax)
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

    /// More than this no other tilt makes up for.
    private static let noiseHopeless = 1.0

    /// More mechanisms take too long in more digits: each some hundred milliseconds.
    private static let preciseMechanismsMax = 2

    /// Below this σ the loss is so large that binary64 holds too few digits of its density.
    private static let noiseLeast = 0.01
}
