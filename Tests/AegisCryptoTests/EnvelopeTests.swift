import AegisCore
import AegisCrypto
import Testing

@Suite("Envelopes: COSE_Sign1 (RFC 9052)")
struct EnvelopeTests {
    private let verifier = EnvelopeVerifier()

    @Test("the signature is over the Sig_structure of §4.4")
    func structure() throws {
        let key = try SigningKey(seed: [UInt8](repeating: 1, count: 32))
        let envelope = key.envelope(.vote1, [0x01])
        let publicKey = key.publicKey.bytes
        // {1: -8, 3: "aegis/1/vote1", 4: public key}
        let header =
            [0xa3, 0x01, 0x27, 0x03, 0x6d] + Array("aegis/1/vote1".utf8) + [0x04, 0x58, 0x20]
            + publicKey
        let protectedHeader = [0x58, UInt8(header.count)] + header
        let structure =
            [0x84, 0x6a] + Array("Signature1".utf8) + protectedHeader
            + [0x4d] + Array("aegis/1/vote1".utf8) + [0x41, 0x01]
        #expect(envelope.signatureInput == structure)
        #expect(envelope.signature == key.sign(structure))
        // 18([protected, {}, payload, signature])
        #expect(
            envelope.bytes
                == [0xd2, 0x84] + protectedHeader + [0xa0, 0x41, 0x01, 0x58, 0x40]
                + envelope.signature)
    }

    @Test("a COSE_Sign1 signature from the COSE working group's examples holds")
    func workingGroupExample() throws {
        // cose-wg/Examples eddsa-examples/eddsa-sig-01: key 11, ToBeSigned and signature.
        let toBeSigned = try bytes(
            "846a5369676e61747572653145a201270300405454686973206973207468652063"
                + "6f6e74656e742e")
        let signature = try bytes(
            "7142fd2ff96d56db85bee905a76ba1d0b7321a95c8c4d3607c5781932b7afb87"
                + "11497dfa751bf40b58b3bcc32300b1487f3db34085eef013bf08f4a44d6fef0d")
        let node = try #require(
            NodeID(
                try bytes("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")))
        #expect(Ed25519.isValid(signature: signature, message: toBeSigned, publicKey: node))
    }

    @Test("what one signs another reads, for each type", arguments: StatementType.allCases)
    func roundTrip(type: StatementType) throws {
        let signer = EnvelopeSigner(IdentityKey.generate())
        let envelope = signer.sign(type, [1, 2, 3])
        let parsed = try SignedEnvelope(parsing: envelope.bytes)
        #expect(parsed == envelope)
        let verified = try verifier.verify(parsed)
        #expect(verified.sender == signer.sender)
        #expect(verified.payload == [1, 2, 3])
        #expect(try verifier.verify(envelope.bytes, as: type) == verified)
    }

    @Test("one type is never taken for another")
    func otherType() {
        let envelope = EnvelopeSigner(IdentityKey.generate()).sign(.vote1, [1])
        #expect(throws: EnvelopeError.unexpectedType(.vote1, expected: .vote2)) {
            try verifier.verify(envelope.bytes, as: .vote2)
        }
    }

    @Test("a change of any byte, in any of three ways, is refused")
    func tampering() {
        let bytes = EnvelopeSigner(IdentityKey.generate()).sign(.update, Array(0..<30)).bytes
        for index in bytes.indices {
            for change: UInt8 in [0x01, 0x80, 0xff] {
                var tampered = bytes
                tampered[index] ^= change
                #expect(throws: EnvelopeError.self) {
                    try verifier.verify(tampered, as: .update)
                }
            }
        }
    }

    @Test("a byte less, a byte more, a byte moved: refused")
    func lengths() {
        let bytes = EnvelopeSigner(IdentityKey.generate()).sign(.update, Array(0..<30)).bytes
        for count in bytes.indices {
            #expect(throws: EnvelopeError.self) {
                try verifier.verify(Array(bytes[..<count]), as: .update)
            }
        }
        #expect(throws: EnvelopeError.self) { try verifier.verify(bytes + [0], as: .update) }
        for index in bytes.indices.dropLast() where bytes[index] != bytes[index + 1] {
            var swapped = bytes
            swapped.swapAt(index, index + 1)
            #expect(throws: EnvelopeError.self) { try verifier.verify(swapped, as: .update) }
        }
    }

    @Test("another's signature under my name is mine to refuse")
    func impersonation() throws {
        let me = IdentityKey.generate()
        let other = IdentityKey.generate()
        let forged = SignedEnvelope(.vote1, from: me.publicKey, payload: [1]) { other.sign($0) }
        #expect(throws: EnvelopeError.badSignature(me.publicKey)) {
            try verifier.verify(forged)
        }
    }

    @Test("bytes from outside never trap")
    func noise() {
        let valid = EnvelopeSigner(IdentityKey.generate()).sign(.update, Array(0..<30)).bytes
        let random = CryptographicGenerator(seed: [UInt8](repeating: 4, count: 32))
        for _ in 0..<20_000 {
            var bytes = random.next() & 1 == 0 ? valid : [0xd2] + random.bytes(40)
            for _ in 0..<3 {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(random.next() & 0xff)
            }
            if bytes != valid, (try? verifier.verify(bytes, as: .update)) != nil {
                Issue.record("accepted \(Hexadecimal.encode(bytes))")
            }
        }
    }
}
