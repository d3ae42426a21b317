/// The values of one update, read block by block, so that a memory-mapped file works as well as
/// an array and no rule needs all updates in memory.
package protocol UpdateSource {
    var count: Int { get }
    /// Lends the values of `range`, which lies within `0..<count`.
    func withValues(
        in range: Range<Int>, _ body: (UnsafeBufferPointer<Float>) -> Void)
}

extension [Float]: UpdateSource {
    package func withValues(
        in range: Range<Int>, _ body: (UnsafeBufferPointer<Float>) -> Void
    ) {
        withUnsafeBufferPointer { body(UnsafeBufferPointer(rebasing: $0[range])) }
    }
}

/// Little-endian float32 values anywhere in memory that outlives this value: a mapped file's data
/// section. Unaligned memory is copied a block at a time, aligned memory is lent as it is.
package struct RawUpdate: UpdateSource {
    package let count: Int
    private let bytes: UnsafeRawBufferPointer

    /// Nil unless the bytes are a whole number of values.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count.isMultiple(of: 4) else { return nil }
        self.bytes = bytes
        count = bytes.count / 4
    }

    package func withValues(
        in range: Range<Int>, _ body: (UnsafeBufferPointer<Float>) -> Void
    ) {
        let slice = UnsafeRawBufferPointer(
            rebasing: bytes[4 * range.lowerBound..<4 * range.upperBound])
        let alignment = MemoryLayout<Float>.alignment
        if let address = slice.baseAddress,
            !UInt(bitPattern: address).isMultiple(of: UInt(alignment))
        {
            let values = range.map {
                slice.loadUnaligned(
                    fromByteOffset: 4 * ($0 - range.lowerBound), as: Float.self)
            }
            values.withUnsafeBufferPointer(body)
        } else {
            body(slice.bindMemory(to: Float.self))
        }
    }
}

/// Values a kernel works on at once: few enough that a block of each of a mesh's updates and the
/// accumulators stay in the first-level cache together.
let blockValues = 1024
