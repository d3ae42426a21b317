import AegisCore
import AegisCrypto
import Testing

@Suite("Ed25519 (RFC 8032)")
struct Ed25519Tests {
    struct Vector: Sendable {
        let seed: String
        let publicKey: String
        let message: String
        let signature: String
    }

    /// §7.1: TEST 1, 2, 3 and SHA(abc).
    static let vectors = [
        Vector(
            seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            publicKey: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            message: "",
            signature: "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                + "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
        Vector(
            seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            publicKey: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            message: "72",
            signature: "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
        Vector(
            seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            publicKey: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            message: "af82",
            signature: "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
                + "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
        Vector(
            seed: "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            publicKey: "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            message: "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            signature: "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
                + "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"),
    ]

    @Test("signs and verifies the vectors of §7.1", arguments: Ed25519Tests.vectors)
    func standard(vector: Vector) throws {
        let key = try SigningKey(seed: bytes(vector.seed))
        let message = try bytes(vector.message)
        let signature = try bytes(vector.signature)
        #expect(key.publicKey.bytes == (try bytes(vector.publicKey)))
        #expect(key.sign(message) == signature)
        #expect(
            Ed25519.isValid(signature: signature, message: message, publicKey: key.publicKey))
        #expect(
            !Ed25519.isValid(
                signature: signature, message: message + [0], publicKey: key.publicKey))
    }

    @Test("a seed of another length is no key")
    func seedLength() {
        #expect(throws: KeyError.wrongSeedLength(31)) {
            _ = try SigningKey(seed: [UInt8](repeating: 1, count: 31))
        }
    }

    @Test("S + L, the other spelling of the same scalar, is refused")
    func malleability() throws {
        let key = SigningKey.generate()
        var signature = key.sign([1, 2, 3])
        var carry = 0
        let order: [UInt8] = try bytes(
            "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
        for index in 0..<32 {
            carry += Int(signature[32 + index]) + Int(order[index])
            signature[32 + index] = UInt8(carry & 255)
            carry >>= 8
        }
        #expect(
            !Ed25519.isValid(
                signature: signature, message: [1, 2, 3], publicKey: key.publicKey))
    }

    @Test("keys and points of small order are refused, in each of their spellings")
    func smallOrder() throws {
        let spellings = try PythonTools.torsion()
        #expect(spellings.count == 14)
        let key = SigningKey.generate()
        for spelling in spellings {
            let point = try bytes(spelling)
            #expect(Ed25519.hasSmallOrder(point[...]))
            // With A of small order and S = 0, R = −hA passes the equation one time in eight:
            // for each message below some point would be accepted.
            let node = try #require(NodeID(point))
            for message in 0..<16 {
                for other in spellings {
                    let signature = try bytes(other) + [UInt8](repeating: 0, count: 32)
                    #expect(
                        !Ed25519.isValid(
                            signature: signature, message: [UInt8(message)], publicKey: node))
                }
            }
        }
        #expect(!Ed25519.hasSmallOrder(key.publicKey.bytes[...]))
    }

    @Test("a y that isn't below p is refused")
    func canonical() throws {
        // p + 3: y = 3 is on the curve.
        let again = try bytes("f0" + String(repeating: "ff", count: 30) + "7f")
        #expect(!Ed25519.isCanonical(again))
        #expect(!Ed25519.isCanonical(again.dropLast() + [0xff]))
        #expect(Ed25519.isCanonical(try bytes("ec" + String(repeating: "ff", count: 30) + "7f")))
    }

    @Test("each key is another")
    func generated() {
        let keys = (0..<50).map { _ in IdentityKey.generate().publicKey }
        #expect(Set(keys).count == 50)
    }
}

@Suite("Key files")
struct KeyFileTests {
    private let passphrase = Array("correct horse".utf8)

    @Test("a plain key file gives the key back")
    func plain() throws {
        let key = SigningKey.generate()
        let file = try KeyFile.encode(key, passphrase: nil)
        let described = try KeyFile.describe(file)
        #expect(described.node == key.publicKey)
        #expect(!described.isSealed)
        let decoded = try KeyFile.decode(file, passphrase: nil)
        #expect(decoded.publicKey == key.publicKey)
        #expect(decoded.sign([1]) == key.sign([1]))
    }

    @Test("a sealed key file opens with its passphrase only, and holds no seed")
    func sealed() throws {
        let seed = [UInt8](1...32)
        let key = try SigningKey(seed: seed)
        let node = key.publicKey
        let file = try KeyFile.encode(key, passphrase: passphrase)
        #expect(try KeyFile.describe(file).isSealed)
        let decoded = try KeyFile.decode(file, passphrase: passphrase)
        #expect(decoded.publicKey == node)
        #expect(throws: KeyFileError.passphraseRequired(node)) {
            _ = try KeyFile.decode(file, passphrase: nil)
        }
        #expect(throws: KeyFileError.wrongPassphraseOrDamaged(node)) {
            _ = try KeyFile.decode(file, passphrase: Array("correct hors".utf8))
        }
        let text = String(decoding: contents(file), as: UTF8.self)
        #expect(!contents(file).contains(subsequence: Array(seed[..<8])))
        #expect(text.hasPrefix("AEGISKEY"))
    }

    @Test("a changed byte anywhere in a plain file is noticed")
    func plainDamage() throws {
        let bytes = contents(try KeyFile.encode(SigningKey.generate(), passphrase: nil))
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 1
            let file = SecretBytes(consuming: &damaged)
            #expect(throws: KeyFileError.self) { _ = try KeyFile.decode(file, passphrase: nil) }
        }
    }

    @Test("a file cut off anywhere, or too long, is refused")
    func truncation() throws {
        let bytes = contents(try KeyFile.encode(SigningKey.generate(), passphrase: nil))
        for count in 0..<bytes.count {
            var part = Array(bytes[..<count])
            let file = SecretBytes(consuming: &part)
            #expect(throws: KeyFileError.self) { _ = try KeyFile.decode(file, passphrase: nil) }
        }
        var long = bytes + [0]
        let file = SecretBytes(consuming: &long)
        #expect(throws: KeyFileError.wrongLength(bytes.count + 1)) {
            _ = try KeyFile.decode(file, passphrase: nil)
        }
    }

    @Test("a file that asks for more work or memory than ours do is refused before the work")
    func cost() throws {
        var bytes = contents(try KeyFile.encode(SigningKey.generate(), passphrase: passphrase))
        bytes[46] = 0xff
        let file = SecretBytes(consuming: &bytes)
        #expect(throws: KeyFileError.costOutOfRange) {
            _ = try KeyFile.decode(file, passphrase: passphrase)
        }
    }

    private func contents(_ file: borrowing SecretBytes) -> [UInt8] {
        let count = file.count
        return file.withPointer { Array(UnsafeBufferPointer(start: $0, count: count)) }
    }
}

extension [UInt8] {
    func contains(subsequence: [UInt8]) -> Bool {
        indices.dropLast(subsequence.count - 1).contains {
            self[$0...].starts(with: subsequence)
        }
    }
}

func bytes(_ hexadecimal: String) throws -> [UInt8] {
    try #require(Hexadecimal.decode(hexadecimal))
}
