import Glibc

/// Standard normals in single precision by the transformation of Box and Muller (1958), in blocks.
///
/// Each pair takes one 64-bit word: 40 bits for the radius, so that values reach ±7.4 (what lies
/// beyond has probability 10⁻¹³), and 24 for the angle. As any sampler of floating-point numbers
/// it leaves gaps that an adversary who sees exact outputs can look for (Mironov 2012).
package enum GaussianNoise {
    private static let blockPairs = 256

    /// Adds `scale` times a standard normal to each of `values`.
    package static func add(
        scale: Float, to values: UnsafeMutableBufferPointer<Float>,
        using generator: inout some RandomNumberGenerator
    ) {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: blockPairs) { words in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * blockPairs) { normals in
                var start = 0
                while start < values.count {
                    let count = min(2 * blockPairs, values.count - start)
                    for index in 0..<(count + 1) / 2 { words[index] = generator.next() }
                    transform(words, (count + 1) / 2, into: normals)
                    for index in 0..<count { values[start + index] += scale * normals[index] }
                    start += count
                }
            }
        }
    }

    /// `count` standard normals.
    package static func normals(
        _ count: Int, using generator: inout some RandomNumberGenerator
    ) -> [Float] {
        var values = [Float](repeating: 0, count: count)
        values.withUnsafeMutableBufferPointer { add(scale: 1, to: $0, using: &generator) }
        return values
    }

    private static func transform(
        _ words: UnsafeMutableBufferPointer<UInt64>, _ pairs: Int,
        into normals: UnsafeMutableBufferPointer<Float>
    ) {
        for index in 0..<pairs {
            let word = words[index]
            // (0, 1]: the logarithm is finite and never positive.
            let uniform = Float(Int64(word >> 24) + 1) * 0x1p-40
            let angle = Float(Int32(word & 0xff_ffff)) * (2 * Float.pi * 0x1p-24)
            let radius = (-2 * logf(uniform)).squareRoot()
            normals[2 * index] = radius * cosf(angle)
            normals[2 * index + 1] = radius * sinf(angle)
        }
    }
}
