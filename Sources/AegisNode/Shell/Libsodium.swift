import AegisCore
import AegisCrypto
import AegisProtocol

/// SHA-256 and Ed25519 for the protocol core.
struct Libsodium: ProtocolCryptography {
    private let verifier = EnvelopeVerifier()

    func digest(_ bytes: [UInt8]) -> Digest { SHA256.digest(of: bytes) }

    func verify(_ envelope: SignedEnvelope) -> Verified<[UInt8]>? {
        try? verifier.verify(envelope)
    }
}
