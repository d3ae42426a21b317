import AegisCore
import AegisCrypto
import Testing

@Suite("SHA-256 (FIPS 180-4)")
struct SHA256Tests {
    @Test(
        "the examples of the standard",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ])
    func examples(text: String, hexadecimal: String) {
        #expect(SHA256.digest(of: Array(text.utf8)).hexadecimal == hexadecimal)
    }

    @Test("in pieces as in one")
    func streaming() {
        let bytes = (0..<1_000).map { UInt8(truncatingIfNeeded: $0 * 7) }
        for piece in [1, 63, 64, 65, 999] {
            var hash = SHA256()
            for start in stride(from: 0, to: bytes.count, by: piece) {
                hash.update(Array(bytes[start..<min(start + piece, bytes.count)]))
            }
            #expect(hash.finalize() == SHA256.digest(of: bytes))
        }
    }
}

@Suite("HKDF-SHA-256 (RFC 5869, appendix A)")
struct KeyDerivationTests {
    @Test("test case 1")
    func basic() throws {
        let output = try derive(
            secret: String(repeating: "0b", count: 22), salt: "000102030405060708090a0b0c",
            info: "f0f1f2f3f4f5f6f7f8f9", count: 42)
        #expect(
            output == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                + "34007208d5b887185865")
    }

    @Test("test case 2: longer than a block")
    func longer() throws {
        let range: (ClosedRange<UInt8>) -> String = { Hexadecimal.encode($0) }
        let output = try derive(
            secret: range(0...0x4f), salt: range(0x60...0xaf), info: range(0xb0...0xff),
            count: 82)
        #expect(
            output == "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
                + "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
                + "cc30c58179ec3e87c14c01d5c1f3434f1d87")
    }

    @Test("test case 3: neither salt nor info")
    func empty() throws {
        let output = try derive(
            secret: String(repeating: "0b", count: 22), salt: "", info: "", count: 42)
        #expect(
            output == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
                + "9d201395faa4b61a96c8")
    }

    private func derive(
        secret: String, salt: String, info: String, count: Int
    ) throws -> String {
        var secret = try bytes(secret)
        let derived = KeyDerivation.derive(
            from: SecretBytes(consuming: &secret), salt: try bytes(salt), info: try bytes(info),
            count: count)
        return derived.withPointer {
            Hexadecimal.encode(UnsafeBufferPointer(start: $0, count: count))
        }
    }
}

@Suite("The cryptographic generator")
struct CryptographicGeneratorTests {
    @Test("is the ChaCha20 stream, whose first 32 bytes are the next key")
    func knownAnswer() throws {
        // ChaCha20 with a key and nonce of zeros: draft-agl-tls-chacha20poly1305-04, §7.
        let generator = CryptographicGenerator(seed: [UInt8](repeating: 0, count: 32))
        let words = (0..<4).map { _ in generator.next().littleEndian }
        let stream = words.flatMap { word in withUnsafeBytes(of: word) { Array($0) } }
        #expect(
            Hexadecimal.encode(stream)
                == "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586")
    }

    @Test("goes on past its buffer without repeating")
    func refills() {
        let generator = CryptographicGenerator(seed: [UInt8](repeating: 9, count: 32))
        let again = CryptographicGenerator(seed: [UInt8](repeating: 9, count: 32))
        var seen: Set<UInt64> = []
        for _ in 0..<10_000 {
            let word = generator.next()
            #expect(word == again.next())
            seen.insert(word)
        }
        #expect(seen.count == 10_000)
    }

    @Test("fills any number of bytes, each time others")
    func fills() {
        let generator = CryptographicGenerator()
        for count in [0, 1, 31, 32, 33, 70_000] {
            #expect(generator.bytes(count).count == count)
        }
        var seen: Set<[UInt8]> = []
        for _ in 0..<2_000 { seen.insert(generator.bytes(16)) }
        #expect(seen.count == 2_000)
        #expect(Set((0..<2_000).map { _ in generator.next() }).count == 2_000)
    }

    @Test("two generators, and two calls of randomBytes, share nothing")
    func independent() {
        #expect(CryptographicGenerator().next() != CryptographicGenerator().next())
        #expect(randomBytes(32) != randomBytes(32))
        #expect(randomBytes(0).isEmpty)
    }

    @Test("each bit is set half of the time")
    func balance() {
        let generator = CryptographicGenerator()
        var counts = [Int](repeating: 0, count: 64)
        for _ in 0..<20_000 {
            let word = generator.next()
            for bit in 0..<64 where word >> UInt64(bit) & 1 == 1 { counts[bit] += 1 }
        }
        // Six standard deviations of √20,000 / 2: fails once in ten million runs.
        for count in counts { #expect(abs(count - 10_000) < 424) }
    }
}

@Suite("Secrets in memory")
struct SecretBytesTests {
    @Test("what is taken over is wiped where it was")
    func consuming() {
        var source: [UInt8] = [1, 2, 3]
        let secret = SecretBytes(consuming: &source)
        #expect(source == [0, 0, 0])
        #expect(secret.count == 3)
        let copy = secret.withPointer { Array(UnsafeBufferPointer(start: $0, count: 3)) }
        #expect(copy == [1, 2, 3])
    }

    @Test("equality in constant time is equality")
    func equality() {
        #expect(equalInConstantTime([1, 2], [1, 2]))
        #expect(!equalInConstantTime([1, 2], [1, 3]))
        #expect(!equalInConstantTime([1, 2], [1, 2, 3]))
        #expect(equalInConstantTime([], []))
    }
}
