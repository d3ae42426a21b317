import AegisCore
import AegisLearning
import AegisPrivacy
import Testing

@Suite("The one-run audit through the training loop")
struct CanaryAuditTests {
    /// ε at 1e-5 of a Gaussian mechanism with μ = 1/2 (Balle and Wang 2018): four full steps with
    /// σ = 4.
    private static let claimed = 1.99309

    private func audit(noiseScale: Double, seed: UInt64) throws -> CanaryAudit.Outcome {
        var audit = CanaryAudit(samplingRate: 1, noiseMultiplier: 4, steps: 4)
        audit.noiseScale = noiseScale
        var generator = SplitMix64(seed: seed)
        return try audit.run(delta: 1e-5, significance: 0.05, using: &generator)
    }

    @Test("what is proved lies below the claim, and well above nothing")
    func honest() throws {
        let outcome = try audit(noiseScale: 1, seed: 1)
        #expect(outcome.lower < Self.claimed, "\(outcome)")
        #expect(outcome.epsilonLower > 0.3 * Self.claimed, "\(outcome)")
        #expect(outcome.gaussianEpsilonLower > 0.4 * Self.claimed, "\(outcome)")
        #expect(outcome.canaries == 49_152)
    }

    @Test("training with half the noise is caught")
    func halfTheNoise() throws {
        let outcome = try audit(noiseScale: 0.5, seed: 2)
        #expect(outcome.lower > Self.claimed, "\(outcome)")
    }
}
