import AegisCore

extension Participant {
    mutating func received(_ statement: Statement, from peer: NodeID) {
        guard isStarted else { return }
        setReachable(true, peer)
        do throws(Refusal) { try take(statement, from: peer) } catch {
            observe(.refused(from: peer, error))
        }
    }

    private mutating func take(_ statement: Statement, from peer: NodeID) throws(Refusal) {
        switch statement {
        case .signed(let envelope): try received(envelope, statement, from: peer)
        case .voteCertificate(let certificate):
            let certified: CertifiedValue
            do { certified = try rules.verify(certificate, using: &opener) } catch {
                throw .certificate(error)
            }
            guard isPresent(certified.height, statement, from: peer) else { return }
            certifiedValue(certified)
        case .timeoutCertificate(let certificate):
            let election: Election
            do { election = try rules.verify(certificate, using: &opener) } catch {
                throw .certificate(error)
            }
            guard isPresent(election.height, statement, from: peer) else { return }
            elected(election)
        case .commit(let record): try received(record, from: peer)
        case .evidence(let evidence): try received(evidence)
        case .finalCertificate(let certificate): try received(certificate, from: peer)
        case .fork(let proof): try received(proof, from: peer)
        case .hello(let hello): try received(hello, from: peer)
        case .helloReply(let reply): try received(reply, from: peer)
        }
    }

    private mutating func received(
        _ envelope: SignedEnvelope, _ statement: Statement, from peer: NodeID
    ) throws(Refusal) {
        switch envelope.type {
        case .command, .joinRequest: try receivedCommand(envelope)
        case .update: try receivedUpdate(envelope, from: peer)
        case .consent: try receivedAbstention(envelope, from: peer)
        case .haveList:
            guard let list = try present(envelope, as: HaveList.self, from: peer) else { return }
            receivedList(list, from: peer)
        case .proposal:
            guard let proposal = try present(envelope, as: Proposal.self, from: peer) else {
                return
            }
            try receivedProposal(proposal, from: peer)
        case .vote1:
            guard let vote = try present(envelope, as: Vote1.self, from: peer) else { return }
            receivedVote1(vote, from: peer)
        case .vote2:
            guard let vote = try present(envelope, as: Vote2.self, from: peer) else { return }
            receivedVote2(vote, from: peer)
        case .timeout:
            guard let timeout = try present(envelope, as: Timeout.self, from: peer) else {
                return
            }
            try receivedTimeout(timeout, from: peer)
        case .coSign: try receivedCoSign(envelope, from: peer)
        case .founding, .genesisSignature, .tlsBinding, .hello, .keyConsent:
            throw .unexpected(envelope.type)
        }
    }

    /// The verified statement, where it is of the height being decided and under its roster.
    /// Earlier ones get the tip as answer; later ones are kept, and make us catch up (R9): who
    /// signed those may have joined meanwhile.
    private mutating func present<Payload: AgreementStatement>(
        _ envelope: SignedEnvelope, as type: Payload.Type, from peer: NodeID
    ) throws(Refusal) -> Placed<Payload>? {
        let statement: Payload
        do { statement = try opener.openAny(envelope, as: type) } catch { throw .envelope(error) }
        // What we said ourselves comes to us as `signed`, or from the journal.
        guard envelope.sender != configuration.node else {
            receivedOwn(envelope)
            return nil
        }
        let scope = statement.scope
        note(envelope, height: scope.height, view: scope.view)
        guard isPresent(scope.height, .signed(envelope), from: peer) else { return nil }
        do { return try opener.place(envelope, statement) } catch { throw .envelope(error) }
    }

    private mutating func isPresent(
        _ height: UInt64, _ statement: Statement, from peer: NodeID
    ) -> Bool {
        if height < agreement.height { help(peer) }
        if height > agreement.height { keepAhead(statement, from: peer, height: height) }
        return height == agreement.height
    }

    /// Our own statement counts like everybody's once it is durable.
    mutating func signed(_ slot: SigningSlot, _ envelope: SignedEnvelope) {
        guard isStarted else { return }
        do {
            switch slot {
            case .update: ownUpdate(envelope)
            case .abstention: round?.ownAbstention = envelope
            case .readiness(let height):
                if ownReadiness?.height == height { ownReadiness?.envelope = envelope }
            case .coSign: try ownCoSign(envelope)
            case .haveList:
                let list = try opener.open(envelope, as: HaveList.self)
                guard list.statement.scope == scope(agreement.view) else { return }
                agreement.ownList = (list.statement, envelope)
                receivedList(list, from: configuration.node)
            case .proposal:
                let proposal = try opener.open(envelope, as: Proposal.self)
                guard proposal.statement.scope == scope(agreement.view) else { return }
                agreement.ownProposal = envelope
                try receivedProposal(proposal, from: configuration.node)
            case .vote1:
                let vote = try opener.open(envelope, as: Vote1.self)
                guard vote.statement.scope.height == agreement.height else { return }
                agreement.ownVote1 = envelope
                receivedVote1(vote, from: configuration.node)
            case .vote2:
                let vote = try opener.open(envelope, as: Vote2.self)
                guard vote.statement.scope.height == agreement.height else { return }
                agreement.ownVote2 = envelope
                receivedVote2(vote, from: configuration.node)
            case .timeout:
                let timeout = try opener.open(envelope, as: Timeout.self)
                guard timeout.statement.scope.height == agreement.height else { return }
                agreement.ownTimeout = envelope
                try receivedTimeout(timeout, from: configuration.node)
            }
        } catch let refusal as Refusal {
            observe(.refused(from: configuration.node, refusal))
        } catch let refusal as EnvelopeRefusal {
            observe(.refused(from: configuration.node, .envelope(refusal)))
        } catch {
            preconditionFailure("no other error is thrown")
        }
    }
}
