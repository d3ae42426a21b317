import AegisCore
import AegisProtocol

/// The invariants of PROTOCOL.md §2.13, checked on everything that honest nodes sign, record and
/// commit. They hold or the simulation ends there.
struct SimulationChecker {
    /// As they should be, whatever rules the nodes break.
    let rules: MeshRules
    /// Of the processes.
    let names: [String]
    /// I7. Off where a shell is made to break just that, so that what follows from it shows.
    let isDurabilityChecked: Bool
    /// Whether there may be more traitors than the roster bears.
    let isForkExpected: Bool
    private(set) var isForked = false
    var heard = ForkTranscript()
    var coSigned: [NodeID: (height: UInt64, value: Digest)] = [:]
    /// Of the last rounds: who was in the roster and gave no sign.
    var silentRounds: [Set<NodeID>] = []
    var checkedFinals: Set<UInt64> = []
    private(set) var violation: String?
    /// By height: what was committed first, and the state after it.
    private(set) var chain: [(header: Digest, state: ChainState)] = []
    private var signed: [SlotKey: [UInt8]] = [:]
    private var timeouts: [ViewKey: Int64] = [:]
    private var bindings: [ParticipantBindings?] = []
    private var certified: [PlaceKey: Digest] = [:]
    /// The last HaveList of each honest node, by view.
    private var lists: [ListKey: HaveList] = [:]
    /// Every signed update there is, for recomputation.
    private(set) var updates: [Digest: UpdateStatement] = [:]

    /// I11: what each token may still let in, and everybody who was ever in.
    private var usesLeft: [[UInt8]: Int] = [:]
    private var everMembers: Set<NodeID>
    /// I21: what each participant has given its word for.
    var words: [NodeID: [Motion]] = [:]

    private struct SlotKey: Hashable {
        let node: NodeID
        let slot: SigningSlot
    }

    private struct ViewKey: Hashable {
        let node: Int
        let height: UInt64
    }

    private struct PlaceKey: Hashable {
        let height: UInt64
        let view: UInt32
    }

    private struct ListKey: Hashable {
        let node: NodeID
        let place: PlaceKey
    }

    init(
        _ rules: MeshRules, names: [String], isDurabilityChecked: Bool, isForkExpected: Bool
    ) {
        self.isForkExpected = isForkExpected
        self.rules = rules
        self.names = names
        self.isDurabilityChecked = isDurabilityChecked
        everMembers = Set(rules.roster.nodes)
    }

    func name(_ node: Int) -> String { names[node] }

    /// I11, I21: tokens of an admin that was replaced let nobody in.
    mutating func forgetTokens(but tokens: [GrantedToken]) {
        usesLeft = Dictionary(
            uniqueKeysWithValues: tokens.map {
                ($0.grant.tokenID, $0.grant.usesMax - $0.users.count)
            })
    }

    mutating func fail(_ text: String) { violation = violation ?? text }

    /// I4, I6, I7: slots are written once, across restarts; no vote in a view given up; nothing is
    /// said before what it promises is durable.
    mutating func signs(
        _ node: Int, _ id: NodeID, _ slot: SigningSlot, _ payload: [UInt8], _ disk: SimulatedDisk
    ) {
        let key = SlotKey(node: id, slot: slot)
        if let before = signed[key], before != payload {
            fail("I4: \(name(node)) signed two contents in \(slot.words)")
        }
        signed[key] = payload
        switch slot {
        case .timeout(let height, let view):
            let key = ViewKey(node: node, height: height)
            timeouts[key] = max(timeouts[key] ?? -1, Int64(view))
        case .vote1(let height, let view), .vote2(let height, let view):
            if let given = timeouts[ViewKey(node: node, height: height)], Int64(view) <= given {
                fail("I6: \(name(node)) signed \(slot.words) after its timeout of view \(given)")
            }
        case .haveList(let height, let view, _):
            guard let list = try? HaveList(payload: payload) else { return }
            let place = PlaceKey(height: height, view: view)
            lists[ListKey(node: id, place: place)] = list
        case .coSign(let height): coSigns(node, id, height, payload, disk)
        case .update, .abstention, .proposal, .readiness: break
        }
        if isDurabilityChecked, let missing = disk.missing(for: slot, payload, updates, rules) {
            fail("I7: \(name(node)) signed \(slot.words) before \(missing) was durable")
        }
    }

    mutating func hears(_ statement: Statement) { heard.hear(statement) }

    mutating func released(_ statement: UpdateStatement, as digest: Digest) {
        updates[digest] = statement
    }

    /// I3: at most one certified value in a view.
    mutating func learns(_ node: Int, _ record: JournalRecord) {
        guard case .voteCertificate(let certificate) = record,
            let vote = certificate.votes.first.flatMap({ try? Vote1(payload: $0.unverifiedPayload) }
            )
        else { return }
        let place = PlaceKey(height: vote.scope.height, view: vote.scope.view)
        if let other = certified[place], other != vote.value, !isForkExpected {
            fail("I3: two certified values at \(place.height)/\(place.view), seen by \(name(node))")
        }
        certified[place] = vote.value
    }

    /// I5: nothing that binds goes back, not even over a restart.
    mutating func bound(_ node: Int, by new: ParticipantBindings) {
        while bindings.count <= node { bindings.append(nil) }
        if new.highestView > new.view || new.vote2View > new.view || new.vote1View > new.view {
            fail("I5: \(name(node)) is behind what it said: \(new)")
        }
        if let old = bindings[node] {
            if new.height < old.height {
                fail("I5: \(name(node)) went back from height \(old.height) to \(new.height)")
            }
            if new.height == old.height,
                new.view < old.view || new.timeoutView < old.timeoutView
                    || new.vote1View < old.vote1View || new.vote2View < old.vote2View
                    || new.highestView < old.highestView
            {
                fail("I5: \(name(node)) went back from \(old) to \(new)")
            }
        }
        bindings[node] = new
    }

    /// After a crash only what was durable counts; a decision not yet acted on may be lost.
    mutating func forgetBindings(of node: Int) {
        if node < bindings.count { bindings[node] = nil }
    }

    /// I1, I2, I8, I9, I10, I12, I15: the first commit of a height is checked from scratch, each
    /// later one must be the same.
    mutating func commits(_ node: Int, _ record: CommitRecord, _ nodes: [SimulatedNode]) {
        let digest = rules.cryptography.digest(record.header)
        guard let header = try? Header(decoding: record.header) else {
            return fail("I8: \(name(node)) committed what is no header")
        }
        let index = Int(header.height) - 1
        if index < chain.count {
            guard chain[index].header == digest else {
                guard !isForkExpected else { return isForked = true }
                return fail("I1: two values at height \(header.height), the other at \(name(node))")
            }
            return
        }
        // On another branch nothing is known of what it follows from.
        guard !isForked else { return }
        guard index == chain.count else {
            return fail("I12: \(name(node)) committed height \(header.height) too early")
        }
        let before = chain.last?.state ?? rules.initialState
        let commit: Commit
        do { commit = try rules.verify(record, extending: before) } catch {
            return fail("I8: the commit of height \(header.height) proves nothing: \(error)")
        }
        if header.committedTime <= before.committedTime {
            fail("I15: committed time went back at height \(header.height)")
        }
        checkConvictions(commit.state, nodes)
        checkMembers(commit)
        checkMotions(commit, before)
        checkAbsence(commit, before.roster)
        check(commit, after: before, nodes)
        chain.append((digest, commit.state))
    }

    private mutating func check(
        _ commit: Commit, after before: ChainState, _ nodes: [SimulatedNode]
    ) {
        guard commit.header.kind == .round, let run = before.active else { return }
        let honest = nodes.filter { !$0.isByzantine }
        var blobs: [Digest] = []
        for member in commit.included {
            guard let update = updates[member.update] else {
                return fail("I9: nobody released update \(member.update.short)")
            }
            if !honest.contains(where: { $0.disk.blobs.contains(update.blob.digest) }) {
                fail("I9: no honest node holds update \(member.update.short)")
            }
            blobs.append(update.blob.digest)
        }
        let expected = SimulatedAggregation(rules.cryptography).result(of: blobs, on: run.model)
        if expected.model != commit.header.model || expected.aggregate != commit.header.aggregate {
            fail("I2: the model of height \(commit.header.height) isn't what its updates give")
        }
        checkInclusion(
            commit.header, commit.included, nodes.filter(\.isTrusted).map(\.id), before.roster)
    }

    /// I13: no evidence against a node that keeps the rules and never went back in time.
    private mutating func checkConvictions(_ state: ChainState, _ nodes: [SimulatedNode]) {
        for node in nodes where node.isTrusted && state.convicted.contains(node.id) {
            fail("I13: \(node.name) is honest and was convicted at height \(state.height)")
        }
    }

    /// I11: a token lets in as many as it is for, and no id comes a second time. Told from the
    /// commands alone.
    private mutating func checkMembers(_ commit: Commit) {
        for command in commit.commands {
            guard case .membership(let change) = command.action else { continue }
            let newcomer: NodeID
            switch change {
            case .grantToken(let grant):
                usesLeft[grant.tokenID] = grant.usesMax
                continue
            case .word(_, .change(.grantToken(let grant))):
                // That it takes more than one is I21.
                usesLeft[grant.tokenID] = usesLeft[grant.tokenID] ?? grant.usesMax
                continue
            case .revokeToken(let token):
                usesLeft[token] = 0
                continue
            case .join(let request, _):
                usesLeft[request.tokenID, default: 0] -= 1
                if usesLeft[request.tokenID, default: 0] < 0 {
                    fail("I11: a token was used too often at height \(commit.header.height)")
                }
                newcomer = request.node
            case .rotateKey(let replacement), .replaceLostKey(let replacement):
                newcomer = replacement.new
            default: continue
            }
            if !everMembers.insert(newcomer).inserted {
                fail("I11: \(newcomer.short) came again at height \(commit.header.height)")
            }
        }
        for node in commit.state.roster.members.map(\.node) where !everMembers.contains(node) {
            fail("I11: nobody let \(node.short) in at height \(commit.header.height)")
        }
    }

    /// I10: what all honest nodes held when they said so takes part.
    private mutating func checkInclusion(
        _ header: Header, _ included: [HaveList.Member], _ honest: [NodeID], _ roster: Roster
    ) {
        let place = PlaceKey(height: header.height, view: header.listView)
        let said = header.listSenders.map { roster.entries[$0].node }
            .filter(honest.contains).compactMap { lists[ListKey(node: $0, place: place)] }
        guard said.count >= roster.inclusionThreshold else { return }
        for member in said[0].members where honest.contains(roster.nodes[member.index]) {
            // A later list of the same view may say more than the one that was used.
            guard said.allSatisfy({ $0.sequence == 0 && $0.members.contains(member) }) else {
                continue
            }
            if !included.contains(member) {
                fail(
                    "I10: participant \(member.index) was left out at \(header.height)"
                )
            }
        }
    }
}

extension SimulatedDisk {
    /// What should be durable before this is said, and isn't (§2.11).
    func missing(
        for slot: SigningSlot, _ payload: [UInt8], _ updates: [Digest: UpdateStatement],
        _ rules: MeshRules
    ) -> String? {
        guard !isPending else { return "its record" }
        switch slot {
        case .vote2:
            guard let vote = try? Vote2(payload: payload),
                !isCertificateDurable(view: vote.scope.view, value: vote.value)
            else { return nil }
            return "the certificate"
        case .timeout:
            guard let timeout = try? Timeout(payload: payload), let named = timeout.highest,
                !isCertificateDurable(view: named.view, value: named.value)
            else { return nil }
            return "the certificate it names"
        case .vote1:
            guard let vote = try? Vote1(payload: payload) else { return nil }
            return isProposalDurable(vote.value, rules) ? nil : "the proposal"
        case .haveList:
            guard let list = try? HaveList(payload: payload) else { return nil }
            let isHeld = list.members.allSatisfy { member in
                updates[member.update].map { blobs.contains($0.blob.digest) } ?? false
            }
            return isHeld ? nil : "an update that it lists"
        case .coSign, .update, .abstention, .proposal, .readiness: return nil
        }
    }

    private func isCertificateDurable(view: UInt32, value: Digest) -> Bool {
        journal.reversed().contains { record in
            let certificate: VoteCertificate
            switch record {
            case .voteCertificate(let one): certificate = one
            case .timeoutCertificate(let election):
                guard let one = election.highest else { return false }
                certificate = one
            case .signed, .proposal, .update, .silence, .fork, .evidence: return false
            }
            guard
                let vote = certificate.votes.first.flatMap({
                    try? Vote1(payload: $0.unverifiedPayload)
                })
            else { return false }
            return vote.scope.view == view && vote.value == value
        }
    }

    private func isProposalDurable(_ value: Digest, _ rules: MeshRules) -> Bool {
        journal.reversed().contains { record in
            guard case .proposal(let envelope) = record,
                let proposal = try? Proposal(payload: envelope.unverifiedPayload)
            else { return false }
            return rules.cryptography.digest(proposal.header) == value
        }
    }
}

/// Digests in the place of tensors: as deterministic, and any difference shows.
struct SimulatedAggregation {
    private let cryptography: any ProtocolCryptography

    init(_ cryptography: any ProtocolCryptography) { self.cryptography = cryptography }

    func result(of blobs: [Digest], on base: Digest) -> ComputeResult {
        let aggregate = cryptography.digest(blobs.flatMap(\.bytes) + [1])
        return ComputeResult(
            aggregate: aggregate, model: cryptography.digest(base.bytes + aggregate.bytes))
    }

    func result(of request: ComputeRequest) -> ComputeResult {
        switch request {
        case .initialModel(let specification):
            ComputeResult(
                aggregate: .zero, model: cryptography.digest(specification.run.bytes + [2]))
        case .aggregate(let request):
            result(of: request.parts.map(\.blob), on: request.base)
        }
    }
}
