import AegisCore
import AegisProtocol

// What traitors do. They run the same core as everybody and lie about it; they know everything that
// reaches them, sign whatever they like with their own key, and never stop.
extension Simulation {
    /// Whether a traitor seizes this occasion. Not over when the network heals.
    mutating func attacks(_ chance: Int, at node: Int) -> Bool {
        guard chance > 0, random[.traitor].below(1_000) < chance else { return false }
        return isKept(.attack, at: node)
    }

    /// On everything that an honest node says to a traitor.
    mutating func attack(seeing statement: Statement, from sender: NodeID, at node: Int) {
        guard nodes[node].isTraitor, nodes[node].isUp,
            !nodes.contains(where: { $0.id == sender && $0.isByzantine })
        else { return }
        nodes[node].traitor?.see(statement)
        guard let traitor = nodes[node].traitor, traitor.height > 0 else { return }
        if attacks(options.doubleVote, at: node) { voteForEverything(traitor, at: node) }
        if attacks(options.lyingTimeout, at: node) { giveUpWithoutReason(traitor, at: node) }
        if attacks(options.hiddenCertificate, at: node) { hideCertificate(traitor, at: node) }
        if attacks(options.equivocation, at: node) { proposeAnother(traitor, at: node) }
        if attacks(options.forgery, at: node) { forge(statement, at: node) }
        if attacks(options.replay, at: node), let old = traitor.past.first {
            say(old, to: [random[.traitor].below(nodes.count)], at: node)
        }
        if attacks(options.garbage, at: node) { babble(statement, at: node) }
        pester(traitor, seeing: statement, at: node)
    }

    private mutating func say(_ statement: Statement, to peers: [Int], at node: Int) {
        for peer in peers where peer != node { send([statement], from: node, to: nodes[peer].id) }
    }

    private func sign(
        _ type: StatementType, _ payload: [UInt8], at node: Int
    ) -> Statement {
        .signed(cryptography.sign(type, from: nodes[node].id, payload: payload))
    }

    /// First and second votes for any value there is, another one for each peer.
    private mutating func voteForEverything(_ traitor: Traitor, at node: Int) {
        guard !traitor.values.isEmpty else { return }
        for peer in nodes.indices where peer != node {
            let known = traitor.values[random[.traitor].below(traitor.values.count)]
            let view = random[.traitor].chance(700) ? known.view : traitor.view
            let scope = traitor.scope(view)
            let value = random[.traitor].chance(900) ? known.value : Digest.zero
            let vote1 = Vote1(scope: scope, value: value, proposal: known.proposal)
            let vote2 = Vote2(scope: scope, value: value)
            say(sign(.vote1, vote1.payload, at: node), to: [peer], at: node)
            say(sign(.vote2, vote2.payload, at: node), to: [peer], at: node)
        }
    }

    /// A timeout of the present view, or of one far off, that names no certificate.
    private mutating func giveUpWithoutReason(_ traitor: Traitor, at node: Int) {
        let ahead = random[.traitor].chance(50) ? 1_000_000 : random[.traitor].below(3)
        let timeout = Timeout(scope: traitor.scope(traitor.view + UInt32(ahead)), highest: nil)
        say(sign(.timeout, timeout.payload, at: node), to: Array(nodes.indices), at: node)
    }

    /// Elected, it proposes another value than what is certified, with those timeouts that say
    /// least of it.
    private mutating func hideCertificate(_ traitor: Traitor, at node: Int) {
        let state = checker.chain.last?.state ?? rules.initialState
        let (rules, convicted) = (rules.at(state), state.convicted)
        for view in Set([traitor.view, max(traitor.view, 1) - 1]).sorted()
        where rules.coordinator(
            height: traitor.height, view: view + 1, convicted: convicted) == traitor.id
        {
            let all = traitor.timeouts(of: view)
            let count = rules.roster.quorum - random[.traitor].below(2)
            guard all.count >= count, count > 0 else { continue }
            let chosen = Array(all.prefix(count))
            let named = chosen.compactMap(\.highest).max { $0.view < $1.view }
            let election = TimeoutCertificate(
                timeouts: chosen.map(\.1), highest: named.flatMap(traitor.certificate))
            for peer in nodes.indices where !traitor.proposals.isEmpty {
                let other = traitor.proposals[random[.traitor].below(traitor.proposals.count)]
                let proposal = Proposal(
                    scope: traitor.scope(view + 1), header: other.header, body: other.body,
                    justification: election)
                say(sign(.proposal, proposal.payload, at: node), to: [peer], at: node)
            }
        }
    }

    /// Proposals that are none of its business, or that are another's.
    private mutating func proposeAnother(_ traitor: Traitor, at node: Int) {
        guard let other = traitor.proposals.randomElement(using: &random[.traitor]) else { return }
        let isBare = other.justification == nil
        let proposal = Proposal(
            scope: isBare ? traitor.scope(0) : other.scope, header: other.header,
            body: other.body, justification: other.justification)
        let altered = self.altered(proposal, at: node) ?? proposal
        for peer in nodes.indices where peer != node {
            let said = random[.traitor].chance(500) ? proposal : altered
            say(sign(.proposal, said.payload, at: node), to: [peer], at: node)
        }
    }

    /// In the name of another: the signature can't be right.
    private mutating func forge(_ statement: Statement, at node: Int) {
        guard case .signed(let envelope) = statement else { return }
        var signature = envelope.signature
        signature[random[.traitor].below(signature.count)] ^= 1
        let forged = SignedEnvelope(
            envelope.type, from: envelope.sender, payload: envelope.unverifiedPayload
        ) { _ in signature }
        say(.signed(forged), to: Array(nodes.indices), at: node)
    }

    /// Bytes that are almost a statement. What a peer can decode at all, it gets.
    private mutating func babble(_ statement: Statement, at node: Int) {
        var bytes = statement.encoded
        for _ in 0...random[.traitor].below(4) {
            bytes[random[.traitor].below(bytes.count)] = UInt8(
                truncatingIfNeeded: random[.traitor].next())
        }
        if random[.traitor].chance(300) {
            bytes = Array(bytes.prefix(random[.traitor].below(bytes.count)))
        }
        guard let decoded = try? Statement(decoding: bytes) else { return }
        say(decoded, to: [random[.traitor].below(nodes.count)], at: node)
    }
}

// What traitors make of their own statements.
extension Simulation {
    /// What this peer is told in the place of what the core has signed.
    mutating func twisted(
        _ envelope: SignedEnvelope, _ slot: SigningSlot, for peer: NodeID, at node: Int
    ) -> SignedEnvelope {
        guard nodes[node].isTraitor else { return envelope }
        let payload = envelope.unverifiedPayload
        let twisted: [UInt8]?
        switch slot {
        case .proposal:
            nodes[node].traitor?.see(.signed(envelope))
            guard let proposal = try? Proposal(payload: payload) else { return envelope }
            if attacks(options.wrongDigest, at: node) {
                twisted = falsified(proposal)?.payload
            } else if attacks(options.equivocation, at: node) {
                twisted = altered(proposal, at: node)?.payload
            } else {
                return envelope
            }
        case .haveList:
            guard attacks(options.falseList, at: node) else { return envelope }
            twisted = (try? HaveList(payload: payload)).map { falsified($0).payload }
        case .update:
            guard attacks(options.secondUpdate, at: node) else { return envelope }
            return secondUpdate(payload, at: node) ?? envelope
        case .vote1, .vote2, .timeout:
            nodes[node].traitor?.see(.signed(envelope))
            return envelope
        case .coSign:
            guard attacks(options.doubleVote, at: node) else { return envelope }
            return contradicted(envelope, at: node)
        case .abstention, .readiness: return envelope
        }
        guard let twisted else { return envelope }
        return cryptography.sign(envelope.type, from: nodes[node].id, payload: twisted)
    }

    /// A co-signature of another header, which nobody has decided.
    private func contradicted(_ envelope: SignedEnvelope, at node: Int) -> SignedEnvelope {
        guard let coSign = try? CoSign(payload: envelope.unverifiedPayload) else {
            return envelope
        }
        let other = CoSign(
            scope: coSign.scope, value: cryptography.digest(coSign.value.bytes))
        return cryptography.sign(.coSign, from: nodes[node].id, payload: other.payload)
    }

    /// Another value as good as the first: the same lists, but its own says another time.
    private func altered(_ proposal: Proposal, at node: Int) -> Proposal? {
        guard let body = try? Body(decoding: proposal.body),
            var header = try? Header(decoding: proposal.header)
        else { return nil }
        var lists: [HaveList] = []
        var envelopes: [SignedEnvelope] = []
        for envelope in body.lists {
            guard let list = try? HaveList(payload: envelope.unverifiedPayload) else { return nil }
            guard envelope.sender == nodes[node].id else {
                lists.append(list)
                envelopes.append(envelope)
                continue
            }
            let other = HaveList(
                scope: list.scope, sequence: list.sequence, members: list.members,
                isFinal: list.isFinal, cutOffMilliseconds: list.cutOffMilliseconds,
                wallTime: list.wallTime + 1, commands: list.commands)
            lists.append(other)
            envelopes.append(
                cryptography.sign(.haveList, from: nodes[node].id, payload: other.payload))
        }
        let bytes = Body(
            lists: envelopes, commands: body.commands, evidence: body.evidence
        ).encoded
        header.body = cryptography.digest(bytes)
        let before = checker.chain.last?.state ?? rules.initialState
        let times = lists.map(\.wallTime).sorted()
        header.committedTime = max(before.committedTime + 1, times[(times.count - 1) / 2])
        return Proposal(
            scope: proposal.scope, header: header.encoded, body: bytes,
            justification: proposal.justification)
    }

    /// A value that doesn't follow from its body or from the updates: the same for whoever gets it.
    private func falsified(_ proposal: Proposal) -> Proposal? {
        guard var header = try? Header(decoding: proposal.header) else { return nil }
        switch (setup.seed &+ proposal.scope.height &+ UInt64(proposal.scope.view)) % 5 {
        case 0: header.aggregate = cryptography.digest(header.aggregate.bytes)
        case 1: header.model = cryptography.digest(header.model.bytes)
        case 2: header.committedTime += 1_000_000
        case 3: header.included = Array(header.included.dropLast())
        default: header.previous = .zero
        }
        return Proposal(
            scope: proposal.scope, header: header.encoded, body: proposal.body,
            justification: proposal.justification)
    }

    /// A list that leaves out what it has, or names what nobody has.
    private mutating func falsified(_ list: HaveList) -> HaveList {
        var members = list.members
        switch random[.traitor].below(3) {
        case 0: members = []
        case 1: if !members.isEmpty { members.remove(at: random[.traitor].below(members.count)) }
        default:
            let index = random[.traitor].below(rules.roster.count)
            let digest = cryptography.digest([UInt8(index), 77])
            members.removeAll { $0.index == index }
            members.append(HaveList.Member(index: index, update: digest))
            members.sort { $0.index < $1.index }
        }
        return HaveList(
            scope: list.scope, sequence: list.sequence, members: members, isFinal: true,
            cutOffMilliseconds: list.cutOffMilliseconds, wallTime: list.wallTime,
            commands: list.commands)
    }

    private mutating func secondUpdate(_ payload: [UInt8], at node: Int) -> SignedEnvelope? {
        guard let statement = try? UpdateStatement(payload: payload),
            let blob = UpdateBlob(
                digest: cryptography.digest(statement.blob.digest.bytes), byteCount: 100)
        else { return nil }
        let draft = UpdateDraft(
            run: statement.run, round: statement.round, base: statement.base, blob: blob,
            weight: statement.weight, ledgerPosition: statement.ledgerPosition,
            expiresAt: statement.expiresAt)
        let specification = SimulatedMesh.specification(statement.run, options)
        let second = UpdateStatement(
            mesh: statement.mesh, node: statement.node, specification: specification,
            round: statement.round, base: statement.base, draft: draft)
        if random[.traitor].chance(700) { nodes[node].disk.blobs.insert(blob.digest) }
        let envelope = cryptography.sign(
            .update, from: nodes[node].id, payload: second.payload)
        checker.released(second, as: cryptography.digest(envelope.bytes))
        return envelope
    }
}
