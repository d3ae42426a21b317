import Glibc

extension PhaseSum {
    enum Side {
        /// A higher rate and less noise: an upper bound, since the real mechanism is a
        /// post-processing of that one (drop drawn records, add noise).
        case costlier
        /// A lower rate and more noise: a lower bound.
        case cheaper
    }

    /// At most this many mechanisms are composed exactly by their distributions, and
    static let mechanismsMax = 24
    /// by their Rényi divergences.
    static let curvesMax = 64

    /// The same phases where they are few. Otherwise neighbours in (log q, log σ) are taken
    /// together, each at the corner of its group that is on the given side.
    func merged(_ side: Side, to count: Int = PhaseSum.mechanismsMax) -> PhaseSum {
        guard sampled.count > count else { return self }
        var groups = [PhaseGroup(sampled[...])]
        while groups.count < count {
            guard let widest = groups.indices.max(by: { groups[$0].width < groups[$1].width }),
                let halves = groups[widest].halves
            else { break }
            groups[widest] = halves.0
            groups.append(halves.1)
        }
        var copy = self
        copy.replaceSampled(groups.map { $0.corner(side) })
        return copy
    }
}

/// Some mechanisms to be taken for one.
private struct PhaseGroup {
    private let phases: ArraySlice<PrivacyPhase>
    private let rates: (Double, Double)
    private let noises: (Double, Double)
    /// How much is lost by taking them for one: the spread of log ε, about, times its share.
    let width: Double

    init(_ phases: ArraySlice<PrivacyPhase>) {
        self.phases = phases
        var (rates, noises) = ((Double.infinity, 0.0), (Double.infinity, 0.0))
        var weight = 0.0
        for phase in phases {
            rates = (min(rates.0, phase.samplingRate), max(rates.1, phase.samplingRate))
            noises = (min(noises.0, phase.noiseMultiplier), max(noises.1, phase.noiseMultiplier))
            let single = phase.samplingRate / min(phase.noiseMultiplier, 1e6)
            weight += single * single * Double(phase.steps)
        }
        self.rates = rates
        self.noises = noises
        width = (log(rates.1 / rates.0) + log(noises.1 / noises.0)) * weight
    }

    /// Cut in the middle of the longer side; nil where there is nothing to cut.
    var halves: (PhaseGroup, PhaseGroup)? {
        guard width > 0 else { return nil }
        let byRate = rates.1 / rates.0 > noises.1 / noises.0
        let middle =
            byRate ? (rates.0 * rates.1).squareRoot() : (noises.0 * noises.1).squareRoot()
        var low: [PrivacyPhase] = []
        var high: [PrivacyPhase] = []
        for phase in phases {
            if (byRate ? phase.samplingRate : phase.noiseMultiplier) <= middle {
                low.append(phase)
            } else {
                high.append(phase)
            }
        }
        guard !low.isEmpty, !high.isEmpty else { return nil }
        return (PhaseGroup(low[...]), PhaseGroup(high[...]))
    }

    func corner(_ side: PhaseSum.Side) -> PrivacyPhase {
        let steps = phases.reduce(0) { total, phase in
            let (sum, overflow) = total.addingReportingOverflow(phase.steps)
            return overflow ? .max : sum
        }
        return PrivacyPhase(
            rate: side == .costlier ? rates.1 : rates.0,
            noise: side == .costlier ? noises.0 : noises.1, steps: steps)
    }
}
