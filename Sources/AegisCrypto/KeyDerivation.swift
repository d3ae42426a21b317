import CSodium

/// HKDF with SHA-256 (RFC 5869), on libsodium's HMAC since 1.0.18 has no HKDF of its own. A
/// standard form, so that a joiner in another language derives the same key.
package enum KeyDerivation {
    /// `count` bytes, at most 255 · 32, from a secret and what it is used for.
    package static func derive(
        from secret: borrowing SecretBytes, salt: [UInt8] = [], info: [UInt8], count: Int = 32
    ) -> SecretBytes {
        precondition((1...255 * 32).contains(count), "HKDF gives 1 to 8,160 bytes")
        let secretCount = secret.count
        let extracted = SecretBytes(count: 32) { output in
            secret.withPointer { secret in
                var authenticator = unsafe HMAC(key: salt, count: salt.count)
                unsafe authenticator.update(secret, count: secretCount)
                unsafe authenticator.finish(into: output)
            }
        }
        return SecretBytes(count: count) { output in
            extracted.withPointer { unsafe expand($0, info, into: output, count: count) }
        }
    }

    private static func expand(
        _ key: UnsafePointer<UInt8>, _ info: [UInt8], into output: UnsafeMutablePointer<UInt8>,
        count: Int
    ) {
        var block = [UInt8](repeating: 0, count: 32)
        defer { wipe(&block) }
        for (index, start) in stride(from: 0, to: count, by: 32).enumerated() {
            var authenticator = unsafe HMAC(key: key, count: 32)
            if index > 0 { unsafe authenticator.update(block, count: 32) }
            unsafe authenticator.update(info, count: info.count)
            unsafe authenticator.update([UInt8(index + 1)], count: 1)
            unsafe authenticator.finish(into: &block)
            unsafe (output + start).update(from: block, count: min(32, count - start))
        }
    }
}

/// HMAC-SHA-256 (RFC 2104) with a key of any length. Its state is wiped when it has finished.
@safe private struct HMAC: ~Copyable {
    private var state = crypto_auth_hmacsha256_state()

    init(key: UnsafePointer<UInt8>, count: Int) {
        Sodium.ready
        _ = unsafe crypto_auth_hmacsha256_init(&state, key, count)
    }

    mutating func update(_ bytes: UnsafePointer<UInt8>, count: Int) {
        _ = unsafe crypto_auth_hmacsha256_update(&state, bytes, UInt64(count))
    }

    consuming func finish(into output: UnsafeMutablePointer<UInt8>) {
        _ = unsafe crypto_auth_hmacsha256_final(&state, output)
        unsafe sodium_memzero(&state, MemoryLayout<crypto_auth_hmacsha256_state>.size)
    }
}
