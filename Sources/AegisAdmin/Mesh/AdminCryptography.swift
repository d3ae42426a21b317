package import AegisCore
import AegisCrypto
import AegisProtocol

/// SHA-256 and Ed25519 for the rules of the mesh.
package struct AdminCryptography: ProtocolCryptography {
    package init() {}

    package func digest(_ bytes: [UInt8]) -> Digest { SHA256.digest(of: bytes) }

    package func verify(_ envelope: SignedEnvelope) -> Verified<[UInt8]>? {
        try? EnvelopeVerifier().verify(envelope)
    }
}
