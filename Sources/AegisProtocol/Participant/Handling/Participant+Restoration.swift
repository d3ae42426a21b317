package import AegisCore

// Starting again from the journal (§2.11, R10).
extension Participant {
    /// Takes back everything this node said at the height being decided, before it says more.
    mutating func restore(_ records: [JournalRecord]) throws(RestorationError) {
        if let run = chain.active, me != nil {
            round = RoundProgress(run, participants: rules.roster.count, at: now)
        }
        for record in records {
            switch record {
            case .signed(let slot, let envelope): try restore(slot, envelope)
            case .proposal(let envelope): try restoreValue(envelope)
            case .update(let envelope): try restoreUpdate(envelope)
            case .voteCertificate(let certificate):
                // Of an earlier height, maybe under another roster.
                guard try isOfThisHeight(certificate.votes.first, Vote1.self) else { continue }
                guard let certified = try? rules.verify(certificate, using: &opener) else {
                    throw .badSignature
                }
                agreement.remember(certified)
                if agreement.highest.map({ $0.view < certified.view }) ?? true {
                    agreement.highest = certified
                }
            case .timeoutCertificate(let certificate):
                guard try isOfThisHeight(certificate.timeouts.first, Timeout.self) else {
                    continue
                }
                guard let election = try? rules.verify(certificate, using: &opener) else {
                    throw .badSignature
                }
                if let highest = election.highest { agreement.remember(highest) }
                if agreement.entry.map({ $0.view < election.view }) ?? true {
                    agreement.entry = election
                }
            case .silence(let height): abstainsThrough = max(abstainsThrough, height)
            case .fork(let proof):
                forkProof = proof
                forkHeight = (try? Header(decoding: proof.first.header))?.height ?? chain.height
            case .evidence(let proof): restoreEvidence(proof)
            }
        }
        restoreView()
    }

    private mutating func restore(
        _ slot: SigningSlot, _ envelope: SignedEnvelope
    ) throws(RestorationError) {
        guard envelope.sender == configuration.node, envelope.type == slot.type else {
            throw .foreignRecord
        }
        if case .coSign = slot { return restoreCoSign(envelope) }
        if let height = slot.height, height != agreement.height { return }
        switch slot {
        case .readiness, .coSign: break
        case .update: ownUpdate(envelope)
        case .abstention(let run, let number):
            guard var current = round, current.specification.run == run,
                current.round == number, current.training != .released
            else { return }
            current.ownAbstention = envelope
            current.training = .abstained
            if let me { current.hasAbstained[me] = true }
            round = current
        case .haveList(_, let view, let sequence):
            let list = try restored(envelope, as: HaveList.self).statement
            if let last = agreement.ownList?.statement,
                (last.scope.view, last.sequence) >= (view, sequence)
            {
                return
            }
            agreement.ownList = (list, envelope)
        case .proposal(_, let view):
            guard Int64(view) > agreement.proposedView else { return }
            agreement.proposedView = Int64(view)
            agreement.ownProposal = envelope
            try restoreValue(envelope)
        case .vote1, .vote2:
            guard !rules.breaches.contains(.votesNotRestored) else { return }
            try restoreVote(slot, envelope)
        case .timeout(_, let view):
            _ = try restored(envelope, as: Timeout.self)
            guard Int64(view) > agreement.timeoutView else { return }
            agreement.timeoutView = Int64(view)
            agreement.ownTimeout = envelope
        }
    }

    private mutating func restoreVote(
        _ slot: SigningSlot, _ envelope: SignedEnvelope
    ) throws(RestorationError) {
        switch slot {
        case .vote1(_, let view):
            let vote = try restored(envelope, as: Vote1.self)
            guard agreement.vote1.map({ $0.view < view }) ?? true else { return }
            agreement.vote1 = (view, vote.statement.value)
            agreement.ownVote1 = envelope
        case .vote2(_, let view):
            let vote = try restored(envelope, as: Vote2.self)
            guard Int64(view) > agreement.vote2View else { return }
            agreement.vote2View = Int64(view)
            agreement.ownVote2 = envelope
            if agreement.vote1.map({ $0.view < view }) ?? true {
                agreement.vote1 = (view, vote.statement.value)
            }
        case .update, .abstention, .haveList, .proposal, .timeout, .readiness, .coSign: break
        }
    }

    private mutating func restored<Payload: AgreementStatement>(
        _ envelope: SignedEnvelope, as type: Payload.Type
    ) throws(RestorationError) -> Placed<Payload> {
        do { return try opener.open(envelope, as: type) } catch {
            switch error {
            case .badSignature, .notAParticipant: throw .badSignature
            case .malformed(let error): throw .malformed(error)
            case .unexpected, .foreignMesh, .foreignRoster, .notTheAuthor: throw .foreignRecord
            }
        }
    }

    private mutating func isOfThisHeight<Payload: AgreementStatement>(
        _ envelope: SignedEnvelope?, _ type: Payload.Type
    ) throws(RestorationError) -> Bool {
        guard let envelope, let statement = try? opener.openAny(envelope, as: type) else {
            throw .badSignature
        }
        return statement.scope.height == agreement.height
    }

    private mutating func restoreValue(_ envelope: SignedEnvelope) throws(RestorationError) {
        guard let statement = try? opener.openAny(envelope, as: Proposal.self) else {
            throw .badSignature
        }
        guard statement.scope.height == agreement.height else { return }
        let placed = try restored(envelope, as: Proposal.self)
        guard let value = try? checkedValue(placed) else { return }
        agreement.remember(value)
    }

    private mutating func restoreUpdate(_ envelope: SignedEnvelope) throws(RestorationError) {
        guard
            let statement = try? opener.open(
                envelope, as: .update, UpdateStatement.init(payload:)
            ).payload
        else { throw .foreignRecord }
        // It may have left since.
        guard let index = rules.roster.index(of: envelope.sender) else { return }
        let digest = rules.cryptography.digest(envelope.bytes)
        guard let current = round, index != me, statement.run == current.specification.run,
            statement.round == current.round, statement.base == current.base,
            current.update(digest) == nil
        else { return }
        round?.updates[index].append(
            KnownUpdate(
                digest: digest, envelope: envelope, statement: statement, state: .fetching,
                holders: [envelope.sender], isPersisted: true))
    }

    /// R10: never behind anything this node said or knows to be certified.
    private mutating func restoreView() {
        var view = max(agreement.timeoutView, agreement.vote2View, agreement.proposedView, 0)
        if let vote1 = agreement.vote1 { view = max(view, Int64(vote1.view)) }
        if let highest = agreement.highest { view = max(view, Int64(highest.view)) }
        if let entry = agreement.entry { view = max(view, Int64(entry.view) + 1) }
        if let list = agreement.ownList { view = max(view, Int64(list.statement.scope.view)) }
        agreement.view = UInt32(view)
        if let list = agreement.ownList?.statement, list.scope.view == agreement.view {
            agreement.listSequence = list.sequence + 1
            agreement.pendingList = list
        } else {
            agreement.ownList = nil
        }
    }

    /// Resumes: says again what it said, and asks what it missed.
    mutating func start() {
        guard !isStarted else { return }
        isStarted = true
        greet()
        let own = agreement
        if let list = own.ownList, let placed = try? opener.open(list.envelope, as: HaveList.self) {
            receivedList(placed, from: configuration.node)
        }
        if let proposal = own.ownProposal,
            let placed = try? opener.open(proposal, as: Proposal.self)
        {
            // Of this view or of an earlier one, which is then ignored.
            try? receivedProposal(placed, from: configuration.node)
        }
        for envelope in [own.ownVote1, own.ownVote2, own.ownTimeout].compactMap(\.self)
        where own.height == agreement.height {
            countAgain(envelope)
        }
        if let round, own.height == agreement.height {
            self.round?.startedAt = now
            startDeadlines(round.specification)
            if round.training == .deferred, isSigning {
                startTimer(.training, after: configuration.timing.trainingDelay)
            }
        }
        considerRestoredFinality()
        considerCommandTimer()
        ask(others, from: agreement.height)
        retransmit()
    }

    /// What this node said counts as before the crash, and may complete a quorum.
    private mutating func countAgain(_ envelope: SignedEnvelope) {
        let me = configuration.node
        if let vote = try? opener.open(envelope, as: Vote1.self) {
            receivedVote1(vote, from: me)
        } else if let vote = try? opener.open(envelope, as: Vote2.self) {
            receivedVote2(vote, from: me)
        } else if let timeout = try? opener.open(envelope, as: Timeout.self) {
            try? receivedTimeout(timeout, from: me)
        }
    }
}

/// Why a node's own journal is not believed.
package enum RestorationError: Error, Hashable, Sendable {
    case notAParticipant(NodeID)
    /// Signed by another key, or for another mesh: the journal and the key don't belong together.
    case foreignRecord
    case badSignature
    case malformed(StatementError)
}
