package import AegisCore

/// How firmly a height and all before it stand (PROTOCOL.md §2.8).
package struct Finality: Hashable, Sendable {
    package let height: UInt64
    /// Of the header.
    package let value: Digest
    /// c: co-signatures.
    package let signatures: Int
    /// n: participants of the roster that decided the height.
    package let participants: Int

    package init(height: UInt64, value: Digest, signatures: Int, participants: Int) {
        self.height = height
        self.value = value
        self.signatures = signatures
        self.participants = participants
    }

    /// L = 2c − n − 1: with so many traitors there is still no other final header of this height.
    package var resists: Int { max(0, 2 * signatures - participants - 1) }
}

extension MeshRules {
    /// Checks offline that a height is final. These rules are those of the roster that decided it
    /// (`at` the state before it).
    package func verify(_ certificate: FinalCertificate) throws(CertificateError) -> Finality {
        var opener = EnvelopeOpener(self)
        let coSigns = try open(
            certificate.coSigns, as: CoSign.self, quorum: finalQuorum, using: &opener)
        let first = coSigns[0].statement
        guard coSigns.allSatisfy({ $0.statement == first }) else { throw .mixed }
        return Finality(
            height: first.scope.height, value: first.value, signatures: coSigns.count,
            participants: roster.count)
    }

    /// Checks offline that two headers of one height are certified, and which height it is.
    package func verify(_ fork: ForkProof) throws(CommitError) -> UInt64 {
        var opener = EnvelopeOpener(self)
        let header = try decodeHeader(of: fork.first)
        for record in [fork.first, fork.second] {
            _ = try verifyCertificate(of: record, height: header.height, using: &opener)
        }
        guard fork.first.header != fork.second.header else { throw .anotherValue }
        return header.height
    }

    /// c: the co-signatures that make a height final.
    var finalQuorum: Int {
        let roster = breaches.contains(.finalUnderFounders) ? initialState.roster : roster
        return roster.finalQuorum - (breaches.contains(.finalByFew) ? 1 : 0)
    }
}
