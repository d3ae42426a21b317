/// A payload whose sender and signature were checked. Made by `EnvelopeVerifier` in AegisCrypto,
/// and by `map` from another one.
package struct Verified<Payload: Sendable>: Sendable {
    package let sender: NodeID
    package let payload: Payload

    /// Only a verifier may call this (TidyTests looks).
    package init(verifiedFrom sender: NodeID, _ payload: Payload) {
        self.sender = sender
        self.payload = payload
    }

    /// Decodes after the check, so nothing unsigned is ever parsed.
    package func map<Other, Failure: Error>(
        _ decode: (Payload) throws(Failure) -> Other
    ) throws(Failure) -> Verified<Other> {
        Verified<Other>(verifiedFrom: sender, try decode(payload))
    }
}

extension Verified: Equatable where Payload: Equatable {}
