import AegisCore

// From first votes to a certified value, from second votes to a commit.
extension Participant {
    mutating func receivedVote1(_ vote: Placed<Vote1>, from peer: NodeID) {
        if vote.statement.scope.view < agreement.view { helpToView(peer) }
        compare(vote)
        guard agreement.votes1.insert(vote) else { return }
        let votes = agreement.votes1.matching {
            $0.scope.view == vote.statement.scope.view && $0.value == vote.statement.value
        }
        guard votes.count >= rules.certificateQuorum else { return }
        let scope = vote.statement.scope
        certifiedValue(
            CertifiedValue(
                height: scope.height, view: scope.view, value: vote.statement.value,
                certificate: VoteCertificate(
                    votes: votes.prefix(rules.certificateQuorum).map(\.envelope))))
    }

    /// R4: a quorum's first votes. A certified view is real, so a node that is behind enters it.
    mutating func certifiedValue(_ certified: CertifiedValue) {
        agreement.remember(certified)
        if agreement.highest.map({ $0.view < certified.view }) ?? true {
            agreement.highest = certified
            perform(.persist(.voteCertificate(certified.certificate)))
        }
        if certified.view > agreement.view { enter(certified.view) }
        // Two certified values of one view take more traitors than the roster bears.
        guard isSigning, certified.view == agreement.view,
            agreement.highest?.named == certified.named,
            agreement.isOpen || rules.breaches.contains(.vote2AfterTimeout),
            agreement.vote2View < Int64(certified.view)
        else { return }
        if let vote1 = agreement.vote1, vote1.view == certified.view,
            vote1.value != certified.value
        {
            return
        }
        agreement.vote1 = (certified.view, certified.value)
        agreement.vote2View = Int64(certified.view)
        if rules.breaches.contains(.coSignUndecided),
            finality.last.map({ $0.height < agreement.height }) ?? true
        {
            coSign(agreement.height, certified.value, under: rules)
        }
        retransmissions = 0
        sign(
            .vote2(height: agreement.height, view: certified.view),
            Vote2(scope: scope(certified.view), value: certified.value).payload, to: others)
    }

    /// R5: a quorum's second votes, of whatever view, decide.
    mutating func receivedVote2(_ vote: Placed<Vote2>, from peer: NodeID) {
        if vote.statement.scope.view < agreement.view { helpToView(peer) }
        compare(vote)
        guard agreement.votes2.insert(vote), agreement.decided == nil else { return }
        let votes = agreement.votes2.matching {
            $0.scope.view == vote.statement.scope.view && $0.value == vote.statement.value
        }
        guard votes.count >= rules.quorum else { return }
        agreement.decided = (
            vote.statement.value, Array(votes.prefix(rules.quorum))
        )
        commitDecided()
    }

    mutating func commitDecided() {
        guard let decided = agreement.decided else { return }
        guard let value = agreement.value(decided.value) else {
            return askForDecidedValue()
        }
        let record = CommitRecord(
            header: value.headerBytes, body: value.plan.body,
            certificate: decided.votes.map(\.envelope))
        let commit: Commit
        do { commit = try rules.verify(record, extending: chain, using: &opener) } catch {
            // The value was checked when it came, the votes too.
            preconditionFailure("a checked value with a quorum's votes is no commit: \(error)")
        }
        committed(commit, isFetched: false)
    }

    /// Those whose votes decided, or heard of it, have the value.
    mutating func askForDecidedValue() {
        guard let decided = agreement.decided, agreement.value(decided.value) == nil else {
            return
        }
        let voters = decided.votes.map(\.envelope.sender).filter { $0 != configuration.node }
        ask(voters + others.filter { !voters.contains($0) }, from: agreement.height)
    }
}
