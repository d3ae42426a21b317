package import AegisCore

/// The two functions an agreement needs of cryptography. A node has SHA-256 and Ed25519; a
/// simulation has fast stand-ins.
package protocol ProtocolCryptography: Sendable {
    func digest(_ bytes: [UInt8]) -> Digest
    /// The payload, where the signature is the sender's over exactly these bytes in this type's
    /// domain; nil otherwise.
    func verify(_ envelope: SignedEnvelope) -> Verified<[UInt8]>?
}
