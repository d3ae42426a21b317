import AegisPrivacy
import Foundation
import Testing

@Suite("Correlated noise (banded Toeplitz factorisation)")
struct CorrelatedNoiseTests {
    private func near(_ left: Double, _ right: Double) -> Bool {
        abs(left - right) <= 1e-9 * max(1, abs(right))
    }

    @Test(
        "coefficients, inverse, sensitivity and errors are jax-privacy's",
        arguments: try MechanismVectors.load().toeplitz)
    func vectors(_ vector: MechanismVectors.Toeplitz) throws {
        let noise = try #require(CorrelatedNoise(bands: vector.bands, steps: vector.steps))
        #expect(zip(noise.coefficients, vector.strategy).allSatisfy(near))
        #expect(zip(noise.inverse(vector.noising.count), vector.noising).allSatisfy(near))
        #expect(noise.squaredSensitivity(participations: 1, separation: vector.bands) == 1)
        let separated = try #require(
            noise.squaredSensitivity(
                participations: vector.participations, separation: vector.bands))
        #expect(near(separated, vector.separated))
        let errors = noise.prefixSumErrors
        #expect(near(errors.max() ?? 0, vector.maximum))
        #expect(near(errors.reduce(0, +) / Double(vector.steps), vector.mean))
    }

    @Test("the stream is C⁻¹ of its input, by the definition")
    func stream() throws {
        let noise = try #require(CorrelatedNoise(bands: 5, steps: 40))
        var generator = TestGenerator(state: 3)
        let inputs = (0..<40).map { _ in FastNormals.normals(3, using: &generator) }
        let inverse = noise.inverse(40)
        var stream = noise.stream
        for step in 0..<40 {
            var correlated = inputs[step]
            stream.correlate(&correlated)
            for column in 0..<3 {
                let expected = (0...step).reduce(0.0) {
                    $0 + inverse[step - $1] * Double(inputs[$1][column])
                }
                #expect(abs(Double(correlated[column]) - expected) < 1e-4)
            }
        }
        // One band is independent noise.
        var plain = try #require(CorrelatedNoise(bands: 1, steps: 40)).stream
        for input in inputs {
            var noise = input
            plain.correlate(&noise)
            #expect(noise == input)
        }
    }

    @Test("its event is as many Gaussian releases as a record takes part")
    func event() throws {
        let noise = try #require(CorrelatedNoise(bands: 8, steps: 64))
        let event = try #require(
            noise.event(noiseMultiplier: 2, participations: 3, separation: 8))
        #expect(event.steps == 3 && event.kind == .correlated)
        #expect(event.mechanism.samplingRate == 1 && event.mechanism.noiseMultiplier == 2)
        // No more than fit into the steps.
        #expect(
            noise.event(noiseMultiplier: 2, participations: 99, separation: 8)?.steps == 8)
        // Columns that overlap are not charged as if they did not.
        #expect(noise.event(noiseMultiplier: 2, participations: 3, separation: 7) == nil)
        #expect(noise.event(noiseMultiplier: -1, participations: 1, separation: 8) == nil)
        for (bands, steps) in [(0, 4), (5, 4), (-1, 4), (1, 0), (1, 2_000_000)] {
            #expect(CorrelatedNoise(bands: bands, steps: steps) == nil)
        }
        // Paid as independent noise it is not covered, nor the other way round.
        let poisson = try #require(
            PoissonSampler(samplingRate: 1, noiseMultiplier: 2, recordCount: 4))
        #expect(!poisson.event(afterSteps: 9).covers(event))
    }

    @Test("cyclic sampling: every record in one group, its draws b steps apart, a b-th charged")
    func cyclic() throws {
        var generator = TestGenerator(state: 8)
        var sampler = try #require(
            CyclicPoissonSampler(
                groups: 4, samplingRate: 0.5, noiseMultiplier: 1, recordCount: 200,
                using: &generator))
        var last = [Int?](repeating: nil, count: 200)
        var counts = [Int](repeating: 0, count: 200)
        for step in 0..<400 {
            for record in sampler.draw(using: &generator) {
                if let before = last[record] { #expect((step - before) % 4 == 0) }
                last[record] = step
                counts[record] += 1
            }
        }
        #expect(last.allSatisfy { $0 != nil })
        let mean = 50.0
        let chiSquared = counts.reduce(0.0) { $0 + pow(Double($1) - mean, 2) / 25 }
        #expect(abs(chiSquared - 200) < 5 * 20)
        #expect(sampler.event.steps == 100 && sampler.event.mechanism.samplingRate == 0.5)
        #expect(sampler.event(afterSteps: 401).steps == 101)
        #expect(
            CyclicPoissonSampler(
                groups: 0, samplingRate: 0.5, noiseMultiplier: 1, recordCount: 1,
                using: &generator) == nil)
    }
}
