import AegisCrypto
import AegisPrivacy

/// Times both generators of noise on one core, with the generator of random bits that runs use:
/// a line for each, its name, the instructions, values a second. A value is drawn, scaled and
/// added to a sum, which is what a step of training does. `benchmarks/privacy/run` prints it
/// beside others.
let generator = CryptographicGenerator()
let clock = ContinuousClock()

/// Values a second: the least time of `repetitions`.
func rate(
    count: Int, repetitions: Int, _ draw: (UnsafeMutableBufferPointer<Float>) -> Void
) -> Int {
    var sum = [Float](repeating: 0, count: count)
    var least = Duration.seconds(3_600)
    for _ in 0..<repetitions {
        let time = clock.measure { sum.withUnsafeMutableBufferPointer { draw($0) } }
        least = min(least, time)
    }
    return Int(Double(count) / (least / .seconds(1)))
}

let count = 1 << 20
for path in (0...FastNormals.widestPath).reversed() {
    let fast = rate(count: count, repetitions: 50) {
        var bits = generator
        FastNormals.add(scale: 1.5, to: $0, using: &bits, path: path)
    }
    print("fast \(FastNormals.instructions(path: path)) \(fast)")
}

guard
    let noise = ClippedSumNoise(
        noise: .exact, noiseMultiplier: 1.5, clipNorm: 1, count: count, expectedBatch: 256,
        microBatch: 256)
else { preconditionFailure("constants that have a grid") }
let exact = rate(count: count, repetitions: 10) {
    var bits = generator
    noise.addNoise(to: $0, using: &bits)
}
print("exact integers \(exact)")
