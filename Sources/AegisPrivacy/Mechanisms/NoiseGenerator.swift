/// Which of the two generators makes a data set's noise. Its owner chooses; every report names it.
package enum NoiseGenerator: String, CaseIterable, Codable, Hashable, Sendable {
    /// Single-precision normals, vectorised. Statistically a Gaussian, but a sampler of
    /// floating-point numbers leaves gaps that an adversary who sees exact outputs can look for
    /// (Mironov 2012), and the addition rounds (Haney et al. 2022).
    case fast
    /// The discrete Gaussian on an integer grid (Canonne, Kamath and Steinke 2020): no
    /// floating-point number takes part in the draw, and the rounding of the sum is charged.
    case exact
}
