import AegisCore
import AegisProtocol

// What traitors do to tire the others out: nothing of it proves or decides anything.
extension Simulation {
    mutating func pester(_ traitor: Traitor, seeing statement: Statement, at node: Int) {
        if attacks(options.evidenceSpam, at: node) { accuseFalsely(traitor, statement, at: node) }
        if attacks(options.syncPoison, at: node) {
            poison(random[.traitor].below(nodes.count), at: node)
        }
        if attacks(options.resending, at: node) {
            for old in traitor.past { tell(old, to: nodes.indices, at: node) }
        }
        if attacks(options.otherMesh, at: node) { speakOfAnotherMesh(traitor, at: node) }
    }

    private mutating func tell(_ statement: Statement, to peers: some Sequence<Int>, at node: Int) {
        for peer in peers where peer != node { send([statement], from: node, to: nodes[peer].id) }
    }

    /// Two statements of one honest node that agree well, or one that it never made.
    private mutating func accuseFalsely(
        _ traitor: Traitor, _ statement: Statement, at node: Int
    ) {
        guard case .signed(let first) = statement else { return }
        let others = traitor.past.compactMap { old -> SignedEnvelope? in
            guard case .signed(let other) = old, other.sender == first.sender else { return nil }
            return other
        }
        var second = others.randomElement(using: &random[.traitor]) ?? first
        if random[.traitor].chance(300) {
            var payload = first.unverifiedPayload
            payload[payload.count - 1] ^= 1
            second = SignedEnvelope(first.type, from: first.sender, payload: payload) { _ in
                first.signature
            }
        }
        let evidence = Statement.evidence(Evidence(first, second))
        for _ in 0...random[.traitor].below(4) { tell(evidence, to: nodes.indices, at: node) }
    }

    /// A commit that nobody decided, as if asked for.
    mutating func poison(_ victim: Int, at node: Int) {
        guard let traitor = nodes[node].traitor, let proposal = traitor.proposals.last,
            victim != node
        else { return }
        var header = proposal.header
        if random[.traitor].chance(400), var other = try? Header(decoding: header) {
            other.height += UInt64(random[.traitor].below(4))
            header = other.encoded
        }
        let vote = Vote2(
            scope: traitor.scope(proposal.scope.view), value: cryptography.digest(header))
        let own = cryptography.sign(.vote2, from: traitor.id, payload: vote.payload)
        let count = 1 + random[.traitor].below(rules.roster.quorum + 1)
        let record = CommitRecord(
            header: header, body: proposal.body,
            certificate: Array(repeating: own, count: count))
        send([.commit(record)], from: node, to: nodes[victim].id)
    }

    /// The same words, but of elsewhere.
    private mutating func speakOfAnotherMesh(_ traitor: Traitor, at node: Int) {
        guard let known = traitor.values.last, let mesh = MeshID(Array(repeating: 8, count: 16))
        else { return }
        let own = traitor.scope(known.view)
        let isMesh = random[.traitor].chance(500)
        let scope = StatementScope(
            mesh: isMesh ? mesh : own.mesh, roster: isMesh ? own.roster : known.value,
            height: own.height, view: own.view)
        let vote = Vote2(scope: scope, value: known.value)
        let timeout = Timeout(scope: scope, highest: nil)
        for (type, payload) in [
            (StatementType.vote2, vote.payload), (.timeout, timeout.payload),
        ] {
            tell(
                .signed(cryptography.sign(type, from: traitor.id, payload: payload)),
                to: nodes.indices, at: node)
        }
    }

    /// Whether a traitor lets this node have a blob: always the same for one node and blob.
    func serves(_ blob: Digest, from node: Int, to other: Int) -> Bool {
        guard options.selectivity > 0 else { return true }
        let drawn = cryptography.digest(blob.bytes + [UInt8(node), UInt8(other)]).bytes
        return (Int(drawn[0]) << 8 | Int(drawn[1])) % 1_000 >= options.selectivity
    }
}
