package import AegisCore

/// Turns a received envelope into something that may be believed. The only maker of `Verified`.
package struct EnvelopeVerifier: Sendable {
    package init() {}

    /// The payload, once the sender's signature over exactly these bytes was found to hold.
    package func verify(
        _ envelope: SignedEnvelope
    ) throws(EnvelopeError) -> Verified<[UInt8]> {
        guard
            Ed25519.isValid(
                signature: envelope.signature, message: envelope.signatureInput,
                publicKey: envelope.sender)
        else { throw .badSignature(envelope.sender) }
        return Verified(verifiedFrom: envelope.sender, envelope.unverifiedPayload)
    }

    /// Parses, checks the type and then the signature.
    package func verify(
        _ bytes: [UInt8], as type: StatementType
    ) throws(EnvelopeError) -> Verified<[UInt8]> {
        let envelope = try SignedEnvelope(parsing: bytes)
        guard envelope.type == type else {
            throw .unexpectedType(envelope.type, expected: type)
        }
        return try verify(envelope)
    }
}

/// Makes envelopes in the name of one key.
package struct EnvelopeSigner: Sendable {
    private let key: IdentityKey

    package init(_ key: IdentityKey) { self.key = key }

    package var sender: NodeID { key.publicKey }

    package func sign(_ type: StatementType, _ payload: [UInt8]) -> SignedEnvelope {
        key.withKey { $0.envelope(type, payload) }
    }
}

extension SigningKey {
    package borrowing func envelope(_ type: StatementType, _ payload: [UInt8]) -> SignedEnvelope {
        SignedEnvelope(type, from: publicKey, payload: payload) { sign($0) }
    }
}
