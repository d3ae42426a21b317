import AegisCore

// Co-signing what is decided, and knowing what is final (PROTOCOL.md §2.8).
extension Participant {
    /// After a commit: `old` is the agreement that it ends, under `rules` still.
    mutating func openFinality(of commit: Commit, after old: Agreement) {
        finality.add(
            UnfinishedHeight(
                height: commit.header.height, value: commit.digest, rules: rules,
                record: commit.record, transcript: old.transcript))
    }

    /// Signs once for the tip, when it may sign and doesn't know that it is behind.
    mutating func considerCoSigning() {
        // Mostly it has done so already.
        guard me != nil, greeting == nil, chain.height > 0,
            finality.last.map({ $0.height < chain.height }) ?? true
                || rules.breaches.contains(.coSignUnlinked),
            let top = finality.top, top.height == chain.height, top.height > abstainsThrough,
            top.rules.roster.contains(configuration.node),
            finality.last.map({ isFree(top, after: $0) }) ?? true,
            !isFetchedTip || chain.height >= heardHeight
        else { return }
        coSign(top.height, top.value, under: top.rules)
    }

    private func isFree(
        _ top: UnfinishedHeight, after last: (height: UInt64, value: Digest)
    ) -> Bool {
        last.height < top.height
            || rules.breaches.contains(.coSignUnlinked) && last.value != top.value
    }

    mutating func coSign(_ height: UInt64, _ value: Digest, under rules: MeshRules) {
        finality.last = (height, value)
        let statement = CoSign(scope: rules.scope(height: height, view: 0), value: value)
        sign(.coSign(height: height), statement.payload, to: coSigners(under: rules))
    }

    /// Who may co-sign the height, and who follows.
    private func coSigners(under old: MeshRules) -> [NodeID] {
        guard old.rosterDigest != rules.rosterDigest else { return others }
        let left = old.roster.nodes.filter { !rules.roster.contains($0) }
        return others + left.filter { $0 != configuration.node }
    }

    /// Ours, durable now.
    mutating func ownCoSign(_ envelope: SignedEnvelope) throws(EnvelopeRefusal) {
        let statement = try opener.openAny(envelope, as: CoSign.self)
        guard let index = finality.index(of: statement.scope.height) else { return }
        let placed = try opener.place(envelope, statement, under: finality.heights[index].rules)
        guard statement.value == finality.heights[index].value else { return }
        if index == finality.heights.count - 1 { finality.own = envelope }
        _ = finality.change(index) { $0.insert(placed) }
        considerFinal(index)
    }

    /// `isAnswered` where its signer said it again, because it lacks an answer.
    mutating func receivedCoSign(
        _ envelope: SignedEnvelope, from peer: NodeID, isAnswered: Bool = true
    ) throws(Refusal) {
        let statement: CoSign
        do { statement = try opener.openAny(envelope, as: CoSign.self) } catch {
            throw .envelope(error)
        }
        guard envelope.sender != configuration.node else { return receivedOwn(envelope) }
        let height = statement.scope.height
        // Its signer has this height already.
        guard height <= chain.height else {
            return keepAhead(.signed(envelope), from: peer, height: height + 1)
        }
        guard let index = finality.index(of: height) else { return }
        let placed: Placed<CoSign>
        do {
            placed = try opener.place(
                envelope, statement, under: finality.heights[index].rules)
        } catch { throw .envelope(error) }
        note(envelope, height: height, view: 0)
        guard statement.value == finality.heights[index].value else {
            return contradicted(placed, at: index, by: peer)
        }
        if let other = finality.heights[index].contrary.first(where: { $0.index == placed.index }) {
            accuse(other.envelope, envelope)
        }
        if finality.change(index, { $0.insert(placed) }) {
            considerFinal(index)
        } else if isAnswered, peer == envelope.sender {
            answerFinality(peer)
        }
    }

    /// So many co-signatures, or what a peer has of them yet.
    mutating func received(
        _ certificate: FinalCertificate, from peer: NodeID
    ) throws(Refusal) {
        for envelope in certificate.coSigns {
            guard envelope.type == .coSign else { throw .unexpected(envelope.type) }
            guard envelope.sender != configuration.node else { continue }
            try receivedCoSign(envelope, from: peer, isAnswered: false)
        }
    }

    /// What there is of co-signatures, of the tip where there are any.
    var finalityNews: [Statement] {
        if let top = finality.top, finality.finalHeight < top.height {
            let known = top.coSigned
            return known.coSigns.isEmpty ? [] : [.finalCertificate(known)]
        }
        return finality.final.map { [.finalCertificate($0.certificate)] } ?? []
    }

    /// The highest height that this node knows to be final.
    package var finalHeight: UInt64 { finality.finalHeight }

    /// Whether this node co-signs its last height, or will.
    package var isCoSigning: Bool {
        me != nil && chain.height > abstainsThrough && !isHalted
            && finality.top?.rules.roster.contains(configuration.node) ?? false
    }

    private mutating func answerFinality(_ peer: NodeID) {
        guard mayHelp(peer) else { return }
        send(finalityNews, to: [peer])
    }

    /// Our own co-signature may have been the last that was missing: it always is where n = 1.
    mutating func considerRestoredFinality() {
        if !finality.heights.isEmpty { considerFinal(finality.heights.count - 1) }
    }

    private mutating func considerFinal(_ index: Int) {
        let height = finality.heights[index]
        guard let certificate = height.certificate else { return }
        let new = height.finality
        perform(.keep(certificate, new))
        guard new.height >= finality.finalHeight else { return }
        let isFirst = new.height > finality.finalHeight
        finality.final = (new, certificate)
        guard isFirst else { return }
        observe(.finalised(new))
        tellAssociates(.finalCertificate(certificate), of: rules.roster)
    }

    /// A participant co-signed another header than the one decided here: it lies, or the chain has
    /// forked. Whoever says so is asked for its commit.
    private mutating func contradicted(
        _ placed: Placed<CoSign>, at index: Int, by peer: NodeID
    ) {
        let height = finality.heights[index]
        if let other = height.coSign(of: placed.index) {
            accuse(other.envelope, placed.envelope)
        }
        finality.change(index) { $0.insertContrary(placed) }
        askForOther(height.height, from: [placed.envelope.sender, peer])
    }

    /// Asks for what others have decided where this node has decided too.
    mutating func askForOther(_ height: UInt64, from peers: [NodeID]) {
        if let last = finality.askedAt, now < last + configuration.timing.forkInterval { return }
        finality.askedAt = now
        ask(peers.filter { $0 != configuration.node }, from: height)
    }
}

extension Agreement {
    /// What others and this node signed at the height, for as long as it may prove something.
    var transcript: [SignedEnvelope] {
        votes1.envelopes + votes2.envelopes + timeouts.envelopes
    }
}
