import AegisCore
import AegisPrivacy
import Foundation
import Testing

/// The two generators on one scale: standard normals.
enum NoiseSample: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case fast, exact

    var testDescription: String { rawValue }

    func normals(_ count: Int, seed: UInt64) -> [Double] {
        var generator = TestGenerator(state: seed)
        switch self {
        case .fast: return FastNormals.normals(count, using: &generator).map(Double.init)
        case .exact:
            var values = [Int32](repeating: 0, count: count)
            values.withUnsafeMutableBufferPointer {
                DiscreteGaussian.fill($0, using: &generator)
            }
            return values.map { Double($0) / DiscreteGaussian.deviation }
        }
    }
}

/// P[N(0, 1) > x]
func upperTail(_ x: Double) -> Double { 0.5 * erfc(x / 2.0.squareRoot()) }

@Suite("Noise")
struct NoiseTests {
    /// Fixed seeds: these are judgements of two algorithms, not of a day's luck.
    private static let counts: [NoiseSample: Int] = [.fast: 4_000_000, .exact: 400_000]

    private func sample(_ noise: NoiseSample, seed: UInt64) -> [Double] {
        noise.normals(Self.counts[noise] ?? 0, seed: seed)
    }

    /// The largest distance to the normal distribution function, times √n.
    private func kolmogorovSmirnov(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        let count = Double(sorted.count)
        var distance = 0.0
        for (index, value) in sorted.enumerated() {
            let probability = upperTail(-value)
            distance = max(
                distance, probability - Double(index) / count,
                Double(index + 1) / count - probability)
        }
        return distance * count.squareRoot()
    }

    @Test("Kolmogorov and Smirnov find no difference to N(0, 1)", arguments: NoiseSample.allCases)
    func distribution(_ noise: NoiseSample) {
        let values = sample(noise, seed: 2)
        // 1.95 is exceeded by one seed in a thousand.
        #expect(kolmogorovSmirnov(values) < 1.95)
        // The test can fail: one per cent is found.
        #expect(kolmogorovSmirnov(values.map { $0 * 1.01 + 0.01 }) > 1.95)
    }

    @Test(
        "the first six moments are a standard normal's, within five standard errors",
        arguments: NoiseSample.allCases)
    func moments(_ noise: NoiseSample) {
        let values = sample(noise, seed: 1)
        // The moment, and the variance of the power that estimates it.
        let expected: [(moment: Double, variance: Double)] = [
            (0, 1), (1, 2), (0, 15), (3, 96), (0, 945), (15, 10_170),
        ]
        for (power, (moment, variance)) in expected.enumerated() {
            let mean = values.reduce(0) { $0 + pow($1, Double(power + 1)) } / Double(values.count)
            let error = (variance / Double(values.count)).squareRoot()
            #expect(abs(mean - moment) < 5 * error, "moment \(power + 1): \(mean)")
        }
    }

    @Test("both tails have the weight they should", arguments: NoiseSample.allCases)
    func tails(_ noise: NoiseSample) {
        let values = sample(noise, seed: 3)
        let thresholds = [1, 2, 3, 3.5, 4] + (noise == .fast ? [4.5, 5] : [])
        for threshold in thresholds {
            for sign in [1.0, -1] {
                let expected = upperTail(threshold) * Double(values.count)
                let found = Double(values.count { sign * $0 > threshold })
                // Five standard deviations of a count, and room for one where it is small.
                #expect(
                    abs(found - expected) < 5 * expected.squareRoot() + 1,
                    "beyond \(sign * threshold): \(found), expected \(expected)")
            }
        }
    }

    @Test(
        "no value tells of its neighbours: autocorrelation of values and of squares",
        arguments: NoiseSample.allCases)
    func autocorrelation(_ noise: NoiseSample) {
        let values = sample(noise, seed: 4)
        let squares = values.map { ($0 * $0 - 1) / 2.0.squareRoot() }
        // Lags around a pair, a group and a block of the vectorised generator among them.
        for lag in [1, 2, 3, 8, 15, 16, 17, 31, 32, 33, 48, 64, 1_024, 4_096, 6_144] {
            for (name, series) in [("values", values), ("squares", squares)] {
                let pairs = series.count - lag
                var sum = 0.0
                for index in 0..<pairs { sum += series[index] * series[index + lag] }
                #expect(
                    abs(sum) < 4.5 * Double(pairs).squareRoot(), "lag \(lag) of \(name): \(sum)")
            }
        }
    }

    @Test("every path of the vectorised generator gives the same bits, tails included")
    func paths() {
        for count in [0, 1, 31, 32, 33, 4_095, 4_096, 4_097, 10_000] {
            var results: [[UInt32]] = []
            for path in 0...FastNormals.widestPath {
                var generator = TestGenerator(state: 9)
                var values = [Float](repeating: 0.5, count: count)
                values.withUnsafeMutableBufferPointer {
                    FastNormals.add(scale: 3, to: $0, using: &generator, path: path)
                }
                results.append(values.map(\.bitPattern))
            }
            #expect(Set(results).count == 1)
        }
    }

    @Test("the least and the greatest words give finite values")
    func extremes() {
        struct Constant: RandomBlockGenerator {
            let word: UInt64
            mutating func next() -> UInt64 { word }
        }
        for word in [UInt64(0), .max, 0x8000_0000_8000_0000, 0x7fff_ffff_7fff_ffff, 1] {
            var generator = Constant(word: word)
            let values = FastNormals.normals(64, using: &generator)
            #expect(values.allSatisfy { $0.isFinite && abs($0) < 9.4 })
        }
        var least = Constant(word: 0)
        let radius = FastNormals.normals(32, using: &least).map(abs).max() ?? 0
        #expect(radius > 6.5, "the radius reaches 9.2, and a quarter turn of it 6.5")
    }
}

@Suite("The discrete Gaussian (Canonne, Kamath and Steinke 2020)")
struct DiscreteGaussianTests {
    @Test("its low bits are fair: the grid is used to its last step")
    func lowBits() {
        var generator = TestGenerator(state: 5)
        var values = [Int32](repeating: 0, count: 200_000)
        values.withUnsafeMutableBufferPointer { DiscreteGaussian.fill($0, using: &generator) }
        for bit in 0..<16 {
            let ones = Double(values.count { $0 >> Int32(bit) & 1 == 1 })
            #expect(abs(ones - 100_000) < 5 * 50_000.0.squareRoot(), "bit \(bit): \(ones)")
        }
        // Pairs of the lowest byte: 256 cells of 781.
        var cells = [Double](repeating: 0, count: 256)
        for value in values { cells[Int(UInt32(bitPattern: value) & 255)] += 1 }
        let mean = 200_000.0 / 256
        let chiSquared = cells.reduce(0) { $0 + ($1 - mean) * ($1 - mean) / mean }
        #expect(abs(chiSquared - 255) < 5 * (2 * 255.0).squareRoot())
    }

    @Test("a χ² test against the distribution itself in 64 cells")
    func chiSquared() {
        let values = NoiseSample.exact.normals(400_000, seed: 6)
        // Cells of width 1/8 over ±3.75, and two tails.
        var cells = [Double](repeating: 0, count: 62)
        for value in values {
            cells[min(61, max(0, Int(((value + 3.75) * 8).rounded(.down)) + 1))] += 1
        }
        var statistic = 0.0
        for (index, found) in cells.enumerated() {
            let lower = index == 0 ? -20 : Double(index - 1) / 8 - 3.75
            let upper = index == 61 ? 20 : Double(index) / 8 - 3.75
            let expected = (upperTail(lower) - upperTail(upper)) * 400_000
            statistic += (found - expected) * (found - expected) / expected
        }
        #expect(abs(statistic - 61) < 5 * (2 * 61.0).squareRoot(), "\(statistic)")
    }
}

@Suite("The Gaussian mechanism on a clipped sum")
struct ClippedSumNoiseTests {
    private func gaussian(
        _ noise: NoiseGenerator, sigma: Double = 1.25, clip: Double = 0.5, count: Int = 10_000
    ) -> ClippedSumNoise? {
        ClippedSumNoise(
            noise: noise, noiseMultiplier: sigma, clipNorm: clip, count: count,
            expectedBatch: 256, microBatch: 64)
    }

    @Test(
        "the deviation is σ·C, in exact mode with what the roundings cost",
        arguments: NoiseGenerator.allCases)
    func deviation(_ noise: NoiseGenerator) throws {
        let mechanism = try #require(gaussian(noise, count: 200_000))
        var sum = [Float](repeating: 7, count: 200_000)
        var generator = TestGenerator(state: 11)
        sum.withUnsafeMutableBufferPointer { mechanism.addNoise(to: $0, using: &generator) }
        let mean = sum.reduce(0) { $0 + Double($1) } / 200_000
        let variance = sum.reduce(0) { $0 + (Double($1) - 7) * (Double($1) - 7) } / 200_000
        #expect(abs(mean - 7) < 0.008)
        #expect(abs(variance.squareRoot() / mechanism.deviation - 1) < 0.008)
        #expect(mechanism.deviation >= 0.625 && mechanism.deviation < 0.625 * 1.02)
    }

    @Test("exact: what is released lies on the grid, whatever the sum was")
    func onGrid() throws {
        let mechanism = try #require(gaussian(.exact, count: 4))
        let step = try #require(mechanism.gridStep)
        var generator = TestGenerator(state: 12)
        for _ in 0..<500 {
            var sum: [Float] = [0.1, -3.7, 1e-9, 12_345]
            sum.withUnsafeMutableBufferPointer { mechanism.addNoise(to: $0, using: &generator) }
            for value in sum.prefix(3) {
                // Float32 keeps the nearest to a multiple of γ.
                let nearest = Float((Double(value) / step).rounded() * step)
                #expect(nearest == value)
            }
        }
    }

    @Test("exact: what is drawn, and how much, does not depend on the sum")
    func drawsAlike() throws {
        let mechanism = try #require(gaussian(.exact, count: 4))
        func after(_ values: [Float]) -> UInt64 {
            var (sum, generator) = (values, TestGenerator(state: 14))
            sum.withUnsafeMutableBufferPointer { mechanism.addNoise(to: $0, using: &generator) }
            return generator.next()
        }
        let nothing = after([0, 0, 0, 0])
        #expect(after([1, -1, 0.5, 0]) == nothing && after([1e5, 3, -1e-9, 7]) == nothing)
    }

    @Test("exact: neighbouring sums, rounded, differ by no more than is charged")
    func sensitivity() throws {
        let (count, records, rows) = (64, 300, 64)
        let mechanism = try #require(gaussian(.exact, clip: 1, count: count))
        let step = try #require(mechanism.gridStep)
        var generator = TestGenerator(state: 13)
        for trial in 0..<40 {
            let gradients = (0..<records).map { index -> [Float] in
                clipped(FastNormals.normals(count, using: &generator), to: 1, even: index != trial)
            }
            func sum(without removed: Int?) -> [Float] {
                let kept = gradients.indices.filter { $0 != removed }
                var total = [Float](repeating: 0, count: count)
                for start in stride(from: 0, to: kept.count, by: rows) {
                    var part = [Float](repeating: 0, count: count)
                    for index in kept[start..<min(start + rows, kept.count)] {
                        for column in 0..<count { part[column] += gradients[index][column] }
                    }
                    for column in 0..<count { total[column] += part[column] }
                }
                return total.map { Float(($0 / Float(step)).rounded()) }
            }
            let (all, fewer) = (sum(without: nil), sum(without: trial))
            let squared = zip(all, fewer).reduce(0.0) {
                $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1)
            }
            #expect(squared.squareRoot() * step <= mechanism.sensitivity)
        }
    }

    /// Scales to the norm exactly, or lets a short one be.
    private func clipped(_ gradient: [Float], to norm: Float, even: Bool) -> [Float] {
        let length = gradient.reduce(Float(0)) { $0 + $1 * $1 }.squareRoot()
        let factor = even ? min(1, norm / length) : norm / length
        return gradient.map { $0 * factor }
    }

    @Test("what cannot be made is refused")
    func refused() {
        #expect(gaussian(.exact, sigma: 0) == nil)
        #expect(gaussian(.fast, sigma: 0) != nil)
        #expect(gaussian(.exact, sigma: 1e6) == nil)
        for sigma in [-1, .nan, .infinity, 2e9] { #expect(gaussian(.fast, sigma: sigma) == nil) }
        for clip in [0, -1, .nan, .infinity] { #expect(gaussian(.exact, clip: clip) == nil) }
        #expect(gaussian(.exact, clip: .leastNonzeroMagnitude) == nil)
    }
}
