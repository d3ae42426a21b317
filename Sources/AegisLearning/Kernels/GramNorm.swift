import CLearning

/// The squared length of Σ_t g_t a_tᵀ and of Σ_t g_t together, without forming either:
/// Σ_t,u (a_t·a_u + 1)(g_t·g_u) (Li et al. 2021; Bu et al. 2022).
enum GramNorm {
    /// The terms can cancel, and what single precision would lose of them then is not small beside
    /// the rest: a length that is too short is a clip that does not hold. So in binary64.
    static func squared(
        inputs: UnsafePointer<Float>, width: Int, gradients: UnsafePointer<Float>,
        gradientWidth: Int, rows: Int
    ) -> Float {
        var sum = 0.0
        for row in 0..<rows {
            for other in 0...row {
                let slopes = aegis_product(
                    gradients + row * gradientWidth, gradients + other * gradientWidth,
                    gradientWidth)
                let values = aegis_product(
                    inputs + row * width, inputs + other * width, width)
                sum += (values + 1) * slopes * (other == row ? 1 : 2)
            }
        }
        return Float(sum < 0 ? 0 : sum)
    }
}
