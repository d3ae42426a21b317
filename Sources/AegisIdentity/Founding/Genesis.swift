package import AegisCore
import AegisCrypto
package import AegisProtocol

package enum GenesisError: Error, Hashable, Sendable {
    case founding(FoundingError)
    case envelope(EnvelopeError)
    case statement(StatementError)
    case noSignatures
    case otherMesh(MeshID)
    /// The genesis is of another founding statement than the one beside it.
    case otherFounding(Digest)
    /// The roster's rule for three nodes is not what the founders agreed to.
    case policyMismatch
    /// The admin observes; it never votes (PROTOCOL.md §2.1).
    case adminIsAParticipant(NodeID)
    /// This founder signed another statement than the first one did.
    case differentStatement(NodeID)
    case signerNotInRoster(NodeID)
    case signedTwice(NodeID)
    case missingSignatures([NodeID])
}

/// The trust root of a mesh: a founding that the admin signed and a first roster that every
/// founder in it signed. Only `GenesisVerifier` makes one.
package struct Genesis: Hashable, Sendable {
    package let founding: SignedFounding
    package let statement: GenesisStatement
    /// SHA-256 of the genesis statement's payload, the same for every founder.
    package let digest: Digest

    package var mesh: MeshID { statement.mesh }
    package var roster: Roster { statement.roster }
    package var admin: NodeID { founding.statement.admin }

    fileprivate init(founding: SignedFounding, statement: GenesisStatement, digest: Digest) {
        self.founding = founding
        self.statement = statement
        self.digest = digest
    }
}

package struct GenesisVerifier: Sendable {
    private let envelopes = EnvelopeVerifier()

    package init() {}

    package func verify(
        _ document: GenesisDocument, pinned: Digest? = nil
    ) throws(GenesisError) -> Genesis {
        let founding: SignedFounding
        do {
            founding = try SignedFounding(verifying: document.founding, pinned: pinned)
        } catch { throw .founding(error) }
        guard let first = document.signatures.first else { throw .noSignatures }
        let payload = try self.payload(of: first).payload
        let statement = try check(payload, founding: founding)
        var signers: Set<NodeID> = []
        for signature in document.signatures {
            let signer = try verifySignature(signature, on: statement)
            guard signers.insert(signer).inserted else { throw .signedTwice(signer) }
        }
        let missing = statement.roster.nodes.filter { !signers.contains($0) }
        guard missing.isEmpty else { throw .missingSignatures(missing) }
        return Genesis(
            founding: founding, statement: statement, digest: SHA256.digest(of: payload))
    }

    /// What a founder checks before it signs, and everyone after: does this payload agree with
    /// the founding?
    package func check(
        _ payload: [UInt8], founding: SignedFounding
    ) throws(GenesisError) -> GenesisStatement {
        let statement: GenesisStatement
        do { statement = try GenesisStatement(payload: payload) } catch { throw .statement(error) }
        guard statement.mesh == founding.statement.mesh else { throw .otherMesh(statement.mesh) }
        guard statement.founding == founding.digest else {
            throw .otherFounding(statement.founding)
        }
        guard statement.roster.strictThree == founding.statement.policy.strictThree else {
            throw .policyMismatch
        }
        let admin = founding.statement.admin
        guard !statement.roster.contains(admin) else { throw .adminIsAParticipant(admin) }
        return statement
    }

    /// One founder's signature on this statement; its signer.
    package func verifySignature(
        _ bytes: [UInt8], on statement: GenesisStatement
    ) throws(GenesisError) -> NodeID {
        let verified = try payload(of: bytes)
        guard statement.roster.contains(verified.sender) else {
            throw .signerNotInRoster(verified.sender)
        }
        guard verified.payload == statement.payload else {
            throw .differentStatement(verified.sender)
        }
        return verified.sender
    }

    private func payload(of bytes: [UInt8]) throws(GenesisError) -> Verified<[UInt8]> {
        do { return try envelopes.verify(bytes, as: .genesisSignature) } catch {
            throw .envelope(error)
        }
    }
}
