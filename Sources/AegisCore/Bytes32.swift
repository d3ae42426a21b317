/// 32 bytes inline: the storage of digests and node ids. Ordered as its bytes are.
///
/// Four words and not a `SIMD4<UInt64>`: the optimiser keeps such a vector in one 32-byte register
/// value, and where that lives across an `await`, Swift 6.3.1's async function allocates its frame
/// without the padding that the vector's alignment adds to it (LLVM caps a frame at 16). The end
/// of the frame then overwrites whatever follows it on the heap.
struct Bytes32: Hashable, Sendable {
    private let first: UInt64
    private let second: UInt64
    private let third: UInt64
    private let fourth: UInt64

    init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        // Callers in other modules reach this unspecialised: the loop runs over a plain buffer.
        self =
            bytes.withContiguousStorageIfAvailable { Self($0) }
            ?? Array(bytes).withUnsafeBufferPointer { Self($0) }
    }

    init() { (first, second, third, fourth) = (0, 0, 0, 0) }

    private init(_ bytes: UnsafeBufferPointer<UInt8>) {
        first = Self.word(of: bytes, at: 0)
        second = Self.word(of: bytes, at: 8)
        third = Self.word(of: bytes, at: 16)
        fourth = Self.word(of: bytes, at: 24)
    }

    private static func word(of bytes: UnsafeBufferPointer<UInt8>, at offset: Int) -> UInt64 {
        (offset..<offset + 8).reduce(0) { $0 << 8 | UInt64(bytes[$1]) }
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        for word in [first, second, third, fourth] {
            for shift in [56, 48, 40, 32, 24, 16, 8, 0] {
                bytes.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        return bytes
    }

    static func < (left: Self, right: Self) -> Bool {
        (left.first, left.second, left.third, left.fourth)
            < (right.first, right.second, right.third, right.fourth)
    }
}
