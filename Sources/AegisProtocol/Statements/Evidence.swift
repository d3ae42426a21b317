package import AegisCore

/// Two statements that no honest node signs both (PROTOCOL.md §2.9): proves that their signer is a
/// traitor, to anybody who has the roster. Unsigned itself.
package struct Evidence: Hashable, Sendable {
    package let first: SignedEnvelope
    package let second: SignedEnvelope

    package init(_ first: SignedEnvelope, _ second: SignedEnvelope) {
        self.first = first
        self.second = second
    }

    package var encoded: [UInt8] { Assembly.evidence.encode([(1, .envelopes([first, second]))]) }

    package init(decoding bytes: [UInt8]) throws(StatementError) {
        var fields = try Assembly.evidence.fields(bytes)
        let envelopes = try fields.envelopes(1, max: 2)
        guard envelopes.count == 2 else { throw .outOfRange(field: 1) }
        first = envelopes[0]
        second = envelopes[1]
        try fields.finish()
    }
}

/// What evidence proves.
package struct Conviction: Hashable, Sendable {
    package enum Offence: String, CaseIterable, Sendable {
        /// E1, E2, E3: two first votes, second votes or proposals in one view.
        case votedTwice = "E1"
        case committedTwice = "E2"
        case proposedTwice = "E3"
        /// E4: two updates for one round.
        case updatedTwice = "E4"
        /// E5: a timeout that denies a certificate which its signer's second vote rests on.
        case forgotCertificate = "E5"
        /// E6: a first vote for a proposal whose election demands another value.
        case votedAgainstElection = "E6"
        /// E7: co-signatures of two headers of one height.
        case coSignedTwice = "E7"
    }

    package let node: NodeID
    /// Its place in the roster.
    package let index: Int
    package let offence: Offence
}

/// Evidence that was checked.
struct KnownEvidence: Hashable, Sendable {
    let evidence: Evidence
    let conviction: Conviction

    init(_ evidence: Evidence, _ conviction: Conviction) {
        self.evidence = evidence
        self.conviction = conviction
    }
}

/// Why evidence proves nothing.
package enum EvidenceError: Error, Hashable, Sendable {
    case envelope(EnvelopeRefusal)
    /// The two don't contradict each other, or aren't of one signer.
    case noContradiction
}

extension MeshRules {
    /// Checks evidence from nothing but the roster. What was signed under an earlier one counts as
    /// well: a node signs once for each height and view, whoever is in the roster. Only E6 needs
    /// the roster of its election to be this one.
    package func verify(_ evidence: Evidence) throws(EvidenceError) -> Conviction {
        var opener = EnvelopeOpener(self)
        return try verify(evidence, using: &opener)
    }

    func verify(
        _ evidence: Evidence, using opener: inout EnvelopeOpener
    ) throws(EvidenceError) -> Conviction {
        let (first, second) = (evidence.first, evidence.second)
        guard first.bytes != second.bytes else { throw .noContradiction }
        do {
            guard let offence = try offence(first, second, using: &opener),
                let index = roster.index(of: first.sender)
            else { throw EvidenceError.noContradiction }
            return Conviction(node: first.sender, index: index, offence: offence)
        } catch let error as EnvelopeRefusal {
            throw .envelope(error)
        } catch {
            throw .noContradiction
        }
    }

    private func offence(
        _ first: SignedEnvelope, _ second: SignedEnvelope, using opener: inout EnvelopeOpener
    ) throws -> Conviction.Offence? {
        if first.type == .vote1, second.type == .proposal {
            return try isAgainstElection(first, second, using: &opener)
                ? .votedAgainstElection : nil
        }
        guard first.sender == second.sender else { return nil }
        switch (first.type, second.type) {
        case (.vote1, .vote1):
            let votes = (
                try opener.openAny(first, as: Vote1.self),
                try opener.openAny(second, as: Vote1.self)
            )
            return votes.0.scope.isPlace(of: votes.1.scope) && votes.0 != votes.1
                ? .votedTwice : nil
        case (.vote2, .vote2):
            let votes = (
                try opener.openAny(first, as: Vote2.self),
                try opener.openAny(second, as: Vote2.self)
            )
            return votes.0.scope.isPlace(of: votes.1.scope) && votes.0 != votes.1
                ? .committedTwice : nil
        case (.proposal, .proposal):
            let proposals = (
                try opener.openAny(first, as: Proposal.self),
                try opener.openAny(second, as: Proposal.self)
            )
            return proposals.0.scope.isPlace(of: proposals.1.scope) && proposals.0 != proposals.1
                ? .proposedTwice : nil
        case (.update, .update):
            let updates = (
                try opener.open(first, as: .update, UpdateStatement.init(payload:)).payload,
                try opener.open(second, as: .update, UpdateStatement.init(payload:)).payload
            )
            return isSameRound(updates.0, updates.1) && updates.0.node == first.sender
                && updates.0 != updates.1 ? .updatedTwice : nil
        case (.vote2, .timeout):
            let vote = try opener.openAny(first, as: Vote2.self)
            let timeout = try opener.openAny(second, as: Timeout.self)
            guard vote.scope.height == timeout.scope.height,
                timeout.scope.view >= vote.scope.view
            else { return nil }
            let isDenied = timeout.highest.map { $0.view < vote.scope.view } ?? true
            return isDenied ? .forgotCertificate : nil
        case (.coSign, .coSign):
            let coSigns = (
                try opener.openAny(first, as: CoSign.self),
                try opener.openAny(second, as: CoSign.self)
            )
            return coSigns.0.scope.isPlace(of: coSigns.1.scope)
                && coSigns.0.value != coSigns.1.value ? .coSignedTwice : nil
        default: return nil
        }
    }

    private func isSameRound(_ left: UpdateStatement, _ right: UpdateStatement) -> Bool {
        left.mesh == mesh && right.mesh == mesh && left.run == right.run
            && left.round == right.round && left.node == right.node && left.base == right.base
    }

    /// E6: the vote names this proposal, whose election binds it to another value.
    private func isAgainstElection(
        _ first: SignedEnvelope, _ second: SignedEnvelope, using opener: inout EnvelopeOpener
    ) throws -> Bool {
        let vote = try opener.open(first, as: Vote1.self).statement
        let proposal = try opener.open(second, as: Proposal.self).statement
        guard vote.proposal == cryptography.digest(second.bytes), vote.scope == proposal.scope,
            let justification = proposal.justification,
            let election = try? verify(justification, using: &opener),
            let highest = election.highest, election.height == vote.scope.height,
            election.view + 1 == vote.scope.view
        else { return false }
        return highest.value != vote.value
    }
}
