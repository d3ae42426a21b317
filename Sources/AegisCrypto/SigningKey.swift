package import AegisCore
import CSodium

package enum KeyError: Error, Hashable, Sendable {
    case wrongSeedLength(Int)
}

/// An Ed25519 key (RFC 8032). Its secret lives in guarded memory and nowhere else.
package struct SigningKey: ~Copyable, Sendable {
    package let publicKey: NodeID
    /// Seed and public key, as libsodium keeps them.
    private let secret: SecretBytes

    package static let seedBytes = 32

    package init(seed: borrowing SecretBytes) throws(KeyError) {
        guard seed.count == Self.seedBytes else { throw .wrongSeedLength(seed.count) }
        var publicBytes = [UInt8](repeating: 0, count: Int(crypto_sign_PUBLICKEYBYTES))
        secret = seed.withPointer { seed in
            SecretBytes(count: Int(crypto_sign_SECRETKEYBYTES)) { secret in
                _ = unsafe crypto_sign_seed_keypair(&publicBytes, secret, seed)
            }
        }
        guard let publicKey = NodeID(publicBytes) else {
            preconditionFailure("an Ed25519 public key has 32 bytes")
        }
        self.publicKey = publicKey
    }

    /// For vectors and tests: `seed` stays where it is, unprotected.
    package init(seed: [UInt8]) throws(KeyError) {
        var copy = seed
        let secret = SecretBytes(consuming: &copy)
        try self.init(seed: secret)
    }

    package static func generate() -> SigningKey {
        let seed = SecretBytes.random(seedBytes)
        do { return try SigningKey(seed: seed) } catch {
            preconditionFailure("a seed of 32 bytes is a key")
        }
    }

    /// 64 bytes. Deterministic: the same message gives the same signature.
    package borrowing func sign(_ message: [UInt8]) -> [UInt8] {
        var signature = [UInt8](repeating: 0, count: Int(crypto_sign_BYTES))
        secret.withPointer { secret in
            _ = unsafe crypto_sign_detached(
                &signature, nil, message, UInt64(message.count), secret)
        }
        return signature
    }

    /// The seed is the first half of libsodium's secret key.
    @safe borrowing func withSeed<Result: ~Copyable>(
        _ body: (UnsafePointer<UInt8>) -> Result
    ) -> Result {
        secret.withPointer { unsafe body($0) }
    }
}

/// A signing key that several tasks share. The compiler proves it Sendable: one `let` of a
/// Sendable type.
package final class IdentityKey: Sendable {
    private let key: SigningKey

    package init(_ key: consuming SigningKey) { self.key = key }

    package static func generate() -> IdentityKey { IdentityKey(.generate()) }

    package var publicKey: NodeID { key.publicKey }
    package func sign(_ message: [UInt8]) -> [UInt8] { key.sign(message) }

    /// Lends the key, for what needs more than a signature: sealing it.
    package func withKey<Result: ~Copyable, Failure: Error>(
        _ body: (borrowing SigningKey) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(key)
    }
}
