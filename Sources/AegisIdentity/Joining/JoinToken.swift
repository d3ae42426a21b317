package import AegisCore
package import AegisCrypto

package enum JoinTokenError: Error, Hashable, Sendable {
    /// Doesn't start with `aegisjoin1_`, or has a character that base32 doesn't.
    case notAToken
    case wrongLength(characters: Int)
    case badChecksum
    case unsupportedVersion(UInt8)
    /// Seconds since 1970.
    case expired(at: UInt64)
    case notAfterOutOfRange(UInt64)
}

/// What an organisation is handed to join a mesh (PROTOCOL.md §4.4): a pin of the mesh's founding,
/// or of its genesis where it is founded, and the secret of a one-time key. Single use and
/// short-lived. The mesh keeps the public key only, so a copy of its files admits nobody.
///
/// `aegisjoin1_` + base32(version, mesh 16, pinned digest 32, token id 8, secret 16, not after 4,
/// check 4), numbers big-endian. Version 1 pins a founding, 2 a genesis.
package struct JoinToken: Sendable, CustomStringConvertible {
    /// What the token pins.
    package enum Pin: UInt8, Sendable {
        /// SHA-256 of the signed founding statement: for a mesh that is being founded.
        case founding = 1
        /// SHA-256 of the genesis statement: for one that runs.
        case genesis = 2
    }

    package let mesh: MeshID
    package let pin: Pin
    /// Of what `pin` says.
    package let founding: Digest
    /// 8 bytes.
    package let id: [UInt8]
    /// Seconds since 1970.
    package let notAfter: UInt64
    /// Of the key that `makeKey` gives: what a grant holds.
    package let publicKey: NodeID
    private let secret: SharedSecret

    package static let prefix = "aegisjoin1_"
    private static let bytesCount = 81
    private static let charactersCount = 130
    private static let secretBytes = 16

    /// A new token, valid until `notAfter` (seconds since 1970; the field ends in 2106).
    package static func mint(
        mesh: MeshID, pin: Pin = .founding, founding: Digest, notAfter: UInt64
    ) throws(JoinTokenError) -> JoinToken {
        guard UInt32(exactly: notAfter) != nil else { throw .notAfterOutOfRange(notAfter) }
        return JoinToken(
            mesh: mesh, pin: pin, founding: founding, id: randomBytes(8), notAfter: notAfter,
            secret: SharedSecret(.random(secretBytes)))
    }

    /// Reads what `secretText` spells; refuses it once expired.
    package init(parsing text: String, now: UInt64) throws(JoinTokenError) {
        guard text.hasPrefix(Self.prefix) else { throw .notAToken }
        let body = text.dropFirst(Self.prefix.count)
        guard body.utf8.count == Self.charactersCount else {
            throw .wrongLength(characters: text.utf8.count)
        }
        guard var bytes = Base32.decode(body), bytes.count == Self.bytesCount else {
            throw .notAToken
        }
        defer { wipe(&bytes) }
        guard let pin = Pin(rawValue: bytes[0]) else { throw .unsupportedVersion(bytes[0]) }
        guard Self.check(bytes[..<77]) == Array(bytes[77...]) else { throw .badChecksum }
        guard let mesh = MeshID(bytes[1..<17]), let founding = Digest(bytes[17..<49]) else {
            throw .notAToken
        }
        var secret = Array(bytes[57..<73])
        self.init(
            mesh: mesh, pin: pin, founding: founding, id: Array(bytes[49..<57]),
            notAfter: bytes[73..<77].reduce(0) { $0 << 8 | UInt64($1) },
            secret: SharedSecret(SecretBytes(consuming: &secret)))
        guard now <= notAfter else { throw .expired(at: notAfter) }
    }

    private init(
        mesh: MeshID, pin: Pin, founding: Digest, id: [UInt8], notAfter: UInt64,
        secret: SharedSecret
    ) {
        self.mesh = mesh
        self.pin = pin
        self.founding = founding
        self.id = id
        self.notAfter = notAfter
        self.secret = secret
        publicKey = Self.key(mesh: mesh, id: id, secret: secret).publicKey
    }

    /// The whole token, for the one moment it is handed over. Never for a log.
    package var secretText: String {
        var bytes = [pin.rawValue] + mesh.bytes + founding.bytes + id
        defer { wipe(&bytes) }
        secret.append(to: &bytes)
        bytes += (0..<4).map { UInt8(truncatingIfNeeded: notAfter >> UInt64(24 - 8 * $0)) }
        bytes += Self.check(bytes[...])
        return Self.prefix + Base32.encode(bytes)
    }

    /// Names the token without giving it away.
    package var idText: String { Hexadecimal.encode(id) }
    package var description: String { "join token \(idText)" }

    /// The one-time key that authorises a join: Ed25519 from the seed
    /// HKDF-SHA-256(secret, info: "aegis/1/token" | mesh | id).
    package func makeKey() -> SigningKey { Self.key(mesh: mesh, id: id, secret: secret) }

    private static func key(mesh: MeshID, id: [UInt8], secret: SharedSecret) -> SigningKey {
        let seed = KeyDerivation.derive(
            from: secret.bytes, info: Array("aegis/1/token".utf8) + mesh.bytes + id,
            count: SigningKey.seedBytes)
        do { return try SigningKey(seed: seed) } catch {
            preconditionFailure("a seed of 32 bytes is a key")
        }
    }

    /// Catches slips of the hand, not forgers: the first 4 bytes of a SHA-256.
    private static func check(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var hash = SHA256()
        hash.update(Array("aegis/1/token-check".utf8))
        hash.update(Array(bytes))
        return Array(hash.finalize().bytes.prefix(4))
    }
}

/// One secret that copies of a token share. Sendable by construction: one `let`.
private final class SharedSecret: Sendable {
    let bytes: SecretBytes

    init(_ bytes: consuming SecretBytes) { self.bytes = bytes }

    func append(to array: inout [UInt8]) {
        let count = bytes.count
        bytes.withPointer { array += UnsafeBufferPointer(start: $0, count: count) }
    }
}
