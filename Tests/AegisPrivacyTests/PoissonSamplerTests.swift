import AegisCore
import AegisPrivacy
import Testing

@Suite("Poisson sampling")
struct PoissonSamplerTests {
    @Test("each record is drawn with rate q, independently of its neighbours")
    func independent() throws {
        let (records, steps, rate) = (400, 4000, 0.1)
        var sampler = try #require(
            PoissonSampler(samplingRate: rate, noiseMultiplier: 1, recordCount: records))
        var generator = TestGenerator(state: 7)
        var counts = [Double](repeating: 0, count: records)
        var neighbours = [0.0, 0.0]
        var sizes: [Double] = []
        for _ in 0..<steps {
            let drawn = sampler.draw(using: &generator)
            #expect(drawn == drawn.sorted() && Set(drawn).count == drawn.count)
            sizes.append(Double(drawn.count))
            for index in drawn { counts[index] += 1 }
            let set = Set(drawn)
            for index in drawn {
                // Records whose bytes lie in one word, and records whose do not.
                if set.contains(index + 1) { neighbours[index & 1] += 1 }
            }
        }
        // χ² of the inclusion counts: mean 400, standard deviation √800.
        let mean = Double(steps) * rate
        let chiSquared = counts.reduce(0) {
            $0 + ($1 - mean) * ($1 - mean) / (mean * (1 - rate))
        }
        #expect(abs(chiSquared - Double(records)) < 5 * (2 * Double(records)).squareRoot())
        // Pairs: q² each.
        let pairs = Double(steps * records) / 2 * rate * rate
        for count in neighbours { #expect(abs(count - pairs) < 6 * pairs.squareRoot()) }
        // A binomial batch size has its variance too: a fixed or truncated batch would not.
        let average = sizes.reduce(0, +) / Double(steps)
        let variance = sizes.reduce(0) { $0 + ($1 - average) * ($1 - average) } / Double(steps)
        #expect(abs(average - 40) < 0.5)
        #expect(abs(variance - 36) < 4)
    }

    @Test("the event says what was drawn, the empty and the full sample included")
    func events() throws {
        var generator = TestGenerator(state: 1)
        var none = try #require(
            PoissonSampler(samplingRate: 0, noiseMultiplier: 1, recordCount: 10))
        #expect(none.draw(using: &generator).isEmpty)
        #expect(none.event.steps == 1)
        var all = try #require(
            PoissonSampler(samplingRate: 1, noiseMultiplier: 2, recordCount: 10))
        for _ in 0..<3 { #expect(all.draw(using: &generator) == Array(0..<10)) }
        #expect(all.event.steps == 3)
        #expect(all.event == all.event(afterSteps: 3))
        #expect(all.event.mechanism.noiseMultiplier == 2)
        #expect(all.event(afterSteps: 4).covers(all.event))
        #expect(!all.event(afterSteps: 2).covers(all.event))
        #expect(!none.event(afterSteps: 9).covers(all.event))
        #expect(
            PoissonSampler(samplingRate: 2, noiseMultiplier: 1, recordCount: 1) == nil)
    }

    /// Bytes for the records, words for the ties.
    private struct Script: RandomBlockGenerator {
        var bytes: [UInt8]
        var words: [UInt64]
        mutating func next() -> UInt64 { words.removeFirst() }
        mutating func fill(_ output: UnsafeMutableRawBufferPointer) {
            output.copyBytes(from: bytes.prefix(output.count))
            bytes.removeFirst(output.count)
        }
    }

    @Test("the threshold is exact: an equal byte is decided by 55 more bits")
    func ties() throws {
        // q = 2⁻⁷ + 2⁻⁹: first byte 2, then half of 2⁵⁵.
        let rate = 0x1p-7 + 0x1p-9
        var sampler = try #require(
            PoissonSampler(samplingRate: rate, noiseMultiplier: 1, recordCount: 19))
        let half: UInt64 = 1 << 54
        var bytes = [UInt8](repeating: 200, count: 19)
        (bytes[0], bytes[3], bytes[7], bytes[11], bytes[18]) = (1, 2, 3, 2, 0)
        var generator = Script(bytes: bytes, words: [(half - 1) << 9, half << 9])
        #expect(sampler.draw(using: &generator) == [0, 3, 18])
        #expect(sampler.steps == 1)
    }

    @Test(
        "no word of eight bytes hides a record", arguments: [0.001, 0.02, 0.3, 0.499, 0.6, 0.999])
    func blocks(rate: Double) throws {
        let count = 20_003
        var sampler = try #require(
            PoissonSampler(samplingRate: rate, noiseMultiplier: 1, recordCount: count))
        let first = UInt8((rate * 256).rounded(.down))
        var source = TestGenerator(state: 3)
        let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: source.next() >> 20) }
        var generator = Script(bytes: bytes, words: [UInt64](repeating: .max, count: count))
        let expected = bytes.indices.filter { bytes[$0] < first }
        #expect(sampler.draw(using: &generator) == expected)
    }

    @Test("a step drawn in parts is one step, and each part draws its own records")
    func parts() throws {
        let count = 20_003
        var sampler = try #require(
            PoissonSampler(samplingRate: 0.25, noiseMultiplier: 1, recordCount: count))
        var generator = TestGenerator(state: 11)
        let step = sampler.step()
        let (low, high) = (0..<9_001, 9_001..<count)
        let drawn = [low, high].map { step.indices(in: $0, using: &generator) }
        #expect(sampler.steps == 1)
        for (drawn, records) in zip(drawn, [low, high]) {
            #expect(drawn.allSatisfy(records.contains) && drawn == Set(drawn).sorted())
            let mean = Double(records.count) / 4
            #expect(abs(Double(drawn.count) - mean) < 6 * (mean * 0.75).squareRoot())
        }
        // Another place of the same stream, so not the first part's draw once more.
        #expect(drawn[1].prefix(500) != drawn[0].prefix(500).map { $0 + 9_001 }[...])
        #expect(step.indices(in: 5..<5, using: &generator).isEmpty)
    }
}
