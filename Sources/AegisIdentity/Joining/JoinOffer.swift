package import AegisCore
import AegisCrypto
package import AegisProtocol

/// What a member of a live mesh shows to whoever asks to join (`GET /mesh/v1/offer`): the genesis,
/// its own leaf, and a nonce for one request.
package struct JoinOffer: Hashable, Sendable {
    package let genesis: [UInt8]
    package let leafDER: [UInt8]
    /// 16 bytes, remembered by the acceptor until used or stale.
    package let nonce: [UInt8]

    package init(genesis: [UInt8], leafDER: [UInt8], nonce: [UInt8] = randomBytes(16)) {
        self.genesis = genesis
        self.leafDER = leafDER
        self.nonce = nonce
    }

    package var encoded: [UInt8] {
        CBOR.fields([1: .bytes(genesis), 2: .bytes(leafDER), 3: .bytes(nonce)]).encoded
    }

    package init(decoding bytes: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: bytes)
        genesis = try fields.bytes(1)
        leafDER = try fields.bytes(2, max: PeerCertificate.bytesMax)
        nonce = try fields.bytes(3, max: 16)
        try fields.finish()
        guard nonce.count == 16 else { throw .outOfRange(field: 3) }
    }
}
