package import AegisCore
import AegisCrypto
package import AegisProtocol

/// SHA-256 and Ed25519 for the rules of the mesh: what nodes, the admin and offline checks use.
package struct Libsodium: ProtocolCryptography {
    private let verifier = EnvelopeVerifier()

    package init() {}

    package func digest(_ bytes: [UInt8]) -> Digest { SHA256.digest(of: bytes) }

    package func verify(_ envelope: SignedEnvelope) -> Verified<[UInt8]>? {
        try? verifier.verify(envelope)
    }
}
