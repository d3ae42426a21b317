import AegisCore

extension Participant {
    /// A commit that a peer sent: the next one is taken, a later one makes us ask for those
    /// between.
    mutating func received(_ record: CommitRecord, from peer: NodeID) throws(Refusal) {
        let header: Header
        do { header = try rules.decodeHeader(of: record) } catch { throw .commit(error) }
        if header.height > chain.height + 1 {
            return catchUp(seen: header.height, from: [peer])
        }
        if header.height < chain.height { return }
        do {
            if header.height == chain.height {
                guard rules.cryptography.digest(record.header) != chain.tip else { return }
                let rules = previousRules ?? rules
                opener.adopt(rules)
                defer { opener.adopt(self.rules) }
                _ = try rules.verifyCertificate(
                    of: record, height: header.height, using: &opener)
                return forked(at: header.height)
            }
            let commit = try rules.verify(record, extending: chain, using: &opener)
            committed(commit, isFetched: true)
        } catch {
            throw .commit(error)
        }
    }

    /// Two certificates of one height: more traitors than the roster bears. Operators decide.
    private mutating func forked(at height: UInt64) {
        observe(.forked(height: height))
        for timer in TimerID.allCases { cancelTimer(timer) }
        isHalted = true
    }

    /// R1, R5: durable first, then the next height.
    mutating func committed(_ commit: Commit, isFetched: Bool) {
        let before = chain
        cancelTimer(.view)
        cancelTimer(.retransmission)
        cancelTimer(.catchUp)
        perform(.apply(commit.record, commit.state))
        chain = commit.state
        tip = commit.record
        heardHeight = max(heardHeight, chain.height)
        announce(commit, after: before)
        adoptRoster(after: before)
        agreement = Agreement(
            height: chain.height + 1, participants: rules.roster.count)
        retransmissions = 0
        let isNewcomer = me != nil && !before.roster.contains(configuration.node)
        if isNewcomer { greet() }
        // Whoever came since may answer, too.
        if greeting != nil, rules.rosterDigest != before.rosterDigest { sayHello() }
        dropDecidedEvidence()
        resetCommands()
        // Until now this node may have been silent.
        let isFirst = abstainsThrough > 0 && abstainsThrough == before.height + 1
        tellAssociates(commit.record, of: before.roster)
        enterRound(isBehindPossible: isFetched || isFirst || isNewcomer)
        replayAhead()
    }

    private mutating func announce(_ commit: Commit, after before: ChainState) {
        let header = commit.header
        observe(
            .committed(
                height: header.height, header.kind, header.run, round: header.round,
                view: commit.view))
        for node in commit.state.convicted where !before.convicted.contains(node) {
            observe(.convicted(node))
        }
        for finished in commit.state.finished where finished.endedAt == header.height {
            observe(.runEnded(finished.run, finished.outcome))
        }
        if let run = commit.state.active, run.startedAt == header.height {
            observe(.runStarted(run.specification.run, name: run.specification.name))
        }
    }

    /// What peers said of this height before we were here.
    private mutating func replayAhead() {
        let kept = ahead
        ahead = [:]
        for node in kept.keys.sorted() {
            for statement in kept[node] ?? [] { received(statement, from: node) }
        }
    }
}
