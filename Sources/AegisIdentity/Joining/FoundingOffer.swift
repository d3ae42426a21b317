package import AegisCore
import AegisCrypto

/// What an acceptor shows to whoever asks to join (`GET /mesh/v1/founding`): the mesh's founding,
/// its own binding and leaf, and a nonce for one request.
package struct FoundingOffer: Hashable, Sendable {
    package let founding: [UInt8]
    package let binding: [UInt8]
    package let leafDER: [UInt8]
    /// 16 bytes, remembered by the acceptor until used or stale.
    package let nonce: [UInt8]

    package init(founding: [UInt8], binding: [UInt8], leafDER: [UInt8], nonce: [UInt8]) {
        self.founding = founding
        self.binding = binding
        self.leafDER = leafDER
        self.nonce = nonce
    }

    /// An offer of this acceptor, with a fresh nonce.
    package init(founding: SignedFounding, tls: TLSIdentity) {
        self.init(
            founding: founding.bytes, binding: tls.bindingEnvelope.bytes, leafDER: tls.leafDER,
            nonce: randomBytes(16))
    }

    package var encoded: [UInt8] {
        CBOR.fields([
            1: .bytes(founding), 2: .bytes(binding), 3: .bytes(leafDER), 4: .bytes(nonce),
        ]).encoded
    }

    package init(decoding bytes: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: bytes)
        founding = try fields.bytes(1)
        binding = try fields.bytes(2)
        leafDER = try fields.bytes(3, max: PeerCertificate.bytesMax)
        nonce = try fields.bytes(4, max: 16)
        try fields.finish()
        guard nonce.count == 16 else { throw .outOfRange(field: 4) }
    }
}
