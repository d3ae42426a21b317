import AegisPrivacy
import Foundation
import Testing

@Suite("Transforms in 106 bits") struct PreciseFFTTests {
    @Test("π, and what lies behind its last bit in binary64")
    func angle() {
        let (cosine, sine) = DoubleDouble.cosineAndSine(DoubleDouble.twoPi / 8)
        let half = cosine * cosine
        #expect(half.high == 0.5 && abs(half.low) < 1e-31)
        let difference = cosine - sine
        #expect(abs(difference.high) < 1e-31)
        // √½ to 32 digits: 0.70710678118654752440 084436210485
        #expect(cosine.high == 0.5.squareRoot())
        #expect(abs(cosine.low - -4.833646656726457e-17) < 1e-31)
    }

    @Test("the transform is the sum that defines it", arguments: [128, 256, 1_024])
    func definition(count: Int) throws {
        var generator = TestGenerator(state: 5)
        let values = (0..<count).map { _ in Double.random(in: -1...1, using: &generator) }
        let transform = try #require(PreciseFFT(count: count, path: nil))
        let spectrum = transform.forward(values)
        #expect(spectrum.count == count / 2 + 1)
        for k in spectrum.indices {
            var sum = PreciseComplex.zero
            for (n, value) in values.enumerated() {
                let root = root(k * n % count, count)
                let real = DoubleDouble(value)
                sum = sum + PreciseComplex(real, .zero) * root
            }
            let gap = sum - spectrum[k]
            // The roots here are powers of the first, off by as many roundings.
            #expect(gap.square.squareRoot() < 1e-30 * Double(count), "\(k)")
        }
    }

    /// e^{−2πi·index/count} by powers of the first root.
    private func root(_ index: Int, _ count: Int) -> PreciseComplex {
        let (cosine, sine) = DoubleDouble.cosineAndSine(
            DoubleDouble.twoPi / Double(count))
        return PreciseComplex(cosine, -sine).power(index)
    }

    @Test("inverse and forward undo each other, and small values beside large ones stay")
    func inverse() throws {
        let count = 1 << 12
        var values = [Double](repeating: 1e-24, count: count)
        values[7] = 1
        values[4_000] = 3e-20
        let transform = try #require(PreciseFFT(count: count, path: nil))
        let back = transform.inverse(transform.forward(values))
        for (index, value) in values.enumerated() {
            #expect(abs(back[index] - value) <= 1e-28 + 1e-15 * value, "\(index)")
        }
    }

    @Test("every kind of processor computes the same bits", arguments: [Int32(0), 1])
    func paths(path: Int32) throws {
        let count = 1 << 11
        var generator = TestGenerator(state: 6)
        let values = (0..<count).map { _ in Double.random(in: 0...1, using: &generator) / 1e3 }
        guard let other = PreciseFFT(count: count, path: path) else { return }
        let best = try #require(PreciseFFT(count: count, path: nil))
        func result(_ transform: PreciseFFT) -> [Double] {
            let base = transform.forward(values)
            var spectrum = base
            transform.multiply(&spectrum, byPower: 37, of: base, least: 1e-9)
            return transform.inverse(spectrum)
        }
        #expect(result(other) == result(best))
    }

    @Test("a million draws at a rate of 1e-6: what no tilt can compose in binary64")
    func heavyTail() throws {
        let phase = try PrivacyPhase(samplingRate: 1e-6, noiseMultiplier: 0.5, steps: 1_000_000)
        let epsilon = PrivacyAccountant([phase]).epsilon(atDelta: 1e-9)
        // dp-accounting's with its finest grid is 0.56353; Opacus' PRV says 0.5595 ± 0.01.
        #expect(epsilon <= 0.559_477_055_6 * 1.005 + 1e-3)
        #expect(epsilon >= 0.5495)
    }
}
