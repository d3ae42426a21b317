/// 32 bytes inline: the storage of digests and node ids. Ordered as its bytes are.
struct Bytes32: Hashable, Sendable {
    private let words: SIMD4<UInt64>

    init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        // Callers in other modules reach this unspecialised: the loop runs over a plain buffer.
        words =
            bytes.withContiguousStorageIfAvailable { Self.words(of: $0) }
            ?? Array(bytes).withUnsafeBufferPointer { Self.words(of: $0) }
    }

    init() { words = .zero }

    private static func words(of bytes: UnsafeBufferPointer<UInt8>) -> SIMD4<UInt64> {
        var words = SIMD4<UInt64>.zero
        for index in 0..<32 {
            words[index / 8] |= UInt64(bytes[index]) << UInt64(8 * (7 - index % 8))
        }
        return words
    }

    var bytes: [UInt8] {
        (0..<32).map { UInt8(truncatingIfNeeded: words[$0 / 8] >> UInt64(8 * (7 - $0 % 8))) }
    }

    static func < (left: Self, right: Self) -> Bool {
        for index in 0..<4 where left.words[index] != right.words[index] {
            return left.words[index] < right.words[index]
        }
        return false
    }
}
