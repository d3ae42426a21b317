import AegisCore

// What had no answer is sent again, less and less often (§2.12). Nothing is acknowledged: the next
// step of the protocol is the answer.
extension Participant {
    mutating func considerRetransmission() {
        guard isStarted else { return }
        guard isAnswerMissing else {
            // Now and then: whoever missed a decision, and has nothing to say, hears of it.
            if timers[.retransmission] == nil || !isResting, rules.roster.members.count > 1,
                !rules.breaches.contains(.stragglersIgnored)
            {
                startTimer(.retransmission, after: configuration.timing.restingInterval)
            }
            isResting = true
            return
        }
        guard timers[.retransmission] == nil || isResting else { return }
        isResting = false
        var wait = configuration.timing.retransmission
        for _ in 0..<min(retransmissions, 8) { wait = wait * 8 / 5 }
        startTimer(
            .retransmission,
            after: random.jittered(min(wait, configuration.timing.retransmissionMax)))
    }

    private var isAnswerMissing: Bool {
        !isSigning || round?.ownUpdate != nil || round?.ownAbstention != nil
            || agreement.ownList != nil
            || agreement.ownProposal != nil || agreement.ownVote1 != nil
            || agreement.ownVote2 != nil || agreement.ownTimeout != nil
            || agreement.decided != nil || agreement.election?.highest != nil
            || !commands.isEmpty || !evidence.isEmpty || finality.isOwnUnanswered
    }

    mutating func retransmit() {
        retransmissions += 1
        let isLong =
            (isResting || retransmissions.isMultiple(of: 8))
            && !rules.breaches.contains(.stragglersIgnored)
        if !isSigning || isLong { sayHello(toAll: isLong) }
        dropDeadCommands()
        resendRound()
        resendToCoordinator()
        resendVotes()
        resendCoSign()
        if agreement.timeoutView == Int64(agreement.view), let own = agreement.ownTimeout {
            send(electionProof + [.signed(own)], to: others)
        }
        askForDecidedValue()
    }

    private mutating func resendRound() {
        var statements: [Statement] = commands.map { .signed($0.envelope) }
        if let ready = ownReadiness?.envelope, !isSigning { statements.append(.signed(ready)) }
        statements += evidence.map { .evidence($0.evidence) }
        if let own = round?.ownUpdate {
            statements.append(.signed(own))
        } else if let own = round?.ownAbstention {
            statements.append(.signed(own))
        }
        send(statements, to: others)
        // Whoever doesn't have our update shows it by not listing it; fetches go on in the shell.
        guard let round else { return }
        for row in round.updates {
            for update in row where update.state == .fetching { fetch(update.digest) }
        }
    }

    /// To those whose co-signature is missing; whoever has it all answers.
    private mutating func resendCoSign() {
        // Whatever a peer said it has: it is time.
        isFetchedTip = false
        guard finality.isOwnUnanswered, let own = finality.own, let top = finality.top else {
            return
        }
        send([.signed(own)], to: top.missing)
    }

    private mutating func resendToCoordinator() {
        guard agreement.isOpen, agreement.candidate == nil, !isCoordinator else { return }
        if agreement.election?.highest != nil {
            send(electionProof, to: [coordinator])
            return carryCertifiedValue()
        }
        guard let own = agreement.ownList else { return }
        send(
            electionProof + commands.map { .signed($0.envelope) }
                + updates(of: own.statement.members).map { .signed($0) }
                + [.signed(own.envelope)],
            to: [coordinator])
    }

    private mutating func resendVotes() {
        if agreement.isOpen, isCoordinator, let own = agreement.ownProposal,
            agreement.proposedView == Int64(agreement.view)
        {
            let included =
                agreement.candidate.flatMap { agreement.value($0.value)?.plan.included } ?? []
            send(
                updates(of: included).map { .signed($0) } + [.signed(own)],
                to: missing { agreement.votes1.has($0, in: agreement.view) })
        }
        if let own = agreement.ownVote1, agreement.vote1?.view == agreement.view {
            send(
                [.signed(own)], to: missing { agreement.votes2.has($0, in: agreement.view) })
        }
        if let own = agreement.ownVote2 {
            send(electionProof + [.signed(own)], to: others)
        }
    }

    private func missing(_ isThere: (Int) -> Bool) -> [NodeID] {
        rules.roster.entries.indices.filter { !isThere($0) && $0 != me }
            .map { rules.roster.entries[$0].node }
    }
}

extension StatementTable {
    /// Whether the sender at this place has spoken in this view.
    func has(_ index: Int, in view: UInt32) -> Bool {
        matching { $0.scope.view == view }.contains { $0.index == index }
    }
}
