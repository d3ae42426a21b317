import AegisCore
import AegisProtocol

// Co-signatures, final certificates and forks (PROTOCOL.md §2.8, §2.9).
extension SimulationChecker {
    /// I19: a node co-signs what its disk says is decided, and what extends all it co-signed
    /// before.
    mutating func coSigns(
        _ node: Int, _ id: NodeID, _ height: UInt64, _ payload: [UInt8], _ disk: SimulatedDisk
    ) {
        guard isDurabilityChecked, let coSign = try? CoSign(payload: payload) else { return }
        if disk.header(height, rules) != coSign.value {
            fail("I19: \(names[node]) co-signed height \(height) before its commit was durable")
        }
        if let last = coSigned[id], last.height <= height,
            disk.header(last.height, rules) != last.value
        {
            fail(
                "I19: \(names[node]) co-signed height \(height), which doesn't extend what it "
                    + "co-signed at \(last.height)")
        }
        if coSigned[id].map({ $0.height < height }) ?? true {
            coSigned[id] = (height, coSign.value)
        }
    }

    /// I18: a final certificate proves something, and nothing else than what is decided.
    mutating func finalises(
        _ node: Int, _ certificate: FinalCertificate, _ finality: Finality
    ) {
        let key = certificate.coSigns.reduce(finality.height) { key, envelope in
            envelope.signature.prefix(8).reduce(key) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
        }
        guard !isForked, checkedFinals.insert(key).inserted else { return }
        let index = Int(finality.height) - 1
        guard index >= 0, index < chain.count else {
            return fail("I18: \(names[node]) says that undecided height \(index + 1) is final")
        }
        let before = index > 0 ? chain[index - 1].state : rules.initialState
        do {
            let proved = try rules.at(before).verify(certificate)
            guard proved == finality, proved.value == chain[index].header else {
                return fail("I18: \(names[node]) calls another height \(proved.height) final")
            }
        } catch {
            fail("I18: the final certificate of height \(finality.height) proves nothing: \(error)")
        }
    }

    /// I14: what honest nodes have heard convicts more than f, and only traitors.
    mutating func checkForkEvidence(_ nodes: [SimulatedNode]) {
        let state = chain.last?.state ?? rules.initialState
        let culprits = heard.culprits(rules.at(state))
        for node in nodes where !node.isByzantine && culprits.contains(node.id) {
            fail("I13: \(node.name) is honest, and evidence convicts it")
        }
        let needed = state.roster.count <= 3 ? 1 : state.roster.faultTolerance + 1
        if culprits.count < needed {
            fail("I14: the chain forked, and evidence convicts \(culprits.count) of \(needed)")
        }
    }
}

extension SimulatedDisk {
    func header(_ height: UInt64, _ rules: MeshRules) -> Digest? {
        commits(from: height, count: 1).first.map { rules.cryptography.digest($0.header) }
    }
}

/// Every signed statement that honest nodes have heard or signed.
struct ForkTranscript {
    private var envelopes: [NodeID: [SignedEnvelope]] = [:]
    private var known: Set<[UInt8]> = []

    mutating func hear(_ statement: Statement) {
        switch statement {
        case .signed(let envelope): hear(envelope)
        case .voteCertificate(let certificate): certificate.votes.forEach { hear($0) }
        case .timeoutCertificate(let certificate): hear(certificate)
        case .commit(let record): record.certificate.forEach { hear($0) }
        case .evidence(let evidence):
            hear(evidence.first)
            hear(evidence.second)
        case .finalCertificate(let certificate): certificate.coSigns.forEach { hear($0) }
        case .fork(let proof):
            (proof.first.certificate + proof.second.certificate).forEach { hear($0) }
        case .hello, .helloReply: break
        }
    }

    private mutating func hear(_ certificate: TimeoutCertificate) {
        certificate.timeouts.forEach { hear($0) }
        certificate.highest?.votes.forEach { hear($0) }
    }

    private mutating func hear(_ envelope: SignedEnvelope) {
        switch envelope.type {
        case .vote1, .vote2, .timeout, .proposal, .coSign: break
        default: return
        }
        guard known.insert(envelope.bytes).inserted else { return }
        envelopes[envelope.sender, default: []].append(envelope)
        guard envelope.type == .proposal,
            let proposal = try? Proposal(payload: envelope.unverifiedPayload),
            let justification = proposal.justification
        else { return }
        hear(justification)
    }

    func culprits(_ rules: MeshRules) -> Set<NodeID> {
        let proposals = envelopes.values.joined().filter { $0.type == .proposal }
        var culprits: Set<NodeID> = []
        for (node, all) in envelopes where rules.roster.contains(node) {
            let others = all + proposals.filter { $0.sender != node }
            let isGuilty = all.contains { first in
                others.contains { (try? rules.verify(Evidence(first, $0))) != nil }
            }
            if isGuilty { culprits.insert(node) }
        }
        return culprits
    }
}
