import Glibc

/// How ε is computed.
package enum AccountantKind: String, CaseIterable, Sendable {
    /// Rényi divergences: fast, and a few per cent above the truth.
    case rdp
    /// The privacy loss distribution: the truth, to about a hundredth of a per cent.
    case pld
    /// The smaller of the two; both are sound.
    case best
}

/// What a sequence of releases costs, whatever their mechanisms. A value: asking changes nothing,
/// and the order of what was composed does not matter.
///
/// ```
/// var accountant = PrivacyAccountant()                // `best`
/// accountant.compose(sampler.event)                   // a MechanismEvent …
/// accountant.compose(try PrivacyPhase(                // … or numbers
///     samplingRate: 0.01, noiseMultiplier: 1, steps: 10_000))
/// let spent = accountant.epsilon(atDelta: 1e-5)       // never below the truth
/// let after = accountant.composing(event).epsilon(atDelta: 1e-5)
/// ```
///
/// An answer takes about 10 ms for each mechanism that differs (0.1 ms by `rdp`), however many
/// steps there are. Ten charges of thirty steps cost to the last bit what one of three hundred
/// does. The adjacency is add-or-remove-one, the sampling Poisson.
package struct PrivacyAccountant: Hashable, Sendable {
    package let kind: AccountantKind
    /// What was composed, equal mechanisms merged, in the order of first use.
    package private(set) var phases: [PrivacyPhase] = []

    package init(_ kind: AccountantKind = .best) { self.kind = kind }

    package init(_ phases: some Sequence<PrivacyPhase>, _ kind: AccountantKind = .best) {
        self.kind = kind
        self.phases = Array(phases)
    }

    package mutating func compose(_ event: MechanismEvent) { compose(PrivacyPhase(event)) }

    package mutating func compose(_ phase: PrivacyPhase) {
        guard !phase.isFree else { return }
        let same = phases.firstIndex {
            $0.samplingRate == phase.samplingRate
                && $0.noiseMultiplier == phase.noiseMultiplier
        }
        guard let same else { return phases.append(phase) }
        let (steps, overflow) = phases[same].steps.addingReportingOverflow(phase.steps)
        phases[same] = PrivacyPhase(
            rate: phase.samplingRate, noise: phase.noiseMultiplier,
            steps: overflow ? .max : steps)
    }

    package func composing(_ event: MechanismEvent) -> PrivacyAccountant {
        var copy = self
        copy.compose(event)
        return copy
    }

    package func composing(_ phase: PrivacyPhase) -> PrivacyAccountant {
        var copy = self
        copy.compose(phase)
        return copy
    }

    /// An upper bound of the least ε that holds at δ.
    package func epsilon(atDelta delta: Double) -> Double { bound(atDelta: delta).epsilon }

    /// The same, with the accountant that proved it: `rdp` or `pld`.
    ///
    /// At δ = 0 every mechanism that reveals anything costs ε = ∞, at δ = 1 none costs anything.
    package func bound(atDelta delta: Double) -> (epsilon: Double, by: AccountantKind) {
        precondition(delta >= 0 && delta <= 1, "δ is a probability")
        let sum = PhaseSum(phases)
        let used = kind == .rdp ? AccountantKind.rdp : .pld
        if sum.isFree || delta == 1 { return (0, used) }
        if sum.isUnbounded || delta == 0 { return (.infinity, used) }
        if sum.variation <= delta { return (0, used) }
        let logDelta = log(delta)
        func rdp() -> Double {
            RenyiBound(
                Cumulants(sum.merged(.costlier, to: PhaseSum.curvesMax).components, .remove)
            ).epsilon(logDelta: logDelta)
        }
        if kind == .rdp { return (rdp(), .rdp) }
        let merged = sum.merged(.costlier)
        let pld = PLDAccountant.epsilon(merged, logDelta: logDelta)
        // The distribution is never worse but where its lattice was capped.
        if kind == .pld, let pld { return (pld, .pld) }
        let renyi = rdp()
        guard let pld, pld <= renyi else { return (renyi, .rdp) }
        return (pld, .pld)
    }

    /// A lower bound of the least ε that holds at δ: zero where none is known.
    package func epsilonLower(atDelta delta: Double) -> Double {
        precondition(delta >= 0 && delta <= 1, "δ is a probability")
        let sum = PhaseSum(phases)
        if sum.isFree || delta == 1 { return 0 }
        if sum.isUnbounded || delta == 0 { return .infinity }
        let known = PhaseSum(phases.filter { $0.samplingRate == 1 || $0.noiseMultiplier > 1e-3 })
        return PLDAccountant.epsilonLower(known.merged(.cheaper), logDelta: log(delta))
    }

    /// An upper bound of the least δ that holds at ε.
    package func delta(atEpsilon epsilon: Double) -> Double {
        precondition(epsilon >= 0, "ε is not negative")
        let sum = PhaseSum(phases)
        if sum.isFree { return 0 }
        if sum.isUnbounded { return 1 }
        if epsilon == .infinity { return 0 }
        func rdp() -> Double {
            exp(
                RenyiBound(
                    Cumulants(sum.merged(.costlier, to: PhaseSum.curvesMax).components, .remove)
                ).logDelta(epsilon: epsilon))
        }
        if kind == .rdp { return min(rdp(), sum.variation) }
        let pld = PLDAccountant.delta(sum.merged(.costlier), epsilon: epsilon)
        var bound = min(pld ?? 1, sum.variation)
        if kind == .best || pld == nil { bound = min(bound, rdp()) }
        if let pld, pld < sum.variation { return bound }
        return deltaByEpsilon(epsilon, below: bound)
    }

    /// Where the lattice for an ε shows nothing, because what is known of δ is far too much: the
    /// least δ, within two per cent, at which the bound of ε is small enough.
    private func deltaByEpsilon(_ epsilon: Double, below bound: Double) -> Double {
        // Each try takes as long as an ε; many mechanisms have no time for that.
        guard bound > 0, epsilon > 0, phases.count <= 3 else { return bound }
        var enough = log(bound)
        var few: Double?
        for attempt in 0..<18 {
            let next = few.map { (enough + $0) / 2 } ?? enough - pow(2, Double(attempt))
            guard few.map({ enough - $0 > 0.02 }) ?? true, next > -700 else { break }
            if self.bound(atDelta: exp(next)).epsilon <= epsilon {
                enough = next
            } else {
                few = next
            }
        }
        return min(bound, exp(enough) * (1 + 1e-12))
    }
}
