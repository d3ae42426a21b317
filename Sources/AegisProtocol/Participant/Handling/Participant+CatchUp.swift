import AegisCore

// Those ahead and those behind (R9).
extension Participant {
    /// A peer is ahead, mostly by a moment: its statement is kept for when we get there. If we
    /// don't, we ask for what was decided.
    mutating func keepAhead(_ statement: Statement, from peer: NodeID, height: UInt64?) {
        if let height, height > agreement.height + 1 {
            return catchUp(seen: height - 1, from: [peer])
        }
        if statement.isSmall, ahead[peer]?.contains(statement) != true,
            ahead[peer] != nil || ahead.count < ProtocolLimits.strangersMax
        {
            var kept = ahead[peer] ?? []
            kept.append(statement)
            if kept.count > ProtocolLimits.aheadPerSenderMax { kept.removeFirst() }
            ahead[peer] = kept
        }
        if timers[.catchUp] == nil {
            startTimer(.catchUp, after: configuration.timing.catchUpDelay)
        }
    }

    mutating func catchUpElapsed() {
        // Whoever is ahead may have joined since.
        let peers = ahead.keys.filter { $0 != configuration.node }.sorted()
        guard !peers.isEmpty else { return }
        // Or its id is gone, with its key; or it doesn't answer.
        let rest = rules.roster.members.map(\.node).filter {
            $0 != configuration.node && !peers.contains($0)
        }
        catchUp(seen: agreement.height, from: peers + rest)
        // Who only said where they are may say so again.
        ahead = ahead.filter { !$0.value.isEmpty }
        startTimer(.catchUp, after: configuration.timing.catchUpInterval)
    }

    /// Somebody was asked a moment ago, but may be gone.
    private mutating func askNext(_ peers: [NodeID]) {
        for peer in peers where ahead.count < ProtocolLimits.strangersMax {
            ahead[peer] = ahead[peer] ?? []
        }
        if timers[.catchUp] == nil {
            startTimer(.catchUp, after: configuration.timing.catchUpInterval)
        }
    }

    /// Asks for commits, at most once an interval.
    mutating func catchUp(seen height: UInt64, from peers: [NodeID]) {
        if let last = synchronisedAt,
            now < last + configuration.timing.catchUpInterval, height > agreement.height
        {
            return askNext(peers)
        }
        synchronisedAt = now
        observe(.catchingUp(height: chain.height, seen: height))
        ask(peers, from: agreement.height)
    }

    /// Any of them comes first: whoever does may not answer, or with what is no commit.
    mutating func ask(_ peers: [NodeID], from height: UInt64) {
        guard !peers.isEmpty else { return }
        let first = Int(random.next() % UInt64(peers.count))
        perform(
            .synchronise(from: Array(peers[first...] + peers[..<first]), fromHeight: height))
    }

    /// A peer at an earlier height: the last commit tells it where we are.
    mutating func help(_ peer: NodeID) {
        guard let tip, mayHelp(peer) else { return }
        send([.commit(tip)] + finalityNews, to: [peer])
    }

    /// A peer in an earlier view of this height: why we are in ours.
    mutating func helpToView(_ peer: NodeID) {
        guard !electionProof.isEmpty, mayHelp(peer) else { return }
        send(electionProof, to: [peer])
    }

    mutating func mayHelp(_ peer: NodeID) -> Bool {
        guard peer != configuration.node, !rules.breaches.contains(.stragglersIgnored) else {
            return false
        }
        return mayAnswer(peer, configuration.timing.helpInterval, \.helpedAt)
    }

    /// At most once an interval, and not more strangers than a limit: who was evicted may still ask
    /// what happened.
    mutating func mayAnswer(
        _ peer: NodeID, _ interval: Duration,
        _ answered: WritableKeyPath<Participant, [NodeID: Instant]>
    ) -> Bool {
        if let last = self[keyPath: answered][peer] {
            guard now >= last + interval else { return false }
        } else if self[keyPath: answered].count >= ProtocolLimits.strangersMax {
            let limit = now
            self[keyPath: answered] = self[keyPath: answered].filter { limit < $0.value + interval }
            guard self[keyPath: answered].count < ProtocolLimits.strangersMax else { return false }
        }
        self[keyPath: answered][peer] = now
        return true
    }
}

extension Statement {
    /// Whether it is small enough to be kept for a peer that is ahead.
    fileprivate var isSmall: Bool {
        switch self {
        case .signed(let envelope): envelope.bytes.count <= ProtocolLimits.aheadBytesMax
        case .voteCertificate, .timeoutCertificate, .commit, .hello, .helloReply, .evidence,
            .finalCertificate, .fork:
            false
        }
    }
}
