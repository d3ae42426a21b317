import AegisCore
import Testing

@Suite("Base32 and hexadecimal")
struct SpellingTests {
    /// RFC 4648 §10, in lower case and without padding.
    static let vectors = [
        ("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foob", "mzxw6yq"),
        ("fooba", "mzxw6ytb"), ("foobar", "mzxw6ytboi"),
    ]

    @Test("base32 as in RFC 4648", arguments: vectors)
    func base32(plain: String, encoded: String) {
        #expect(Base32.encode(Array(plain.utf8)) == encoded)
        #expect(Base32.decode(encoded) == Array(plain.utf8))
    }

    @Test(
        "one byte string, one spelling",
        arguments: ["MY", "my======", "mz", "m", "mzx", "mzxw6y", "m1", "m8", "my ", "mü"])
    func refusedBase32(text: String) {
        #expect(Base32.decode(text) == nil)
    }

    @Test("hexadecimal both ways, and nothing but 0-9a-f")
    func hexadecimal() {
        #expect(Hexadecimal.encode([0, 0x1f, 0xff]) == "001fff")
        #expect(Hexadecimal.decode("001fff") == [0, 0x1f, 0xff])
        #expect(Hexadecimal.decode("") == [])
        for text in ["0", "0g", "FF", "0x", " 0", "üü"] {
            #expect(Hexadecimal.decode(text) == nil)
        }
    }

    @Test("each byte string survives both spellings")
    func roundTrips() {
        var random = SplitMix(state: 3)
        for count in 0..<70 {
            let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            #expect(Base32.decode(Base32.encode(bytes)) == bytes)
            #expect(Hexadecimal.decode(Hexadecimal.encode(bytes)) == bytes)
        }
    }
}

@Suite("Names of nodes, meshes and digests")
struct IdentifierTests {
    @Test("a node id is 52 characters and makes a host name whose label fits DNS")
    func node() throws {
        let node = try #require(NodeID(Array(0..<32)))
        #expect(node.text == "aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq")
        #expect(NodeID(text: node.text) == node)
        #expect(node.short == "aaaqeaye")
        #expect(node.hostName == node.text + ".node.aegis")
        #expect(node.text.utf8.count <= 63)
        #expect(node.bytes == Array(0..<32))
    }

    @Test("only 32 bytes, only the one spelling")
    func refusedNodes() throws {
        #expect(NodeID([UInt8](repeating: 0, count: 31)) == nil)
        #expect(NodeID([UInt8](repeating: 0, count: 33)) == nil)
        let text = try #require(NodeID(Array(0..<32))).text
        #expect(NodeID(text: text.uppercased()) == nil)
        #expect(NodeID(text: text + "a") == nil)
        #expect(NodeID(text: String(text.dropLast())) == nil)
        #expect(NodeID(text: text.dropLast() + "r") == nil)
    }

    @Test("node ids are ordered as their bytes are")
    func order() throws {
        var random = SplitMix(state: 5)
        for _ in 0..<500 {
            let left = (0..<32).map { _ in UInt8(truncatingIfNeeded: random.next() & 1) }
            let right = (0..<32).map { _ in UInt8(truncatingIfNeeded: random.next() & 1) }
            let precedes = try #require(NodeID(left)) < #require(NodeID(right))
            #expect(precedes == left.lexicographicallyPrecedes(right))
        }
    }

    @Test("a digest is spelled as sha256sum spells it")
    func digest() throws {
        let text = "sha256:" + String(repeating: "0f", count: 32)
        let digest = try #require(Digest(text: text))
        #expect(digest.description == text)
        #expect(digest.short == "0f0f0f0f")
        #expect(Digest(text: text.dropFirst(7)) == nil)
        #expect(Digest(text: text + "00") == nil)
        #expect(Digest.zero.bytes == [UInt8](repeating: 0, count: 32))
    }

    @Test("a mesh id is 32 hexadecimal digits")
    func mesh() throws {
        let text = "000102030405060708090a0b0c0d0e0f"
        #expect(try #require(MeshID(text: text)).description == text)
        #expect(MeshID(text: text.dropLast(2)) == nil)
    }
}

@Suite("Instants")
struct InstantTests {
    @Test("adds and subtracts")
    func arithmetic() {
        let start = Instant(nanoseconds: 1_000)
        #expect((start + .nanoseconds(5)).nanoseconds == 1_005)
        #expect((start + .milliseconds(-0) + .seconds(2)).nanoseconds == 2_000_001_000)
        #expect((start + .seconds(2)) - start == .seconds(2))
        #expect(start - (start + .seconds(2)) == .seconds(-2))
    }

    @Test("saturates at both ends of the clock")
    func saturation() {
        #expect(Instant(nanoseconds: 5) + .seconds(-1) == Instant(nanoseconds: 0))
        #expect(Instant(nanoseconds: .max) + .seconds(1) == Instant(nanoseconds: .max))
        #expect(Instant(nanoseconds: 0) + .seconds(Int64.max) == Instant(nanoseconds: .max))
        #expect(Instant(nanoseconds: 9) + .seconds(Int64.min) == Instant(nanoseconds: 0))
        #expect(
            Instant(nanoseconds: .max) - Instant(nanoseconds: 0) == .nanoseconds(Int64.max))
    }
}
