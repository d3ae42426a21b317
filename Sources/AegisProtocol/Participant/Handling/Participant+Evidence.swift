import AegisCore

// Proofs against traitors: found, spread, and put into the next value (PROTOCOL.md §2.9).
extension Participant {
    /// Two statements that contradict each other have met here.
    mutating func accuse(_ first: SignedEnvelope, _ second: SignedEnvelope) {
        try? take(Evidence(first, second))
    }

    mutating func received(_ evidence: Evidence) throws(Refusal) { try take(evidence) }

    /// One proof against each is enough.
    private mutating func take(_ new: Evidence) throws(Refusal) {
        guard !isAccused(new.first.sender),
            new.first.bytes.count + new.second.bytes.count <= ProtocolLimits.evidenceBytesMax
        else { return }
        let conviction: Conviction
        do { conviction = try rules.verify(new, using: &opener) } catch { throw .evidence(error) }
        evidence.append(KnownEvidence(new, conviction))
        evidence.sort { $0.conviction.index < $1.conviction.index }
        observe(.accused(conviction.node, conviction.offence))
        perform(.persist(.evidence(new)))
        send([.evidence(new)], to: others)
        considerCommandTimer()
    }

    private func isAccused(_ node: NodeID) -> Bool {
        chain.convicted.contains(node) || evidence.contains { $0.conviction.node == node }
    }

    /// Whose updates won't count.
    var guilty: [Int] {
        evidence.map(\.conviction.index)
            + chain.convicted.compactMap { rules.roster.index(of: $0) }
    }

    /// After a commit.
    mutating func dropDecidedEvidence() {
        evidence.removeAll { chain.convicted.contains($0.conviction.node) }
    }

    /// What the next value carries.
    var presentedEvidence: [KnownEvidence] {
        Array(evidence.prefix(ProtocolLimits.evidenceMax))
    }

    /// A vote that contradicts another of its signer.
    mutating func compare(_ vote: Placed<Vote1>) {
        if let other = agreement.votes1.conflict(with: vote) {
            accuse(other.envelope, vote.envelope)
        }
        if let proposal = agreement.unjustified.first(where: {
            rules.cryptography.digest($0.bytes) == vote.statement.proposal
        }) {
            accuse(vote.envelope, proposal)
        }
    }

    mutating func compare(_ vote: Placed<Vote2>) {
        if let other = agreement.votes2.conflict(with: vote) {
            accuse(other.envelope, vote.envelope)
        }
        let view = vote.statement.scope.view
        if let timeout = agreement.timeouts.first(of: vote.index, where: { $0.denies(view) }) {
            accuse(vote.envelope, timeout.envelope)
        }
    }

    mutating func compare(_ timeout: Placed<Timeout>) {
        let statement = timeout.statement
        if let vote = agreement.votes2.first(
            of: timeout.index, where: { statement.denies($0.scope.view) })
        {
            accuse(vote.envelope, timeout.envelope)
        }
    }
}

extension Timeout {
    /// Whether its signer, had it voted second in this view, would have had to name a certificate.
    func denies(_ view: UInt32) -> Bool {
        scope.view >= view && (highest.map { $0.view < view } ?? true)
    }
}

extension StatementTable {
    /// Another statement of this sender in this view.
    func conflict(with placed: Placed<Payload>) -> Placed<Payload>? {
        first(of: placed.index) {
            $0.scope.view == placed.statement.scope.view && $0 != placed.statement
        }
    }
}
