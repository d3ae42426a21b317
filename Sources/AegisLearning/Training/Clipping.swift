/// How each record's gradient g is made no longer than `norm` (C) before the sum.
package struct Clipping: Hashable, Sendable {
    package enum Rule: Hashable, Sendable {
        /// g · min(1, C / ‖g‖) (Abadi et al. 2016).
        case flat
        /// g · C / (‖g‖ + stability) (Bu et al. 2023, "Automatic Clipping", AUTO-S).
        case automatic(stability: Float = 0.01)
        /// Flat, with C following a quantile of the norms (Andrew et al. 2021, Algorithm 1).
        case adaptive(Adaptive)
    }

    /// After each step C ← C · exp(−rate · (b − quantile)), where b is the noised share of
    /// gradients no longer than C.
    ///
    /// The sampler's event is charged with a multiplier z. The noise on b takes its part of it,
    /// and the sum gets z_Δ = (z⁻² − (2σ_b)⁻²)^−½ (Theorem 1 there), so that both together cost
    /// what was charged.
    package struct Adaptive: Hashable, Sendable {
        /// γ
        package var quantile: Double
        /// η_C
        package var rate: Double
        /// σ_b, in records: the deviation of the noise on the count. More than z / 2.
        package var countNoise: Double

        package init(quantile: Double = 0.5, rate: Double = 0.2, countNoise: Double) {
            self.quantile = quantile
            self.rate = rate
            self.countNoise = countNoise
        }

        /// z_Δ; nil where the count's noise is too small for what is charged.
        package func sumNoise(charged z: Double) -> Double? {
            let rest = 1 / (z * z) - 1 / (4 * countNoise * countNoise)
            return rest > 0 ? 1 / rest.squareRoot() : nil
        }
    }

    /// C, that of the first step where it adapts.
    package var norm: Float
    package var rule: Rule

    package init(norm: Float, rule: Rule = .flat) {
        self.norm = norm
        self.rule = rule
    }
}
