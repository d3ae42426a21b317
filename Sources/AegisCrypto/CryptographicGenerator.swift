import AegisCore
import CSodium

/// The generator behind privacy noise: ChaCha20 keyed by the system's generator, with fast key
/// erasure (D. J. Bernstein, "Fast-key-erasure random-number generators", 2017). Each refill
/// spends its first 32 bytes on the next key, and what was handed out is erased, so a later look
/// at memory does not reveal noise that was added before.
///
/// A class: a copied struct would hand out the same noise twice, which cancels its protection.
/// Not Sendable: each task makes its own.
@safe package final class CryptographicGenerator: SplittableGenerator {
    /// Key, then output: one run of the stream cipher.
    private static let bytes = 16_384
    private static let keyBytes = 32

    private let buffer: UnsafeMutableRawPointer
    /// Where the next output is. Multiples of 8 from `keyBytes` to `bytes`.
    private var offset: Int

    package convenience init() {
        unsafe self.init(writeKey: { unsafe randombytes_buf($0, Self.keyBytes) })
    }

    /// The same 32 bytes give the same stream: for simulations and known answers, never for noise.
    package convenience init(seed: [UInt8]) {
        precondition(seed.count == Self.keyBytes, "a seed has 32 bytes")
        unsafe self.init(writeKey: {
            unsafe $0.copyMemory(from: seed, byteCount: Self.keyBytes)
        })
    }

    private init(writeKey: (UnsafeMutableRawPointer) -> Void) {
        Sodium.ready
        guard let buffer = unsafe sodium_malloc(Self.bytes) else {
            fatalError("no memory for a random number generator")
        }
        unsafe self.buffer = buffer
        offset = Self.bytes
        unsafe writeKey(buffer)
    }

    deinit { unsafe sodium_free(buffer) }

    package func next() -> UInt64 {
        if offset == Self.bytes { refill() }
        let value = unsafe buffer.load(fromByteOffset: offset, as: UInt64.self)
        unsafe buffer.storeBytes(of: 0, toByteOffset: offset, as: UInt64.self)
        offset += 8
        return UInt64(littleEndian: value)
    }

    /// Fills `output` at the speed of the cipher, under a key of its own.
    package func fill(_ output: UnsafeMutableRawBufferPointer) {
        guard let start = output.baseAddress, output.count > 0 else { return }
        if offset + Self.keyBytes > Self.bytes { refill() }
        let key = unsafe buffer + offset
        unsafe Self.stream(into: start, count: output.count, key: key)
        unsafe sodium_memzero(key, Self.keyBytes)
        offset += Self.keyBytes
    }

    /// Another one, keyed by 32 bytes of this one's output, which are erased here.
    package func split() -> CryptographicGenerator {
        unsafe CryptographicGenerator(writeKey: {
            unsafe self.fill(UnsafeMutableRawBufferPointer(start: $0, count: Self.keyBytes))
        })
    }

    package func bytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        unsafe bytes.withUnsafeMutableBytes { unsafe fill($0) }
        return bytes
    }

    private func refill() {
        // The key is read before the stream is written over it: the cipher sets up its state
        // first. A copy makes that independent of the implementation.
        var key = unsafe buffer.loadUnaligned(as: SIMD32<UInt8>.self)
        unsafe withUnsafeMutableBytes(of: &key) { key in
            guard let start = key.baseAddress else { return }
            unsafe Self.stream(into: buffer, count: Self.bytes, key: start)
            unsafe sodium_memzero(start, key.count)
        }
        offset = Self.keyBytes
    }

    /// A key is used for one stream only, so the nonce may be constant.
    private static func stream(
        into output: UnsafeMutableRawPointer, count: Int, key: UnsafeMutableRawPointer
    ) {
        let nonce: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0]
        _ = unsafe crypto_stream_chacha20(
            output.assumingMemoryBound(to: UInt8.self), UInt64(count), nonce,
            key.assumingMemoryBound(to: UInt8.self))
    }
}
