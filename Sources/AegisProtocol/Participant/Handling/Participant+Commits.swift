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
        do {
            guard header.height > chain.height else {
                return try compare(record, at: header.height)
            }
            let commit = try rules.verify(record, extending: chain, using: &opener)
            committed(commit, isFetched: true)
        } catch {
            if header.height == chain.height + 1 { compareBranch(record, header, from: peer) }
            throw .commit(error)
        }
    }

    /// R1, R5: durable first, then the next height.
    mutating func committed(_ commit: Commit, isFetched: Bool) {
        let before = chain
        guard isLinked(commit) else { return }
        cancelTimer(.view)
        cancelTimer(.retransmission)
        cancelTimer(.catchUp)
        perform(.apply(commit.record, commit.state))
        chain = commit.state
        tip = commit.record
        heardHeight = max(heardHeight, chain.height)
        announce(commit, after: before)
        openFinality(of: commit, after: agreement)
        isFetchedTip = isFetched
        adoptRoster(after: before)
        agreement = Agreement(
            height: chain.height + 1, participants: rules.roster.count)
        retransmissions = 0
        let isNewcomer = me != nil && !before.roster.contains(configuration.node)
        if isNewcomer { greet() }
        dropDecidedEvidence()
        resetCommands()
        // Until now this node may have been silent.
        let isFirst = abstainsThrough > 0 && abstainsThrough == before.height + 1
        tellAssociates(.commit(commit.record), of: before.roster)
        enterRound(isBehindPossible: isFetched || isFirst || isNewcomer)
        if rules.rosterDigest != before.rosterDigest { greetNewRoster() }
        replayAhead()
    }

    /// Whether it agrees with what this node co-signed before its disk lost commits. If not, it had
    /// another commit of this height.
    private mutating func isLinked(_ commit: Commit) -> Bool {
        guard let last = finality.last, last.height == commit.header.height,
            last.value != commit.digest, !rules.breaches.contains(.coSignUnlinked)
        else { return true }
        forkedFromOwn(commit)
        return false
    }

    private mutating func announce(_ commit: Commit, after before: ChainState) {
        let header = commit.header
        observe(
            .committed(
                height: header.height, header.kind, header.run, round: header.round,
                view: commit.view))
        if header.kind == .round { announceMissing(commit, after: before) }
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

    /// Whose update is not in the round, by name.
    private mutating func announceMissing(_ commit: Commit, after before: ChainState) {
        guard let run = commit.header.run else { return }
        var missing: [NodeID] = []
        for (index, entry) in before.roster.entries.enumerated()
        where !commit.header.included.contains(index)
            && !commit.state.convicted.contains(entry.node)
        {
            let isKnown = round?.round == commit.header.round
            guard !(isKnown && round?.hasAbstained[index] ?? false) else { continue }
            missing.append(entry.node)
            observe(.leftOut(entry.node, run, round: commit.header.round))
        }
        lastDecided = (run, commit.header.round, missing)
        for entry in before.roster.entries
        where commit.state.roster.associate(entry.node)?.standing == .learner {
            observe(.demoted(entry.node))
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
