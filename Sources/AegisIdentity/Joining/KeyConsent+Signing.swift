package import AegisCore
package import AegisCrypto
package import AegisProtocol

extension KeyConsent {
    /// What `envelope` says, where the new key itself has signed it; nil else.
    package init?(verifying envelope: SignedEnvelope) {
        guard let verified = try? EnvelopeVerifier().verify(envelope.bytes, as: .keyConsent),
            let consent = try? KeyConsent(payload: verified.payload),
            consent.new == verified.sender
        else { return nil }
        self = consent
    }

    /// What a command names. `key` is the new one.
    package func signed(by key: IdentityKey) -> KeyReplacement {
        precondition(key.publicKey == new, "a key consents for itself")
        return KeyReplacement(
            old: old, new: new, consent: EnvelopeSigner(key).sign(.keyConsent, payload))
    }
}
