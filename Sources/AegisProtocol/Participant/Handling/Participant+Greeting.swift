import AegisCore

// Hello, and abstaining after a rollback (§2.11).
extension Participant {
    /// Whether this node may sign: it has heard what the others saw of it, and nothing was
    /// forgotten, or so long ago that no vote of then can meet one of now.
    var isSigning: Bool {
        isStarted && me != nil && greeting == nil && agreement.height > abstainsThrough
    }

    mutating func greet() {
        nonce = random.next() ^ wallTime
        guard !rules.breaches.contains(.forgettingIgnored) else { return }
        // Whoever co-signed a height that its disk doesn't have lost what came with it, too.
        let isAhead =
            (finality.last?.height ?? 0) > chain.height
            && !rules.breaches.contains(.coSignUnlinked)
        greeting = Greeting(isForgetful: isJournalLost || isAhead)
        considerGreeting()
    }

    /// To those who haven't answered; while abstaining to all, to hear where the mesh is.
    mutating func sayHello(toAll: Bool = false) {
        let hello = ownHello
        // Associates ask by themselves; but where all whom they know are gone, they must be told.
        let asked = toAll ? rules.roster.members.map(\.node) : others
        send([.hello(hello)], to: asked.filter { greeting?.heights[$0] == nil })
    }

    private var ownHello: Hello {
        Hello(
            mesh: rules.mesh, nonce: nonce, height: chain.height, final: finality.finalHeight,
            tip: chain.tip)
    }

    mutating func received(_ hello: Hello, from peer: NodeID) throws(Refusal) {
        guard hello.mesh == rules.mesh else { throw .envelope(.foreignMesh) }
        guard peer != configuration.node, peer != rules.admin else {
            throw .envelope(.notAParticipant(peer))
        }
        guard mayAnswer(peer, configuration.timing.greetingInterval, \.greetedAt) else { return }
        if hello.height > chain.height, !rules.breaches.contains(.stragglersIgnored) {
            catchUp(seen: hello.height, from: [peer])
        }
        if hello.tip != .zero, let decided = finality[hello.height], decided.value != hello.tip {
            askForOther(hello.height, from: [peer])
        }
        let reply = HelloReply(
            mesh: rules.mesh, nonce: hello.nonce, height: chain.height,
            lastSeen: lastSeen[peer]?.envelope)
        // It has just started, so it can't have heard us before.
        let isUnanswered =
            rules.roster.contains(peer) && greeting.map { $0.heights[peer] == nil } ?? false
        send(
            [.helloReply(reply)] + (isUnanswered ? [.hello(ownHello)] : [])
                + (hello.final < chain.height ? finalityNews : []), to: [peer])
    }

    mutating func received(_ reply: HelloReply, from peer: NodeID) throws(Refusal) {
        guard reply.mesh == rules.mesh else { throw .envelope(.foreignMesh) }
        guard reply.nonce == nonce, peer != configuration.node, rules.roster.contains(peer) else {
            return
        }
        heardHeight = max(heardHeight, min(reply.height, chain.height + 1))
        if reply.height > chain.height { catchUp(seen: reply.height, from: [peer]) }
        guard greeting != nil else { return }
        greeting?.heights[peer] = reply.height
        if let envelope = reply.lastSeen, envelope.sender == configuration.node,
            isForgotten(envelope)
        {
            greeting?.isForgetful = true
        }
        considerGreeting()
    }

    /// Whoever came since may answer, too; and where others left, fewer answers are enough.
    mutating func greetNewRoster() {
        guard greeting != nil else { return }
        greeting?.keep(rules.roster)
        sayHello()
        considerGreeting()
    }

    /// With a quorum's knowledge, its own included, this node knows where it stands.
    private mutating func considerGreeting() {
        guard let greeting, greeting.answers + (me == nil ? 0 : 1) >= rules.quorum else { return }
        self.greeting = nil
        let tip = greeting.highest ?? chain.height
        if greeting.isForgetful { abstain(through: tip) }
        resume(isBehind: tip > chain.height)
    }

    /// Signs nothing up to two heights after `tip`: whoever voted at k had committed k − 1, so
    /// among any quorum somebody had k − 2 (§2.11).
    private mutating func abstain(through tip: UInt64) {
        let height = max(tip, chain.height, finality.last?.height ?? 0) + 2
        guard height > abstainsThrough else { return }
        abstainsThrough = height
        perform(.persist(.silence(through: height)))
        observe(.silenced(through: height))
        if round?.training == .underWay {
            perform(.cancelTraining)
            round?.training = .deferred
        }
        cancelTimer(.view)
        cancelTimer(.training)
    }

    /// What would have been signed meanwhile, if it still matters.
    private mutating func resume(isBehind: Bool) {
        guard isSigning else { return }
        if let highest = agreement.highest, highest.view == agreement.view {
            certifiedValue(highest)
        }
        amplify()
        // Training costs budget: not for a round that is decided elsewhere.
        guard isBehind else { return train() }
        if round?.training == .deferred {
            startTimer(.training, after: configuration.timing.trainingDelay)
        }
    }

    /// Something that binds a peer, for when it asks.
    mutating func note(
        _ envelope: SignedEnvelope, height: UInt64, view: UInt32
    ) {
        let rank: Int
        switch envelope.type {
        case .vote1: rank = 1
        case .vote2: rank = 2
        case .timeout: rank = 3
        case .coSign: rank = 4
        default: return
        }
        let seen = SeenStatement(height: height, view: view, rank: rank, envelope: envelope)
        guard rules.roster.member(envelope.sender) != nil,
            lastSeen[envelope.sender].map({ $0.precedes(seen) }) ?? true
        else { return }
        lastSeen[envelope.sender] = seen
    }

    /// Our own key's statement comes from elsewhere: a peer that passes it on, or a copy of this
    /// node. One that the journal doesn't have silences us.
    mutating func receivedOwn(_ envelope: SignedEnvelope) {
        guard !rules.breaches.contains(.forgettingIgnored), isForgotten(envelope) else { return }
        greeting?.isForgetful = true
        guard greeting == nil else { return }
        abstain(through: chain.height)
    }

    /// Whether this node signed it, and its journal says that it never did.
    private mutating func isForgotten(_ envelope: SignedEnvelope) -> Bool {
        switch envelope.type {
        case .vote1:
            guard let vote = try? opener.openAny(envelope, as: Vote1.self) else { return false }
            return isUnknown(
                vote.scope, at: agreement.vote1.map { Int64($0.view) } ?? -1,
                envelope, agreement.ownVote1)
        case .vote2:
            guard let vote = try? opener.openAny(envelope, as: Vote2.self) else { return false }
            return isUnknown(
                vote.scope, at: agreement.vote2View, envelope, agreement.ownVote2)
        case .timeout:
            guard let timeout = try? opener.openAny(envelope, as: Timeout.self) else {
                return false
            }
            return isUnknown(
                timeout.scope, at: agreement.timeoutView, envelope,
                agreement.ownTimeout)
        case .coSign:
            guard let coSign = try? opener.openAny(envelope, as: CoSign.self) else { return false }
            return isForgotten(coSign)
        default: return false
        }
    }

    /// Its commit was durable before it: one that our chain doesn't have was forgotten.
    private func isForgotten(_ coSign: CoSign) -> Bool {
        let height = coSign.scope.height
        if let last = finality.last, last.height == height { return last.value != coSign.value }
        guard height <= chain.height else { return true }
        return chain.recentTip(height).map { $0 != coSign.value } ?? false
    }

    private func isUnknown(
        _ scope: StatementScope, at view: Int64, _ envelope: SignedEnvelope,
        _ own: SignedEnvelope?
    ) -> Bool {
        guard scope.height == agreement.height else { return scope.height > agreement.height }
        guard Int64(scope.view) == view, let own else { return Int64(scope.view) > view }
        // Signed, and on its way back from the journal: not known yet, but not forgotten.
        return own.bytes != envelope.bytes && isOfView(own, scope.view)
    }

    private func isOfView(_ own: SignedEnvelope, _ view: UInt32) -> Bool {
        var opener = opener
        let scope =
            (try? opener.open(own, as: Vote1.self))?.statement.scope
            ?? (try? opener.open(own, as: Vote2.self))?.statement.scope
            ?? (try? opener.open(own, as: Timeout.self))?.statement.scope
        return scope?.view == view
    }
}
