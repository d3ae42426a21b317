import AegisCore
import AegisCrypto
import AegisIdentity
import Testing

@Suite("Join tokens (PROTOCOL.md §4.4)")
struct JoinTokenTests {
    private let now = TestMesh.now

    @Test("a token survives being written down")
    func roundTrip() throws {
        let token = try TestMesh().token()
        let text = token.secretText
        let read = try JoinToken(parsing: text, now: now)
        #expect(text.hasPrefix("aegisjoin1_"))
        #expect(text.utf8.count == 11 + 130)
        #expect(read.mesh == token.mesh)
        #expect(read.founding == token.founding)
        #expect(read.id == token.id)
        #expect(read.notAfter == token.notAfter)
        #expect(read.publicKey == token.publicKey)
        #expect(read.secretText == text)
        #expect(read.makeKey().publicKey == token.publicKey)
    }

    @Test("the layout is the one of §4.4, byte for byte")
    func layout() throws {
        let token = try TestMesh().token()
        let bytes = try #require(Base32.decode(token.secretText.dropFirst(11)))
        #expect(bytes.count == 81)
        #expect(bytes[0] == 1)
        #expect(Array(bytes[1..<17]) == token.mesh.bytes)
        #expect(Array(bytes[17..<49]) == token.founding.bytes)
        #expect(Array(bytes[49..<57]) == token.id)
        #expect(bytes[73..<77].reduce(0) { $0 << 8 | UInt64($1) } == token.notAfter)
        // The key is HKDF-SHA-256 of the secret, and nothing else.
        var secret = Array(bytes[57..<73])
        let seed = KeyDerivation.derive(
            from: SecretBytes(consuming: &secret),
            info: Array("aegis/1/token".utf8) + token.mesh.bytes + token.id)
        #expect(try SigningKey(seed: seed).publicKey == token.publicKey)
    }

    @Test("a change of any character to any other is refused")
    func corruption() throws {
        let text = try TestMesh().token().secretText
        let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567_AZ019 -".utf8)
        let characters = Array(text.utf8)
        for index in characters.indices {
            for character in alphabet where character != characters[index] {
                var corrupted = characters
                corrupted[index] = character
                let text = String(decoding: corrupted, as: UTF8.self)
                #expect(throws: JoinTokenError.self) {
                    try JoinToken(parsing: text, now: now)
                }
            }
        }
    }

    @Test("each fault has its own error")
    func errors() throws {
        let mesh = try TestMesh()
        let text = try mesh.token().secretText
        expect(.notAToken, "")
        expect(.notAToken, "aegisjoin2_" + text.dropFirst(11))
        expect(.wrongLength(characters: 140), String(text.dropLast()))
        expect(.wrongLength(characters: 142), text + "a")
        expect(.notAToken, text.dropLast(2) + "!a")
        var bytes = try #require(Base32.decode(text.dropFirst(11)))
        bytes[40] ^= 1
        expect(.badChecksum, JoinToken.prefix + Base32.encode(bytes))
        bytes[0] = 3
        expect(.unsupportedVersion(3), JoinToken.prefix + Base32.encode(bytes))
    }

    @Test("a token is good until its last second")
    func expiry() throws {
        let text = try TestMesh().token(validFor: 60).secretText
        #expect(throws: Never.self) { try JoinToken(parsing: text, now: now + 60) }
        #expect(throws: JoinTokenError.expired(at: now + 60)) {
            try JoinToken(parsing: text, now: now + 61)
        }
        #expect(throws: JoinTokenError.notAfterOutOfRange(1 << 32)) {
            let mesh = try TestMesh()
            _ = try JoinToken.mint(
                mesh: mesh.mesh, founding: mesh.founding.digest, notAfter: 1 << 32)
        }
    }

    @Test("printing a token doesn't give it away")
    func description() throws {
        let token = try TestMesh().token()
        var dumped = ""
        dump(token, to: &dumped)
        for text in ["\(token)", String(reflecting: token), dumped] {
            #expect(!text.contains(token.secretText.suffix(60)))
        }
        #expect("\(token)" == "join token \(token.idText)")
        let secret = try #require(Base32.decode(token.secretText.dropFirst(11)))[57..<73]
        #expect(!dumped.contains(secret.map { "\($0)" }.joined(separator: ", ")))
        #expect(!dumped.contains(Hexadecimal.encode(secret)))
    }

    @Test("no two tokens are alike")
    func distinct() throws {
        let mesh = try TestMesh()
        let tokens = try (0..<20).map { _ in try mesh.token() }
        #expect(Set(tokens.map(\.publicKey)).count == 20)
        #expect(Set(tokens.map(\.id)).count == 20)
    }

    private func expect(_ error: JoinTokenError, _ text: String) {
        #expect(throws: error) { try JoinToken(parsing: text, now: now) }
    }
}
