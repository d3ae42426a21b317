package import AegisCore
import CNoise

/// Single-precision normals at the speed of the stream cipher that feeds them: the transformation
/// of Box and Muller (1958), sixteen pairs at once. 62 random bits make a radius, so that values
/// reach ±9.2; what lies beyond has probability 2·10⁻¹⁹ a pair.
package enum FastNormals {
    /// Normals made from one block of random bytes.
    private static let blockCount = 4_096

    /// What the instructions of a path are called.
    package static func instructions(path: Int32) -> String {
        switch path {
        case 2: "AVX-512"
        case 1: "AVX2"
        default: "portable"
        }
    }

    /// The widest path this processor has.
    package static var widestPath: Int32 { aegis_normals_widest() }

    /// Adds `scale` times a standard normal to each of `values`.
    package static func add(
        scale: Float, to values: UnsafeMutableBufferPointer<Float>,
        using generator: inout some RandomBlockGenerator
    ) {
        add(scale: scale, to: values, using: &generator, path: aegis_normals_widest())
    }

    /// On a chosen path (0 portable, 1 AVX2, 2 AVX-512), which the processor must have.
    package static func add(
        scale: Float, to values: UnsafeMutableBufferPointer<Float>,
        using generator: inout some RandomBlockGenerator, path: Int32
    ) {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: words(for: blockCount)) { block in
            var start = 0
            while start < values.count {
                let count = min(blockCount, values.count - start)
                let used = UnsafeMutableBufferPointer(rebasing: block[..<words(for: count)])
                generator.fill(UnsafeMutableRawBufferPointer(used))
                aegis_normals_add_on(
                    path, used.baseAddress, count, scale, values.baseAddress?.advanced(by: start))
                start += count
            }
            // Whoever reads this memory later learns no noise.
            aegis_wipe(block.baseAddress, block.count * MemoryLayout<UInt32>.stride)
        }
    }

    private static func words(for count: Int) -> Int {
        let group = Int(AEGIS_NORMALS_GROUP)
        return (count + group - 1) / group * Int(AEGIS_NORMALS_GROUP_WORDS)
    }

    /// `count` standard normals.
    package static func normals(
        _ count: Int, using generator: inout some RandomBlockGenerator
    ) -> [Float] {
        var values = [Float](repeating: 0, count: count)
        values.withUnsafeMutableBufferPointer { add(scale: 1, to: $0, using: &generator) }
        return values
    }
}
