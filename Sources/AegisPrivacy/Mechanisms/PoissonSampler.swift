import Glibc

/// Draws each record of a data set into a step independently with probability q, counts its
/// steps, and is the only source of the events that are charged.
///
/// The draws decide who is protected by chance, so neither they nor the generator's state may
/// leave the node.
package struct PoissonSampler: Sendable {
    package let recordCount: Int
    package private(set) var steps = 0
    private let mechanism: SampledGaussian
    /// q·2⁶³, rounded up as in the event.
    private var threshold: UInt64 { mechanism.samplingRateUnits }

    /// Nil unless 0 ≤ q ≤ 1, 0 ≤ σ ≤ 10⁹ and the data set can be indexed. The sampler carries σ
    /// so that its event says all that the accountant needs.
    package init?(samplingRate: Double, noiseMultiplier: Double, recordCount: Int) {
        guard recordCount >= 0,
            let mechanism = SampledGaussian(
                samplingRate: samplingRate, noiseMultiplier: noiseMultiplier)
        else { return nil }
        self.recordCount = recordCount
        self.mechanism = mechanism
    }

    package var samplingRate: Double { mechanism.samplingRate }
    package var noiseMultiplier: Double { mechanism.noiseMultiplier }

    /// What has been drawn so far costs this.
    package var event: MechanismEvent { MechanismEvent(mechanism: mechanism, steps: steps) }

    /// What `steps` draws are going to cost: to be reserved before the first.
    package func event(afterSteps steps: Int) -> MechanismEvent {
        MechanismEvent(mechanism: mechanism, steps: steps)
    }

    /// The indices of one step, ascending. Each record is compared with a 63-bit threshold, of
    /// which the low 31 bits are drawn only when the high 32 do not decide.
    package mutating func draw(
        using generator: inout some RandomNumberGenerator
    ) -> [Int] {
        steps += 1
        if threshold == SampledGaussian.samplingRateUnitsMax { return Array(0..<recordCount) }
        let high = UInt32(truncatingIfNeeded: threshold >> 31)
        let low = UInt32(truncatingIfNeeded: threshold & 0x7fff_ffff)
        let mean = samplingRate * Double(recordCount)
        var drawn: [Int] = []
        drawn.reserveCapacity(Int(mean + 6 * mean.squareRoot()) + 16)
        var word: UInt64 = 0
        for record in 0..<recordCount {
            if record & 1 == 0 { word = generator.next() } else { word >>= 32 }
            let value = UInt32(truncatingIfNeeded: word)
            if value > high { continue }
            if value == high {
                let rest = UInt32(truncatingIfNeeded: generator.next() >> 33)
                if rest >= low { continue }
            }
            drawn.append(record)
        }
        return drawn
    }
}
