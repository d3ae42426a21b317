package import AegisCore
import CSodium

package enum KeyFileError: Error, Hashable, Sendable {
    case notAKeyFile
    case unsupportedVersion(UInt8)
    case wrongLength(Int)
    case passphraseRequired(NodeID)
    /// They can't be told apart: that is what authenticated encryption means.
    case wrongPassphraseOrDamaged(NodeID)
    /// The secret in the file does not belong to the public key beside it.
    case keyMismatch(NodeID)
    /// The file asks for more work than any file of ours does.
    case costOutOfRange
    case outOfMemory
}

/// The bytes of `identity.key`. Plain, for a file that only its owner can read; or sealed under a
/// passphrase: Argon2id (RFC 9106) makes a key, XSalsa20-Poly1305 (secretbox) seals the seed.
///
/// Layout, big-endian: "AEGISKEY", version 1, kind (1 plain, 2 sealed), public key 32; then
/// plain: seed 32; sealed: passes u32, memory u32 (KiB), salt 16, nonce 24, box 48.
/// The public key stands outside the seal so that a node can be named without its passphrase.
package enum KeyFile {
    /// RFC 9106 §4, the second recommended choice, but for libsodium's one lane: 3 passes over
    /// 64 MiB, which a node of 150 MB can spare once at its start.
    private static let passes: UInt32 = 3
    private static let memoryKiB: UInt32 = 65_536
    private static let memoryKiBMax: UInt32 = 1 << 20
    private static let passesMax: UInt32 = 16

    private static let magic = Array("AEGISKEY".utf8)
    private static let version: UInt8 = 1
    private static let headBytes = 42
    private static let plainBytes = headBytes + 32
    private static let sealedBytes = headBytes + 8 + 16 + 24 + 48
    /// More than any key file has: what a reader needs to read at most.
    package static let bytesMax = 256

    /// The whole file. Sealed where there is a passphrase; then none of it is secret.
    package static func encode(
        _ key: borrowing SigningKey, passphrase: [UInt8]?
    ) throws(KeyFileError) -> SecretBytes {
        let head = magic + [version, passphrase == nil ? 1 : 2] + key.publicKey.bytes
        guard let passphrase else {
            return key.withSeed { seed in
                SecretBytes(count: plainBytes) { output in
                    unsafe output.update(from: head, count: headBytes)
                    unsafe (output + headBytes).update(from: seed, count: SigningKey.seedBytes)
                }
            }
        }
        let salt = randomBytes(16)
        let nonce = randomBytes(24)
        let sealingKey = try stretch(
            passphrase, salt: salt, passes: passes, memoryKiB: memoryKiB)
        let box = seal(key, nonce: nonce, under: sealingKey)
        var file = head + bigEndian(passes) + bigEndian(memoryKiB) + salt + nonce + box
        return SecretBytes(consuming: &file)
    }

    /// The node a key file belongs to, and whether it needs a passphrase.
    package static func describe(
        _ file: borrowing SecretBytes
    ) throws(KeyFileError) -> (node: NodeID, isSealed: Bool) {
        let bytes = head(of: file)
        guard bytes.count == headBytes, bytes.starts(with: magic) else { throw .notAKeyFile }
        guard bytes[8] == version else { throw .unsupportedVersion(bytes[8]) }
        guard let node = NodeID(bytes[10...]), bytes[9] == 1 || bytes[9] == 2 else {
            throw .notAKeyFile
        }
        let isSealed = bytes[9] == 2
        guard file.count == (isSealed ? sealedBytes : plainBytes) else {
            throw .wrongLength(file.count)
        }
        return (node, isSealed)
    }

    package static func decode(
        _ file: borrowing SecretBytes, passphrase: [UInt8]?
    ) throws(KeyFileError) -> SigningKey {
        let (node, isSealed) = try describe(file)
        let seed: SecretBytes
        if isSealed {
            guard let passphrase else { throw .passphraseRequired(node) }
            seed = try open(file, of: node, passphrase: passphrase)
        } else {
            seed = file.withPointer { bytes in
                SecretBytes(count: SigningKey.seedBytes) { output in
                    unsafe output.update(from: bytes + headBytes, count: SigningKey.seedBytes)
                }
            }
        }
        let key: SigningKey
        do { key = try SigningKey(seed: seed) } catch { throw .wrongLength(seed.count) }
        guard key.publicKey == node else { throw .keyMismatch(node) }
        return key
    }

    /// The part that is never secret, or less where the file is shorter.
    private static func head(of file: borrowing SecretBytes) -> [UInt8] {
        let count = min(file.count, headBytes)
        return file.withPointer { unsafe Array(UnsafeBufferPointer(start: $0, count: count)) }
    }

    private static func seal(
        _ key: borrowing SigningKey, nonce: [UInt8], under sealingKey: borrowing SecretBytes
    ) -> [UInt8] {
        var box = [UInt8](repeating: 0, count: 48)
        key.withSeed { seed in
            sealingKey.withPointer { sealingKey in
                _ = unsafe crypto_secretbox_easy(
                    &box, seed, UInt64(SigningKey.seedBytes), nonce, sealingKey)
            }
        }
        return box
    }

    private static func open(
        _ file: borrowing SecretBytes, of node: NodeID, passphrase: [UInt8]
    ) throws(KeyFileError) -> SecretBytes {
        // Nothing in a sealed file is secret, so an ordinary array may hold it.
        let bytes = file.withPointer {
            unsafe Array(UnsafeBufferPointer(start: $0, count: sealedBytes))
        }
        let passes = number(bytes[42..<46])
        let memoryKiB = number(bytes[46..<50])
        guard (1...passesMax).contains(passes), (8...memoryKiBMax).contains(memoryKiB) else {
            throw .costOutOfRange
        }
        let sealingKey = try stretch(
            passphrase, salt: Array(bytes[50..<66]), passes: passes, memoryKiB: memoryKiB)
        let nonce = Array(bytes[66..<90])
        let box = Array(bytes[90...])
        var opened = false
        let seed = SecretBytes(count: 32) { output in
            sealingKey.withPointer { sealingKey in
                opened =
                    unsafe crypto_secretbox_open_easy(
                        output, box, UInt64(box.count), nonce, sealingKey) == 0
            }
        }
        guard opened else { throw .wrongPassphraseOrDamaged(node) }
        return seed
    }

    private static func stretch(
        _ passphrase: [UInt8], salt: [UInt8], passes: UInt32, memoryKiB: UInt32
    ) throws(KeyFileError) -> SecretBytes {
        Sodium.ready
        var succeeded = false
        let characters = passphrase.map { CChar(bitPattern: $0) }
        let key = SecretBytes(count: 32) { output in
            succeeded =
                unsafe crypto_pwhash(
                    output, 32, characters, UInt64(characters.count), salt, UInt64(passes),
                    Int(memoryKiB) * 1_024, crypto_pwhash_ALG_ARGON2ID13) == 0
        }
        guard succeeded else { throw .outOfMemory }
        return key
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * $0)) }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.reduce(0) { $0 << 8 | UInt32($1) }
    }
}
