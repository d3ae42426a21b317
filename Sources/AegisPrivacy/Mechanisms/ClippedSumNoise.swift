package import AegisCore
import CNoise

/// The Gaussian mechanism on a sum of clipped gradients: adds noise of deviation σ·C, and in
/// exact mode a little more, to pay for every rounding on the way.
///
/// Exact mode releases whole multiples of a grid step γ. A record changes the true sum by at most
/// C; what the node computes can differ more, and each part is charged (Casacuberta et al. 2022
/// show what happens otherwise):
/// - rounding P values of two neighbouring sums to the grid: γ·√P;
/// - the float32 sums of n gradients in micro-batches of m: 2u·(m + n/m)·n·C, u = 2⁻²⁴ (Higham
///   2002, §4.2), n being the public expected batch and six deviations;
/// - the clipping itself, whose norm is computed in float32: C·2⁻¹⁰.
/// γ is chosen so that σ times the whole is the generator's deviation, 2²⁴ steps.
package struct ClippedSumNoise: Hashable, Sendable {
    package let noise: NoiseGenerator
    /// σ: what the accountant is told.
    package let noiseMultiplier: Double
    /// C: no record's gradient is longer.
    package let clipNorm: Double
    /// The most that one record changes the sum, roundings included. C in fast mode.
    package let sensitivity: Double
    /// γ; nil in fast mode.
    package let gridStep: Double?

    /// Nil unless 0 ≤ σ ≤ 10⁹ and 0 < C < ∞; and for exact noise, unless σ > 0 and the grid is
    /// fine enough for `count` values, which it is while σ·√count < 8 million.
    package init?(
        noise: NoiseGenerator, noiseMultiplier: Double, clipNorm: Double, count: Int,
        expectedBatch: Int, microBatch: Int
    ) {
        guard noiseMultiplier >= 0, noiseMultiplier <= 1e9, clipNorm > 0, clipNorm.isFinite,
            count >= 0, expectedBatch > 0, microBatch > 0
        else { return nil }
        self.noise = noise
        self.noiseMultiplier = noiseMultiplier
        self.clipNorm = clipNorm
        guard noise == .exact else {
            sensitivity = clipNorm
            gridStep = nil
            return
        }
        let summed =
            clipNorm * (1 + Self.summationSlack(expectedBatch, microBatch: microBatch))
        // In grid steps: summed / γ + √P = 2²⁴ / σ.
        let steps = DiscreteGaussian.deviation / noiseMultiplier
        let rounding = Double(count).squareRoot() * (1 + 0x1p-40)
        guard noiseMultiplier > 0, steps.isFinite, steps > 2 * rounding else { return nil }
        let gridStep = summed / (steps - rounding) * (1 + 0x1p-40)
        guard gridStep > 0, gridStep.isFinite else { return nil }
        self.gridStep = gridStep
        sensitivity = gridStep * steps
    }

    /// The standard deviation of what is added to each value.
    package var deviation: Double { noiseMultiplier * sensitivity }

    /// The share of C by which float32 sums and norms can be off.
    static func summationSlack(_ expectedBatch: Int, microBatch: Int) -> Double {
        let batch = Double(expectedBatch)
        let records = batch + 6 * batch.squareRoot() + 16
        let rows = min(Double(microBatch), records)
        return 0x1p-10 + 0x1p-23 * (rows + (records / rows).rounded(.up)) * records
    }

    /// Adds the noise of one release to `sum`; in exact mode rounds it to the grid first.
    package func addNoise(
        to sum: UnsafeMutableBufferPointer<Float>,
        using generator: inout some RandomBlockGenerator
    ) {
        guard let gridStep else {
            // Rounded up, so that no cast makes the noise smaller.
            let scale = Float(deviation)
            return FastNormals.add(
                scale: Double(scale) < deviation ? scale.nextUp : scale, to: sum,
                using: &generator)
        }
        let block = 4_096
        let stepsPerUnit = 1 / gridStep
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: block) { draws in
            var start = 0
            while start < sum.count {
                let count = min(block, sum.count - start)
                DiscreteGaussian.fill(
                    UnsafeMutableBufferPointer(rebasing: draws[..<count]), using: &generator)
                for index in 0..<count {
                    // Whole numbers far below 2⁵³: the addition is exact. The way back to
                    // float32 is a fixed function of what is released.
                    let steps = (Double(sum[start + index]) * stepsPerUnit).rounded()
                    sum[start + index] = Float((steps + Double(draws[index])) * gridStep)
                }
                start += count
            }
            aegis_wipe(draws.baseAddress, block * MemoryLayout<Int32>.stride)
        }
    }
}
