package import AegisCore
import CSodium

/// SHA-256 of statements and other small things. Bulk (blobs) is hashed in AegisStore, where the
/// hash uses the processor's SHA instructions.
@safe package struct SHA256 {
    private var state = crypto_hash_sha256_state()

    package init() {
        Sodium.ready
        _ = unsafe crypto_hash_sha256_init(&state)
    }

    package mutating func update(_ bytes: [UInt8]) {
        _ = unsafe crypto_hash_sha256_update(&state, bytes, UInt64(bytes.count))
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        _ = unsafe crypto_hash_sha256_update(
            &state, start.assumingMemoryBound(to: UInt8.self), UInt64(bytes.count))
    }

    /// The digest of all that was given. A copy made before goes on from there.
    package consuming func finalize() -> Digest {
        var output = [UInt8](repeating: 0, count: Int(crypto_hash_sha256_BYTES))
        _ = unsafe crypto_hash_sha256_final(&state, &output)
        guard let digest = Digest(output) else {
            preconditionFailure("a SHA-256 digest has 32 bytes")
        }
        return digest
    }

    package static func digest(of bytes: [UInt8]) -> Digest {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finalize()
    }
}
