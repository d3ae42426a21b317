/// What was run. The event says what it costs: every kind is dominated by a composition of
/// Poisson-sampled Gaussian mechanisms, and charged as that.
package enum MechanismKind: String, CaseIterable, Hashable, Sendable {
    /// DP-SGD on Poisson samples (Abadi et al. 2016).
    case poissonSampled = "poisson-sampled"
    /// Noise correlated over steps by a banded matrix (Choquette-Choo et al. 2023).
    case correlated = "correlated"
}

/// What one release costs: a Poisson-sampled Gaussian mechanism, used `steps` times.
///
/// Only the samplers of this module and `CorrelatedNoise` make the events that are charged, so a
/// sampling rate is never taken on faith. Batches that are shuffled and cut have no event. The
/// reals are kept as integers, rounded to the side that costs more, so that an event that was
/// written down and read back costs exactly what it cost when it was charged.
package struct MechanismEvent: Hashable, Sendable {
    /// The sampling rate (q) and the noise multiplier (σ).
    package let mechanism: SampledGaussian
    package let steps: Int
    package let kind: MechanismKind

    init(mechanism: SampledGaussian, steps: Int, kind: MechanismKind = .poissonSampled) {
        precondition(steps >= 0, "a mechanism is not used fewer than no times")
        self.mechanism = mechanism
        self.steps = steps
        self.kind = kind
    }

    /// Whether paying for `self` pays for `other`: the same mechanism, at least as many steps.
    package func covers(_ other: MechanismEvent) -> Bool {
        kind == other.kind && mechanism == other.mechanism && steps >= other.steps
    }
}

/// The Gaussian mechanism with noise σ·C on a Poisson sample with rate q (Mironov, Talwar and
/// Zhang 2019, Definition 2), in fixed point.
package struct SampledGaussian: Hashable, Sendable {
    /// q in units of 2⁻⁶³, rounded up.
    let samplingRateUnits: UInt64
    /// σ in units of 10⁻⁹, rounded down.
    let noiseUnits: UInt64

    static let samplingRateUnitsMax: UInt64 = 1 << 63
    static let noiseUnitsMax: UInt64 = 1_000_000_000_000_000_000

    init?(samplingRateUnits: UInt64, noiseUnits: UInt64) {
        guard samplingRateUnits <= Self.samplingRateUnitsMax, noiseUnits <= Self.noiseUnitsMax
        else { return nil }
        self.samplingRateUnits = samplingRateUnits
        self.noiseUnits = noiseUnits
    }

    /// Nil unless 0 ≤ q ≤ 1 and 0 ≤ σ ≤ 10⁹.
    package init?(samplingRate: Double, noiseMultiplier: Double) {
        guard samplingRate >= 0, samplingRate <= 1, noiseMultiplier >= 0, noiseMultiplier <= 1e9
        else { return nil }
        samplingRateUnits = UInt64((samplingRate * 0x1p63).rounded(.up))
        noiseUnits = FixedPoint.units(of: noiseMultiplier, scale: 1e9)
    }

    package var samplingRate: Double { Double(samplingRateUnits) * 0x1p-63 }
    package var noiseMultiplier: Double { Double(noiseUnits) / 1e9 }
}

/// Reals of the ledger as whole numbers of a unit.
enum FixedPoint {
    /// The most units that do not exceed `value`, where a decimal that has an exact spelling in
    /// these units keeps it although its binary form may lie a hair below.
    static func units(of value: Double, scale: Double) -> UInt64 {
        let nearest = (value * scale).rounded()
        return UInt64(nearest / scale <= value ? nearest : nearest - 1)
    }
}
