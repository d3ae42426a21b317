package import AegisCore
package import AegisCrypto
package import AegisProtocol

package enum FoundingError: Error, Hashable, Sendable {
    case envelope(EnvelopeError)
    case statement(StatementError)
    /// Not the founding that the token or the earlier join pinned.
    case notThePinnedFounding(pinned: Digest, actual: Digest)
    case signedByAnotherThanTheAdmin(signer: NodeID, admin: NodeID)
}

/// A founding statement as its admin signed it. Only `init(verifying:)` and `sign` make one.
package struct SignedFounding: Hashable, Sendable {
    /// The exact bytes that were signed: `founding.cose`.
    package let bytes: [UInt8]
    package let statement: FoundingStatement
    /// SHA-256 of `bytes`: what a founding token pins.
    package let digest: Digest

    package static func sign(_ statement: FoundingStatement, by admin: IdentityKey)
        -> SignedFounding
    {
        precondition(statement.admin == admin.publicKey, "the admin signs its own founding")
        let envelope = EnvelopeSigner(admin).sign(.founding, statement.payload)
        return SignedFounding(
            bytes: envelope.bytes, statement: statement,
            digest: SHA256.digest(of: envelope.bytes))
    }

    package init(verifying bytes: [UInt8], pinned: Digest? = nil) throws(FoundingError) {
        let digest = SHA256.digest(of: bytes)
        if let pinned, pinned != digest {
            throw .notThePinnedFounding(pinned: pinned, actual: digest)
        }
        let verified: Verified<[UInt8]>
        do { verified = try EnvelopeVerifier().verify(bytes, as: .founding) } catch {
            throw .envelope(error)
        }
        let statement: FoundingStatement
        do { statement = try FoundingStatement(payload: verified.payload) } catch {
            throw .statement(error)
        }
        guard statement.admin == verified.sender else {
            throw .signedByAnotherThanTheAdmin(
                signer: verified.sender, admin: statement.admin)
        }
        self.init(bytes: bytes, statement: statement, digest: digest)
    }

    private init(bytes: [UInt8], statement: FoundingStatement, digest: Digest) {
        self.bytes = bytes
        self.statement = statement
        self.digest = digest
    }
}
