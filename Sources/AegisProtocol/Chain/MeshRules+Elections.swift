package import AegisCore

extension MeshRules {
    /// Checks offline that a quorum gave up on `view` at `height`, and so elected the coordinator
    /// of the next view: what a proposal of that view was justified with (PROTOCOL.md §2.3).
    package func verifyElection(
        _ certificate: TimeoutCertificate, height: UInt64, view: UInt32
    ) throws(CertificateError) {
        var opener = EnvelopeOpener(self)
        let election = try verify(certificate, using: &opener)
        guard election.height == height, election.view == view else { throw .wrongHeight }
    }
}
