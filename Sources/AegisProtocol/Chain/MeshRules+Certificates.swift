import AegisCore

/// What a quorum of first votes proves.
struct CertifiedValue: Hashable, Sendable {
    let height: UInt64
    let view: UInt32
    let value: Digest
    let certificate: VoteCertificate

    var named: Timeout.Certified { .init(view: view, value: value) }
}

/// What a quorum of timeouts proves: the coordinator of `view + 1` is elected, bound to `highest`.
struct Election: Hashable, Sendable {
    let height: UInt64
    let view: UInt32
    let highest: CertifiedValue?
    let certificate: TimeoutCertificate
}

extension MeshRules {
    func verify(
        _ certificate: VoteCertificate, using opener: inout EnvelopeOpener
    ) throws(CertificateError) -> CertifiedValue {
        let votes = try open(
            certificate.votes, as: Vote1.self, quorum: certificateQuorum, using: &opener)
        let first = votes[0].statement
        guard
            votes.allSatisfy({
                $0.statement.scope == first.scope && $0.statement.value == first.value
            })
        else { throw .mixed }
        return CertifiedValue(
            height: first.scope.height, view: first.scope.view, value: first.value,
            certificate: certificate)
    }

    /// Valid iff a quorum signed timeouts of one view, and the highest certificate that any of them
    /// names is the one attached (§2.4).
    func verify(
        _ certificate: TimeoutCertificate, using opener: inout EnvelopeOpener
    ) throws(CertificateError) -> Election {
        let timeouts = try open(
            certificate.timeouts, as: Timeout.self, quorum: electionQuorum, using: &opener)
        let scope = timeouts[0].statement.scope
        guard timeouts.allSatisfy({ $0.statement.scope == scope }) else { throw .mixed }
        let highestView = timeouts.compactMap(\.statement.highest?.view).max()
        guard (highestView == nil) == (certificate.highest == nil) else { throw .highestMissing }
        var highest: CertifiedValue?
        if let attached = certificate.highest {
            let certified = try verify(attached, using: &opener)
            guard certified.height == scope.height, certified.view == highestView,
                timeouts.allSatisfy({
                    $0.statement.highest?.view != highestView
                        || $0.statement.highest == certified.named
                })
            else { throw .highestMissing }
            highest = certified
        }
        return Election(
            height: scope.height, view: scope.view, highest: highest, certificate: certificate)
    }

    /// A quorum of statements, each of another participant.
    func open<Payload: AgreementStatement>(
        _ envelopes: [SignedEnvelope], as type: Payload.Type, quorum: Int,
        using opener: inout EnvelopeOpener
    ) throws(CertificateError) -> [Placed<Payload>] {
        guard envelopes.count >= quorum else { throw .tooFewSigners(envelopes.count) }
        var placed: [Placed<Payload>] = []
        for envelope in envelopes {
            do { placed.append(try opener.open(envelope, as: type)) } catch {
                throw .envelope(error)
            }
            guard !placed.dropLast().contains(where: { $0.envelope.sender == envelope.sender })
            else { throw .signerTwice(envelope.sender) }
        }
        return placed
    }
}
