/// A stretch of training as the accountants see it: a Poisson-sampled Gaussian mechanism, used a
/// number of times. The adjacency is add-or-remove-one.
package struct PrivacyPhase: Hashable, Sendable {
    /// q: how likely each record joins a step.
    package let samplingRate: Double
    /// σ: the noise's standard deviation in units of the clipping norm.
    package let noiseMultiplier: Double
    package let steps: Int

    package init(
        samplingRate: Double, noiseMultiplier: Double, steps: Int
    ) throws(AccountingError) {
        guard samplingRate >= 0, samplingRate <= 1 else { throw .samplingRate(samplingRate) }
        guard noiseMultiplier >= 0, noiseMultiplier.isFinite else {
            throw .noiseMultiplier(noiseMultiplier)
        }
        guard steps >= 0 else { throw .steps(steps) }
        self.samplingRate = samplingRate
        self.noiseMultiplier = noiseMultiplier
        self.steps = steps
    }

    package init(_ event: MechanismEvent) {
        samplingRate = event.mechanism.samplingRate
        noiseMultiplier = event.mechanism.noiseMultiplier
        steps = event.steps
    }

    init(rate: Double, noise: Double, steps: Int) {
        samplingRate = rate
        noiseMultiplier = noise
        self.steps = steps
    }

    /// Whether it reveals nothing at all.
    var isFree: Bool { steps == 0 || samplingRate == 0 }
}

/// What an accountant cannot be asked.
package enum AccountingError: Error, Hashable, Sendable, CustomStringConvertible {
    case samplingRate(Double)
    case noiseMultiplier(Double)
    case steps(Int)
    case delta(Double)
    case epsilon(Double)
    case order(Double)

    package var description: String {
        switch self {
        case .samplingRate(let value): "the sampling rate must be from 0 to 1, is \(value)"
        case .noiseMultiplier(let value):
            "the noise multiplier must be a finite number from 0, is \(value)"
        case .steps(let value): "the steps must be a whole number from 0, are \(value)"
        case .delta(let value): "delta must be from 0 to 1, is \(value)"
        case .epsilon(let value): "epsilon must be a number from 0, is \(value)"
        case .order(let value): "a Rényi order must be a finite number above 1, is \(value)"
        }
    }
}

/// Phases as they are composed: equal mechanisms are one, all unsampled ones are a single
/// Gaussian, and the order is that of the values, so that an answer does not depend on the order
/// of the question.
struct PhaseSum: Hashable, Sendable {
    /// Sampled mechanisms, 0 < q < 1, σ > 0; ascending.
    private(set) var sampled: [PrivacyPhase] = []
    /// μ² = Σ steps/σ² over the phases with q = 1: they compose to one Gaussian mechanism with
    /// noise 1/μ (Dong, Roth and Su 2022, Corollary 3.3).
    private(set) var gaussianMuSquared = 0.0
    /// Something was released without noise.
    private(set) var isUnbounded = false

    var isFree: Bool { sampled.isEmpty && gaussianMuSquared == 0 && !isUnbounded }

    init(_ phases: some Sequence<PrivacyPhase>) {
        var steps: [PrivacyPhase: Int] = [:]
        var gaussian: [Double: Int] = [:]
        for phase in phases where !phase.isFree {
            if phase.noiseMultiplier < Self.noiseLeast {
                isUnbounded = true
            } else if phase.samplingRate == 1 {
                gaussian[phase.noiseMultiplier, default: 0].addClamped(phase.steps)
            } else {
                let key = PrivacyPhase(
                    rate: phase.samplingRate, noise: phase.noiseMultiplier, steps: 1)
                steps[key, default: 0].addClamped(phase.steps)
            }
        }
        for noise in gaussian.keys.sorted() {
            gaussianMuSquared += Double(gaussian[noise] ?? 0) / noise / noise
        }
        sampled = steps.map {
            PrivacyPhase(rate: $0.samplingRate, noise: $0.noiseMultiplier, steps: $1)
        }
        sampled.sort {
            ($0.samplingRate, $0.noiseMultiplier) < ($1.samplingRate, $1.noiseMultiplier)
        }
    }

    /// What all of it amounts to as mechanisms that are each used `steps` times: the Gaussian as
    /// one unsampled use, last.
    var components: [PrivacyPhase] {
        guard gaussianMuSquared > 0 else { return sampled }
        return sampled + [
            PrivacyPhase(rate: 1, noise: 1 / gaussianMuSquared.squareRoot(), steps: 1)
        ]
    }

    mutating func replaceSampled(_ phases: [PrivacyPhase]) { sampled = phases }

    /// Less noise than this is none: 1/σ² would leave the range of binary64.
    private static let noiseLeast = 1e-100
}

extension Int {
    fileprivate mutating func addClamped(_ other: Int) {
        let (sum, overflow) = addingReportingOverflow(other)
        self = overflow ? .max : sum
    }
}
