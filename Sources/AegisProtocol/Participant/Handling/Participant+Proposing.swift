import AegisCore

// The coordinator's part (R2).
extension Participant {
    /// Proposes once in a view: the certified value that its election names, or a fresh one.
    mutating func considerProposing() {
        guard isCoordinator, agreement.isOpen, agreement.proposedView < Int64(agreement.view)
        else { return }
        guard agreement.view > 0 else { return proposeFresh() }
        // Brought here by a certified value of this very view: there was a proposal already.
        guard let election = agreement.election else { return }
        guard let highest = election.highest, !rules.breaches.contains(.electionUnbinding) else {
            return proposeFresh()
        }
        guard let value = agreement.value(highest.value) else { return }
        propose(
            header: value.headerBytes, body: value.plan.body, kind: value.header.kind,
            included: value.plan.included)
    }

    private mutating func proposeFresh() {
        if agreement.draft == nil, !agreement.isDraftFailed { agreement.draft = freshPlan() }
        guard let plan = agreement.draft else { return }
        var result: ComputeResult?
        if plan.isComputed {
            guard let request = request(for: plan) else { return }
            result = self.result(of: request)
            guard result != nil else { return compute(request) }
        }
        propose(
            header: plan.header(with: result).encoded, body: plan.body, kind: plan.header.kind,
            included: plan.included)
    }

    private mutating func propose(
        header: [UInt8], body: [UInt8], kind: ValueKind, included: [HaveList.Member]
    ) {
        let proposal = Proposal(
            scope: scope(agreement.view), header: header, body: body,
            justification: agreement.election?.certificate)
        agreement.proposedView = Int64(agreement.view)
        agreement.draft = nil
        observe(.proposed(height: agreement.height, view: agreement.view, kind))
        send(updates(of: included).map { .signed($0) }, to: others)
        sign(
            .proposal(height: agreement.height, view: agreement.view), proposal.payload,
            to: others)
    }

    /// The value that the lists at hand give; nil where they give none yet.
    private func freshPlan() -> ValuePlan? {
        let understood = agreement.lists.compactMap(\.self).filter { isUnderstood($0.statement) }
        // Commands need no updates.
        if !commands.isEmpty || isEvidenceWaiting, let plan = plan(of: understood),
            plan.header.kind == .configuration
        {
            return plan
        }
        let lists = understood.filter { isUsable($0.statement) }
        if let plan = plan(of: lists) { return plan }
        // Too few updates: may the round be skipped by those whose hard deadline has passed?
        let final = lists.filter(\.statement.isFinal)
        return final.count < lists.count ? plan(of: final) : nil
    }

    private func plan(of lists: [Placed<HaveList>]) -> ValuePlan? {
        guard lists.count >= rules.quorum else { return nil }
        let named = commands.filter { command in
            lists.contains { $0.statement.commands.contains(command.digest) }
        }
        let due = rules.applicable(
            named, after: chain, convicting: presentedEvidence.map(\.conviction.index),
            at: rules.committedTime(after: chain, lists: lists))
        return try? rules.plan(
            after: chain, lists: lists, commands: due, evidence: presentedEvidence)
    }

    /// Whether every command that it names is here.
    private func isUnderstood(_ list: HaveList) -> Bool {
        list.commands.allSatisfy { digest in commands.contains { $0.digest == digest } }
    }

    /// Whether every update that it names is here, so that what it makes the coordinator include
    /// can be proposed. A list that names what nobody has is not used (§2.5).
    private func isUsable(_ list: HaveList) -> Bool {
        let guilty = guilty
        return list.members.allSatisfy {
            guilty.contains($0.index) || round?.update($0.update)?.state == .held
        }
    }

    func updates(of included: [HaveList.Member]) -> [SignedEnvelope] {
        included.compactMap { round?.update($0.update)?.envelope }
    }
}

// Computations: asked for once, their results kept for whoever needs them next.
extension Participant {
    /// What must be computed for this plan; nil while an update of S is not held.
    func request(for plan: ValuePlan) -> ComputeRequest? {
        if let started = plan.started { return .initialModel(started) }
        return aggregateRequest(plan.included)
    }

    func aggregateRequest(_ included: [HaveList.Member]) -> ComputeRequest? {
        guard let round else { return nil }
        var parts: [AggregateRequest.Part] = []
        for member in included {
            guard let update = round.update(member.update), update.state == .held else {
                return nil
            }
            parts.append(
                .init(
                    node: update.statement.node, update: update.digest,
                    blob: update.statement.blob.digest, weight: update.statement.weight))
        }
        return .aggregate(
            AggregateRequest(
                specification: round.specification, round: round.round, base: round.base,
                parts: parts, holders: modelHolders))
    }

    func result(of request: ComputeRequest) -> ComputeResult? {
        computed.first { $0.request == request }?.result
    }

    mutating func compute(_ request: ComputeRequest) {
        guard result(of: request) == nil, !computing.contains(request) else { return }
        computing.append(request)
        perform(.compute(request))
    }

    mutating func computed(_ request: ComputeRequest, _ result: ComputeResult) {
        computing.removeAll { $0 == request }
        guard self.result(of: request) == nil else { return }
        computed.append((request, result))
        if computed.count > ProtocolLimits.computedMax { computed.removeFirst() }
    }

    /// This node neither proposes nor confirms what it could not compute; the next view may bring
    /// something else.
    mutating func computeFailed(_ request: ComputeRequest, reason: String) {
        computing.removeAll { $0 == request }
        observe(.computeFailed(height: agreement.height, reason: reason))
        if let draft = agreement.draft, self.request(for: draft) == request {
            agreement.draft = nil
            agreement.isDraftFailed = true
        }
        if let candidate = agreement.candidate, let value = agreement.value(candidate.value),
            self.request(for: value.plan) == request
        {
            agreement.candidate?.isRejected = true
        }
    }
}
