import AegisCore
import AegisCrypto
import Testing

@Suite("Another implementation agrees (pycose, cbor2)")
struct InteroperabilityTests {
    @Test("pycose verifies our envelopes, and refuses them altered or in another domain")
    func pycoseVerifies() throws {
        let signer = EnvelopeSigner(IdentityKey.generate())
        var task = PythonTools.Task()
        var expected: [String?] = []
        for type in StatementType.allCases {
            let payload = CBOR.fields([1: .text(type.rawValue), 2: -5]).encoded
            let envelope = signer.sign(type, payload)
            task.verify.append(
                .init(envelope: Hexadecimal.encode(envelope.bytes), aad: type.rawValue))
            expected.append(Hexadecimal.encode(payload))
            var altered = envelope.bytes
            altered[altered.count - 70] ^= 1
            task.verify.append(
                .init(envelope: Hexadecimal.encode(altered), aad: type.rawValue))
            expected.append(nil)
            task.verify.append(
                .init(envelope: Hexadecimal.encode(envelope.bytes), aad: "aegis/1/other"))
            expected.append(nil)
        }
        #expect(try PythonTools.run(task).verify == expected)
    }

    @Test("we verify what pycose signs, and it signs the same bytes as we do")
    func pycoseSigns() throws {
        var task = PythonTools.Task()
        let seed = randomBytes(32)
        let key = try SigningKey(seed: seed)
        for type in StatementType.allCases {
            task.sign.append(
                .init(
                    seed: Hexadecimal.encode(seed), aad: type.rawValue,
                    payload: Hexadecimal.encode([1, 2, 3])))
        }
        let signed = try PythonTools.run(task).sign
        #expect(signed.count == StatementType.allCases.count)
        for (type, hexadecimal) in zip(StatementType.allCases, signed) {
            let received = try bytes(hexadecimal)
            let verified = try EnvelopeVerifier().verify(received, as: type)
            #expect(verified.sender == key.publicKey)
            #expect(verified.payload == [1, 2, 3])
            #expect(received == key.envelope(type, [1, 2, 3]).bytes)
        }
    }

    /// cbor2 sorts keys by length first (RFC 7049 §3.9), we bytewise (RFC 8949 §4.2.1): the keys
    /// here are in the same order either way.
    @Test("cbor2's canonical encoding of our values is ours")
    func canonicalCBOR() throws {
        let values: [CBOR] = [
            .fields([1: .bytes([1, 2]), 24: "text", 256: true, -300: [1, [-500], .null]]),
            .array((0..<300).map { .integer(Int64($0 - 150) * 40_000_000_000) }),
            .unsigned(.max), .negative(.max),
        ]
        let encoded = values.map { Hexadecimal.encode($0.encoded) }
        var task = PythonTools.Task()
        task.cbor = encoded
        #expect(try PythonTools.run(task).cbor == encoded)
    }
}
