import AegisCore

// Updates of the round: training our own, fetching the others'.
extension Participant {
    /// Starts on the chain's round, unless it is the one we are at already.
    mutating func enterRound(isBehindPossible: Bool) {
        guard let run = chain.active, me != nil else { return leaveRound() }
        if var current = round, current.isOf(run) {
            guard current.skips != run.skips else { return }
            // Attempted again: the same updates, new deadlines.
            current.skips = run.skips
            current.startedAt = now
            current.isSoftPassed = false
            current.isHardPassed = false
            current.cutOff = nil
            round = current
            return startDeadlines(current.specification)
        }
        if round?.training == .underWay { perform(.cancelTraining) }
        round = RoundProgress(run, participants: rules.roster.count, at: now)
        startDeadlines(run.specification)
        guard isBehindPossible else { return train() }
        startTimer(.training, after: configuration.timing.trainingDelay)
    }

    mutating func leaveRound() {
        if round?.training == .underWay { perform(.cancelTraining) }
        round = nil
        cancelTimer(.softDeadline)
        cancelTimer(.hardDeadline)
        cancelTimer(.training)
    }

    mutating func startDeadlines(_ specification: RunSpecification) {
        let deadlines = specification.deadlines
        let soft = chain.softMilliseconds ?? deadlines.softMilliseconds
        startTimer(.softDeadline, after: .milliseconds(soft))
        startTimer(.hardDeadline, after: .milliseconds(deadlines.hardMilliseconds))
    }

    mutating func train() {
        cancelTimer(.training)
        guard isSigning, let current = round, current.training == .deferred else { return }
        round?.training = .underWay
        observe(.roundStarted(current.specification.run, round: current.round))
        perform(
            .train(
                TrainingRequest(
                    specification: current.specification, round: current.round,
                    base: current.base, holders: modelHolders)))
    }

    /// Who has the model of the last commit: those who voted for it first.
    var modelHolders: [NodeID] {
        let voters = tip?.certificate.map(\.sender).filter { $0 != configuration.node } ?? []
        return voters + others.filter { !voters.contains($0) }
    }

    mutating func trained(_ draft: UpdateDraft) {
        guard let current = round, draft.run == current.specification.run,
            draft.round == current.round, draft.base == current.base, isSigning,
            current.training == .underWay || current.training == .deferred
        else { return }
        round?.training = .released
        let statement = UpdateStatement(
            mesh: rules.mesh, node: configuration.node, specification: current.specification,
            round: current.round, base: current.base, draft: draft)
        sign(
            .update(current.specification.run, round: current.round), statement.payload,
            to: others)
    }

    mutating func abstained(_ run: RunID, round number: Int, reason: String) {
        guard var current = round, current.specification.run == run, current.round == number,
            isSigning, current.training == .underWay || current.training == .deferred
        else { return }
        current.training = .abstained
        if let me { current.hasAbstained[me] = true }
        round = current
        let reason = String(decoding: reason.utf8.prefix(128), as: UTF8.self)
        let statement = AbstentionStatement(
            mesh: rules.mesh, run: run, round: number, node: configuration.node, reason: reason)
        sign(.abstention(run, round: number), statement.payload, to: others)
    }

    /// Our update is signed; its blob was durable before we heard of it.
    mutating func ownUpdate(_ envelope: SignedEnvelope) {
        guard var current = round, let me,
            let statement = try? opener.open(
                envelope, as: .update, UpdateStatement.init(payload:)
            ).payload,
            statement.run == current.specification.run, statement.round == current.round,
            statement.base == current.base, current.ownUpdate == nil
        else { return }
        current.ownUpdate = envelope
        current.training = .released
        current.lastHeldAt = now
        current.updates[me] = [
            KnownUpdate(
                digest: rules.cryptography.digest(envelope.bytes), envelope: envelope,
                statement: statement, state: .held, holders: [configuration.node])
        ]
        round = current
    }

    mutating func receivedUpdate(
        _ envelope: SignedEnvelope, from peer: NodeID
    ) throws(Refusal) {
        guard let index = rules.roster.index(of: envelope.sender) else {
            throw .envelope(.notAParticipant(envelope.sender))
        }
        let statement: UpdateStatement
        do {
            statement = try opener.open(envelope, as: .update, UpdateStatement.init(payload:))
                .payload
        } catch { throw .envelope(error) }
        guard statement.mesh == rules.mesh else { throw .envelope(.foreignMesh) }
        guard statement.node == envelope.sender else {
            throw .update(.signerIsNot(statement.node))
        }
        if let current = round, current.specification.run == statement.run,
            statement.round + 1 < current.round
        {
            // The round before may just be late; an older one is a replay, or a long absence.
            help(peer)
            throw .update(.pastRound(statement.round))
        }
        guard index != me,
            try isOfThisRound(
                statement.run, statement.round, .signed(envelope), from: peer)
        else { return noteLate(statement) }
        try take(envelope, statement, at: index, from: peer)
    }

    private mutating func take(
        _ envelope: SignedEnvelope, _ statement: UpdateStatement, at index: Int,
        from peer: NodeID
    ) throws(Refusal) {
        guard var current = round else { return }
        let digest = rules.cryptography.digest(envelope.bytes)
        if current.update(digest) != nil { return addHolder(peer, of: digest) }
        guard statement.base == current.base else { throw .update(.wrongBase) }
        guard statement.expiresAt > chain.committedTime else { throw .update(.expired) }
        guard statement.follows(current.specification) else { throw .update(.notAsDeclared) }
        let known = current.updates[index].count
        guard known < ProtocolLimits.updatesPerSenderMax else { throw .tooMany }
        let giver = envelope.sender
        current.updates[index].append(
            KnownUpdate(
                digest: digest, envelope: envelope, statement: statement, state: .fetching,
                holders: peer == giver || peer == configuration.node ? [giver] : [giver, peer]))
        round = current
        fetch(digest)
        // The giver's doing, whoever brought it here.
        guard known > 0 else { return }
        observe(.refused(from: giver, .update(.second)))
        if let first = current.updates[index].first { accuse(first.envelope, envelope) }
    }

    /// Whether it is of the round being worked on; a straggler is helped, one ahead is kept.
    private mutating func isOfThisRound(
        _ run: RunID, _ number: Int, _ statement: Statement, from peer: NodeID
    ) throws(Refusal) -> Bool {
        if chain.finished.contains(where: { $0.run == run }) {
            help(peer)
            return false
        }
        guard let current = round, current.specification.run == run else {
            keepAhead(statement, from: peer, height: nil)
            return false
        }
        if number < current.round { help(peer) }
        if number > current.round { keepAhead(statement, from: peer, height: nil) }
        return number == current.round
    }

    /// Its round was decided without it: said once.
    private mutating func noteLate(_ statement: UpdateStatement) {
        guard let last = lastDecided, last.run == statement.run, last.round == statement.round,
            last.missing.contains(statement.node)
        else { return }
        lastDecided?.missing.removeAll { $0 == statement.node }
        observe(.updateLate(statement.node, statement.run, round: statement.round))
    }

    func fetchRequest(_ update: KnownUpdate, _ current: RoundProgress) -> FetchRequest {
        FetchRequest(
            update: update.digest, statement: update.statement,
            specification: current.specification, from: update.holders)
    }

    mutating func fetch(_ digest: Digest) {
        guard let current = round, let update = current.update(digest),
            update.state == .fetching
        else { return }
        perform(.fetch(fetchRequest(update, current)))
    }

    /// A peer shows that it knows of an update that we are still after.
    mutating func addHolder(_ node: NodeID, of digest: Digest) {
        guard node != configuration.node, rules.roster.contains(node),
            let update = round?.update(digest), update.state == .fetching,
            !update.holders.contains(node)
        else { return }
        round?.change(digest) { $0.holders.append(node) }
        fetch(digest)
    }

    mutating func held(_ digest: Digest) {
        guard let current = round, let update = current.update(digest),
            update.state == .fetching
        else { return }
        round?.change(digest) { $0.state = .held }
        round?.lastHeldAt = now
        observe(
            .updateHeld(update.statement.node, current.specification.run, round: current.round))
    }

    mutating func refused(_ digest: Digest, reason: String) {
        guard let update = round?.update(digest), update.state == .fetching else { return }
        round?.change(digest) { $0.state = .refused }
        observe(.refused(from: update.statement.node, .update(.content(reason))))
    }

    mutating func receivedAbstention(
        _ envelope: SignedEnvelope, from peer: NodeID
    ) throws(Refusal) {
        guard let index = rules.roster.index(of: envelope.sender) else {
            throw .envelope(.notAParticipant(envelope.sender))
        }
        let statement: AbstentionStatement
        do {
            statement = try opener.open(
                envelope, as: .consent, AbstentionStatement.init(payload:)
            ).payload
        } catch { throw .envelope(error) }
        guard statement.mesh == rules.mesh else { throw .envelope(.foreignMesh) }
        guard statement.node == envelope.sender else {
            throw .update(.signerIsNot(statement.node))
        }
        guard index != me,
            try isOfThisRound(statement.run, statement.round, .signed(envelope), from: peer),
            round?.hasAbstained[index] == false
        else { return }
        round?.hasAbstained[index] = true
        observe(
            .peerAbstained(
                envelope.sender, statement.run, round: statement.round,
                reason: statement.reason))
    }
}
