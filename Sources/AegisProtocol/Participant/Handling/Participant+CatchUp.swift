import AegisCore

// Those ahead and those behind (R9).
extension Participant {
    /// A peer is ahead, mostly by a moment: its statement is kept for when we get there. If we
    /// don't, we ask for what was decided.
    mutating func keepAhead(_ statement: Statement, from peer: NodeID, height: UInt64?) {
        guard let index = rules.roster.index(of: peer) else { return }
        if let height, height > agreement.height + 1 {
            return catchUp(seen: height - 1, from: [peer])
        }
        if statement.isSmall, !ahead[index].contains(statement) {
            ahead[index].append(statement)
            if ahead[index].count > ProtocolLimits.aheadPerSenderMax {
                ahead[index].removeFirst()
            }
        }
        if timers[.catchUp] == nil {
            startTimer(.catchUp, after: configuration.timing.catchUpDelay)
        }
    }

    mutating func catchUpElapsed() {
        let peers = others.filter { node in
            rules.roster.index(of: node).map { !ahead[$0].isEmpty } ?? false
        }
        guard !peers.isEmpty else { return }
        catchUp(seen: agreement.height, from: peers)
        startTimer(.catchUp, after: configuration.timing.catchUpInterval)
    }

    /// Asks for commits, at most once an interval.
    mutating func catchUp(seen height: UInt64, from peers: [NodeID]) {
        if let last = synchronisedAt,
            now < last + configuration.timing.catchUpInterval, height > agreement.height
        {
            // Asked a moment ago; the next statement that is ahead asks again.
            return
        }
        synchronisedAt = now
        observe(.catchingUp(height: chain.height, seen: height))
        perform(.synchronise(from: peers, fromHeight: agreement.height))
    }

    /// A peer at an earlier height: the last commit tells it where we are.
    mutating func help(_ peer: NodeID) {
        guard let tip, mayHelp(peer) else { return }
        send([.commit(tip)], to: [peer])
    }

    /// A peer in an earlier view of this height: why we are in ours.
    mutating func helpToView(_ peer: NodeID) {
        guard !electionProof.isEmpty, mayHelp(peer) else { return }
        send(electionProof, to: [peer])
    }

    private mutating func mayHelp(_ peer: NodeID) -> Bool {
        guard let index = rules.roster.index(of: peer), index != me,
            !rules.breaches.contains(.stragglersIgnored)
        else { return false }
        if let last = helpedAt[index], now < last + configuration.timing.helpInterval {
            return false
        }
        helpedAt[index] = now
        return true
    }
}

extension Statement {
    /// Whether it is small enough to be kept for a peer that is ahead.
    fileprivate var isSmall: Bool {
        switch self {
        case .signed(let envelope): envelope.bytes.count <= ProtocolLimits.aheadBytesMax
        case .voteCertificate, .timeoutCertificate, .commit, .hello, .helloReply, .evidence: false
        }
    }
}
