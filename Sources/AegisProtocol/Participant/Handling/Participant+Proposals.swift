import AegisCore

// A proposal, from its arrival to the first vote (R3, §2.7).
extension Participant {
    mutating func receivedProposal(
        _ placed: Placed<Proposal>, from peer: NodeID
    ) throws(Refusal) {
        let proposal = placed.statement
        let view = proposal.scope.view
        guard placed.envelope.sender == coordinator(of: view) else {
            throw .proposal(.notTheCoordinator(placed.envelope.sender))
        }
        if let justification = proposal.justification {
            let election: Election
            do { election = try rules.verify(justification, using: &opener) } catch {
                throw .certificate(error)
            }
            guard election.height == agreement.height, election.view + 1 == view else {
                throw .certificate(.wrongHeight)
            }
            let value = rules.cryptography.digest(proposal.header)
            if let highest = election.highest, highest.value != value,
                !rules.breaches.contains(.electionUnbinding)
            {
                if agreement.unjustified.count < ProtocolLimits.unjustifiedMax {
                    agreement.unjustified.append(placed.envelope)
                }
                throw .proposal(.notTheCertifiedValue)
            }
            elected(election)
        }
        guard view == agreement.view else {
            if view < agreement.view {
                takeCarriedValue(placed)
                helpToView(peer)
            }
            return
        }
        try takeCandidate(placed, view: view)
    }

    private mutating func takeCandidate(
        _ placed: Placed<Proposal>, view: UInt32
    ) throws(Refusal) {
        let digest = rules.cryptography.digest(placed.envelope.bytes)
        if let candidate = agreement.candidate {
            guard candidate.proposal != digest else { return }
            accuse(candidate.envelope, placed.envelope)
            guard rules.breaches.contains(.vote1Twice) else { throw .proposal(.second) }
        }
        let value: KnownValue
        do { value = try knownValue(placed) } catch { throw .proposal(.value(error)) }
        agreement.remember(value)
        agreement.candidate = Candidate(
            value: value.digest, proposal: digest, envelope: placed.envelope)
        if let decided = agreement.decided, decided.value == value.digest { commitDecided() }
    }

    /// A value of an earlier view, brought because a certificate names it.
    private mutating func takeCarriedValue(_ placed: Placed<Proposal>) {
        let digest = rules.cryptography.digest(placed.statement.header)
        guard agreement.highest?.value == digest || agreement.decided?.value == digest,
            agreement.value(digest) == nil, let value = try? knownValue(placed)
        else { return }
        agreement.remember(value)
        if agreement.decided?.value == digest { commitDecided() }
    }

    /// The value, if everything in its header but what is computed follows from its body.
    mutating func checkedValue(
        _ placed: Placed<Proposal>
    ) throws(ValueError) -> KnownValue {
        let proposal = placed.statement
        let header: Header
        do { header = try Header(decoding: proposal.header) } catch { throw .malformed(error) }
        let plan = try rules.plan(after: chain, body: proposal.body, using: &opener)
        guard header.listView <= proposal.scope.view else { throw .headerDiffers }
        let claimed = ComputeResult(aggregate: header.aggregate, model: header.model)
        guard rules.isEqual(plan.header(with: plan.isComputed ? claimed : nil), header) else {
            throw .headerDiffers
        }
        return KnownValue(
            digest: rules.cryptography.digest(proposal.header), header: header,
            headerBytes: proposal.header, plan: plan, proposal: placed.envelope)
    }

    private mutating func knownValue(
        _ placed: Placed<Proposal>
    ) throws(ValueError) -> KnownValue {
        let digest = rules.cryptography.digest(placed.statement.header)
        if let known = agreement.value(digest),
            rules.cryptography.digest(placed.statement.body) == known.header.body
        {
            return known
        }
        return try checkedValue(placed)
    }

    /// R3: once in a view, in no view given up, for what our own computation confirms.
    mutating func considerFirstVote() {
        guard let candidate = agreement.candidate, !candidate.isRejected, agreement.isOpen,
            agreement.vote1.map({ $0.view < agreement.view }) ?? true
                || rules.breaches.contains(.vote1Twice)
                    && agreement.vote1?.value != candidate.value,
            let value = agreement.value(candidate.value)
        else { return }
        guard value.isConfirmed || confirm(value) else { return }
        if let index = agreement.values.firstIndex(where: { $0.digest == value.digest }) {
            agreement.values[index].isConfirmed = true
        }
        agreement.vote1 = (agreement.view, value.digest)
        retransmissions = 0
        // The vote promises that this node has the value and its updates (§2.11).
        perform(.persist(.proposal(candidate.envelope)))
        for member in value.plan.included {
            guard let update = round?.update(member.update), !update.isPersisted else {
                continue
            }
            perform(.persist(.update(update.envelope)))
            round?.change(member.update) { $0.isPersisted = true }
        }
        let vote = Vote1(
            scope: scope(agreement.view), value: value.digest, proposal: candidate.proposal)
        sign(
            .vote1(height: agreement.height, view: agreement.view), vote.payload, to: others)
    }

    /// Whether what the coordinator claims is what this node computes. False, too, while something
    /// is missing: then it is asked for.
    private mutating func confirm(_ value: KnownValue) -> Bool {
        guard hasForcedCommands(value) else { return false }
        guard value.plan.isComputed, !rules.breaches.contains(.aggregateUnchecked) else {
            return true
        }
        for member in value.plan.included {
            for sender in value.header.listSenders {
                addHolder(rules.roster.entries[sender].node, of: member.update)
            }
        }
        guard let request = request(for: value.plan) else { return false }
        guard let result = result(of: request) else {
            compute(request)
            return false
        }
        guard rules.isEqual(value.plan.header(with: result), value.header) else {
            agreement.candidate?.isRejected = true
            observe(
                .aggregateDiverged(
                    height: agreement.height, view: agreement.view, coordinator: coordinator))
            return false
        }
        return true
    }

    /// Whether the value carries every command that enough lists name and that can be applied. One
    /// that we don't know yet may come.
    private mutating func hasForcedCommands(_ value: KnownValue) -> Bool {
        let forced = value.plan.forced
        guard !forced.isEmpty else { return true }
        guard let body = try? Body(decoding: value.plan.body),
            let carried = try? rules.open(body.commands, using: &opener)
        else { return false }
        var candidates = carried
        for digest in forced where !carried.contains(where: { $0.digest == digest }) {
            guard let known = commands.first(where: { $0.digest == digest }) else {
                return false
            }
            candidates.append(known)
        }
        let due = rules.applicable(
            candidates, after: chain, convicting: value.header.convicted,
            at: value.header.committedTime)
        if let missing = due.first(where: { due in
            !carried.contains { $0.digest == due.digest }
        }) {
            agreement.candidate?.isRejected = true
            observe(
                .refused(
                    from: coordinator,
                    .proposal(
                        .value(.commandLeftOut(sequence: missing.command.sequence)))))
            return false
        }
        return true
    }
}
