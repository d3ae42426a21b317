package import AegisCore

/// Noise that is correlated over steps so that what one step adds is partly taken back by later
/// ones: the sums that a model is made of get less of it, at the same privacy of all steps
/// together. The strategy is a banded lower-triangular Toeplitz matrix C, the square root of the
/// prefix-sum matrix cut to its bands: coefficients of (1 − x)^(−1/2), columns of unit norm
/// (Kairouz et al. 2021, "Practical and Private (Deep) Learning Without Sampling or Shuffling";
/// Choquette-Choo et al. 2023, "(Amplified) Banded Matrix Factorization").
///
/// The mechanism releases x_t + z_t, with z = C⁻¹w and w independent N(0, (σC)²): one Gaussian
/// mechanism on Cx, for all steps. It needs no sampling, and so protects where Poisson sampling
/// can't be had.
package struct CorrelatedNoise: Hashable, Sendable {
    /// c_0 … c_{b−1}: the first column of C.
    package let coefficients: [Double]
    package let steps: Int

    /// Nil unless 1 ≤ bands ≤ steps ≤ 10⁶.
    package init?(bands: Int, steps: Int) {
        guard (1...1_000_000).contains(steps), (1...steps).contains(bands) else { return nil }
        self.steps = steps
        var raw = [1.0]
        for k in 1..<max(bands, 1) where k < bands {
            raw.append(raw[k - 1] * Double(2 * k - 1) / Double(2 * k))
        }
        let norm = raw.reduce(0) { $0 + $1 * $1 }.squareRoot()
        coefficients = raw.map { $0 / norm }
    }

    /// b
    package var bands: Int { coefficients.count }

    /// The first `count` coefficients of C⁻¹, itself Toeplitz.
    package func inverse(_ count: Int) -> [Double] {
        var result: [Double] = []
        for index in 0..<max(0, count) {
            var value = index == 0 ? 1.0 : 0
            for band in 1..<max(bands, 1) where band <= index && band < bands {
                value -= coefficients[band] * result[index - band]
            }
            result.append(value / coefficients[0])
        }
        return result
    }

    /// ‖C u‖² for a record that takes part `participations` times, at least `separation` steps
    /// apart, each time with a gradient of norm one: with b ≤ separation its columns do not
    /// overlap, and the squares of their norms, at most one, add up. Nil for closer ones.
    package func squaredSensitivity(participations: Int, separation: Int) -> Double? {
        guard separation >= bands, participations >= 0 else { return nil }
        let possible = (steps + separation - 1) / separation
        return Double(min(participations, possible))
    }

    /// What is charged where a record takes part at most `participations` times, `separation` or
    /// more steps apart: a Gaussian mechanism used so many times. Nil for closer ones.
    package func event(
        noiseMultiplier: Double, participations: Int, separation: Int
    ) -> MechanismEvent? {
        guard
            let squared = squaredSensitivity(
                participations: participations, separation: separation),
            let mechanism = SampledGaussian(samplingRate: 1, noiseMultiplier: noiseMultiplier)
        else { return nil }
        return MechanismEvent(mechanism: mechanism, steps: Int(squared), kind: .correlated)
    }

    /// The variance, with unit noise, of what the sum of the first t steps gets, for each t:
    /// row t of AC⁻¹, A being the matrix of ones on and below the diagonal.
    package var prefixSumErrors: [Double] {
        // Row t holds the running sums of C⁻¹'s coefficients, in reverse.
        var (sum, squares) = (0.0, 0.0)
        return inverse(steps).map { coefficient in
            sum += coefficient
            squares += sum * sum
            return squares
        }
    }

    /// Correlates a stream of independent noise vectors. Keeps the last b − 1 of its own.
    package struct Stream: Sendable {
        private let coefficients: [Float]
        private var past: [[Float]] = []

        init(_ coefficients: [Double]) { self.coefficients = coefficients.map(Float.init) }

        /// Turns w_t into z_t = (w_t − Σ c_k z_{t−k}) / c_0, in place.
        package mutating func correlate(_ noise: inout [Float]) {
            for (back, earlier) in past.enumerated() {
                precondition(earlier.count == noise.count, "noise of one length")
                let weight = coefficients[back + 1]
                for index in noise.indices { noise[index] -= weight * earlier[index] }
            }
            for index in noise.indices { noise[index] /= coefficients[0] }
            guard coefficients.count > 1 else { return }
            past.insert(noise, at: 0)
            if past.count == coefficients.count { past.removeLast() }
        }
    }

    package var stream: Stream { Stream(coefficients) }
}

/// Sampling for correlated noise: every record is in one of b groups, chosen by a fair draw, and
/// step t draws from group t mod b, each record with probability q. A record's participations are
/// then at least b steps apart, and what is charged is DP-SGD at rate q for a b-th of the steps
/// (Choquette-Choo et al. 2023, Theorem 1).
package struct CyclicPoissonSampler: Sendable {
    package let groups: Int
    package private(set) var steps = 0
    private var members: [[Int]]
    private var samplers: [PoissonSampler]

    /// Nil unless there is a group, 0 ≤ q ≤ 1 and 0 ≤ σ ≤ 10⁹. The groups are drawn here, so that
    /// where a record lies does not depend on the others.
    package init?(
        groups: Int, samplingRate: Double, noiseMultiplier: Double, recordCount: Int,
        using generator: inout some RandomNumberGenerator
    ) {
        guard (1...1_000_000).contains(groups), recordCount >= 0 else { return nil }
        var members = [[Int]](repeating: [], count: groups)
        for record in 0..<recordCount {
            members[Int.random(in: 0..<groups, using: &generator)].append(record)
        }
        var samplers: [PoissonSampler] = []
        for group in members {
            guard
                let sampler = PoissonSampler(
                    samplingRate: samplingRate, noiseMultiplier: noiseMultiplier,
                    recordCount: group.count)
            else { return nil }
            samplers.append(sampler)
        }
        self.groups = groups
        self.members = members
        self.samplers = samplers
    }

    /// What `steps` draws are going to cost.
    package func event(afterSteps steps: Int) -> MechanismEvent {
        MechanismEvent(
            mechanism: samplers[0].event.mechanism, steps: (steps + groups - 1) / groups,
            kind: .correlated)
    }

    /// What has been drawn so far costs this.
    package var event: MechanismEvent { event(afterSteps: steps) }

    /// The indices of one step, ascending.
    package mutating func draw(using generator: inout some RandomBlockGenerator) -> [Int] {
        let group = steps % groups
        steps += 1
        return samplers[group].draw(using: &generator).map { members[group][$0] }
    }
}
