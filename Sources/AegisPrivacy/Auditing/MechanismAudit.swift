package import AegisCore
import Glibc

/// An audit of the mechanism itself: sampling, clipped sum and noise, as training uses them, on
/// the worst pair of data sets there is, an empty one and one with a single record at the clipping
/// norm. Many independent trials at once; the likelihood ratio is the score, so that nothing is
/// lost to a weak adversary.
package struct MechanismAudit: Sendable {
    package let samplingRate: Double
    /// σ, as it is charged.
    package let noiseMultiplier: Double
    package let steps: Int
    package let noise: NoiseGenerator
    /// 1; less, to see whether the audit finds an implementation with less noise than it says.
    package var noiseScale = 1.0

    package init(
        samplingRate: Double, noiseMultiplier: Double, steps: Int, noise: NoiseGenerator
    ) {
        self.samplingRate = samplingRate
        self.noiseMultiplier = noiseMultiplier
        self.steps = steps
        self.noise = noise
    }

    /// A lower bound of ε at δ, wrong with the probability `significance`; nil for a mechanism
    /// that can't be made. The better of both directions, which share the significance; half of
    /// the trials choose the threshold, the other half judge it.
    package func epsilonLower(
        trials: Int, delta: Double, significance: Double,
        using generator: inout some RandomBlockGenerator
    ) -> Double? {
        guard trials >= 100, steps > 0,
            let with = scores(isIn: true, trials, &generator),
            let without = scores(isIn: false, trials, &generator)
        else { return nil }
        func lower(_ ins: [Double], _ outs: [Double]) -> Double {
            let half = trials / 2
            let (choosing, judging) = (0..<half, half..<trials)
            let threshold = Self.bestThreshold(
                ins[choosing].sorted(), outs[choosing].sorted(), delta: delta)
            return ScoreAudit.epsilon(
                .init(
                    truePositives: ins[judging].count { $0 >= threshold },
                    falsePositives: outs[judging].count { $0 >= threshold }),
                of: trials - half, trials - half, delta: delta, significance: significance / 2)
        }
        return max(lower(with, without), lower(without.map { -$0 }, with.map { -$0 }))
    }

    /// The log likelihood ratio of what each trial released.
    private func scores(
        isIn: Bool, _ trials: Int, _ generator: inout some RandomBlockGenerator
    ) -> [Double]? {
        let clipNorm = 0.75
        // Each trial is a data set of one record, or of none, and a model of one parameter.
        guard
            var sampler = PoissonSampler(
                samplingRate: samplingRate, noiseMultiplier: noiseMultiplier,
                recordCount: isIn ? trials : 0),
            let mechanism = ClippedSumNoise(
                noise: noise, noiseMultiplier: noiseMultiplier * noiseScale, clipNorm: clipNorm,
                count: 1, expectedBatch: 1, microBatch: 1)
        else { return nil }
        let deviation = noiseMultiplier * mechanism.sensitivity
        var scores = [Double](repeating: 0, count: trials)
        var sum = [Float](repeating: 0, count: trials)
        for _ in 0..<steps {
            sum.withUnsafeMutableBufferPointer { sum in
                sum.update(repeating: 0)
                for trial in sampler.draw(using: &generator) { sum[trial] = Float(clipNorm) }
                mechanism.addNoise(to: sum, using: &generator)
            }
            for trial in 0..<trials {
                let shift = clipNorm / deviation
                let exponent = shift * Double(sum[trial]) / deviation - shift * shift / 2
                scores[trial] +=
                    samplingRate < 1
                    ? log1p(samplingRate * expm1(exponent)) : exponent
            }
        }
        return scores
    }

    /// The threshold with the largest plain log((TPR − δ) / FPR), of those that leave enough
    /// false positives to be judged by.
    private static func bestThreshold(
        _ ins: [Double], _ outs: [Double], delta: Double
    ) -> Double {
        var best = (value: -Double.infinity, threshold: Double.infinity)
        var index = ins.count
        for wrong in stride(from: 100, through: outs.count, by: max(1, outs.count / 2_000)) {
            let threshold = outs[outs.count - wrong]
            while index > 0, ins[index - 1] >= threshold { index -= 1 }
            let rate = Double(ins.count - index) / Double(ins.count)
            guard rate > delta else { continue }
            // Two standard errors of each off, as the judgement will take them off.
            let count = Double(ins.count)
            let sure = rate - 2 * (rate / count).squareRoot()
            let wrongMost = Double(wrong) + 2 * Double(wrong).squareRoot()
            guard sure > delta else { continue }
            let value = log((sure - delta) * count / wrongMost)
            if value > best.value { best = (value, threshold) }
        }
        return best.threshold
    }
}
