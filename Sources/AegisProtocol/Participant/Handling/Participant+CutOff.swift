import AegisCore

// When to stop waiting for updates, and the HaveList that says so (PROTOCOL.md §2.5).
extension Participant {
    /// Signs a HaveList at the cut-off, another in each later view, and a longer one when more has
    /// come meanwhile.
    mutating func considerCutOff() {
        // Bound to a certified value, the coordinator needs no lists.
        guard agreement.isOpen, agreement.election?.highest == nil,
            agreement.candidate == nil, agreement.listSequence < listsMax
        else { return }
        let named = isCommandDue ? applicableCommands.map(\.digest).sorted() : []
        markCutOff()
        guard !named.isEmpty || round?.cutOff != nil || isCommandDue && isEvidenceWaiting else {
            return
        }
        let list = HaveList(
            scope: scope(agreement.view), sequence: agreement.listSequence,
            members: listedUpdates, isFinal: round?.isHardPassed ?? false,
            cutOffMilliseconds: round?.cutOff ?? 0, wallTime: wallTime, commands: named)
        guard adds(list) else { return }
        agreement.listSequence += 1
        // Until it comes back signed, so that the same is not signed twice.
        agreement.pendingList = list
        observe(
            .cutOff(
                height: agreement.height, view: agreement.view, held: list.members.count,
                isFinal: list.isFinal))
        sign(
            .haveList(
                height: agreement.height, view: agreement.view, sequence: list.sequence),
            list.payload, to: isCoordinator ? [] : [coordinator])
    }

    private var listedUpdates: [HaveList.Member] {
        guard rules.breaches.contains(.listsUnheld), let round else {
            let guilty = guilty
            return round?.held.filter { !guilty.contains($0.index) } ?? []
        }
        return round.updates.indices.compactMap { index in
            round.updates[index].first.map { .init(index: index, update: $0.digest) }
        }
    }

    private var listsMax: UInt32 { UInt32(ProtocolLimits.haveListSequenceMax) }

    /// Whether it says more than the last one of this view.
    private func adds(_ list: HaveList) -> Bool {
        guard let last = agreement.pendingList, last.scope == list.scope else { return true }
        return list.members.count > last.members.count || list.isFinal && !last.isFinal
            || list.commands.contains { !last.commands.contains($0) }
    }

    /// All that can be had is held; or the soft deadline has passed and the round can close; or the
    /// hard one has. Peers whose process is gone, or that said they give nothing, are not waited
    /// for.
    private mutating func markCutOff() {
        guard let current = round, current.cutOff == nil else { return }
        let guilty = guilty
        let held = current.held.filter { !guilty.contains($0.index) }
        let isEnough = held.count >= current.specification.updatesMin
        let isComplete = rules.roster.entries.indices.allSatisfy { index in
            held.contains { $0.index == index } || current.hasAbstained[index]
                || unreachable.contains(rules.roster.entries[index].node)
                || guilty.contains(index)
        }
        guard isEnough && (isComplete || current.isSoftPassed) || current.isHardPassed else {
            return
        }
        let waited = waited(current, held, isComplete: isComplete)
        round?.cutOff = waited
        // Everybody's is here: this will be S, so its aggregate is worth having early.
        if held.count == rules.roster.count, let request = aggregateRequest(held) {
            compute(request)
        }
    }

    /// What this node's lists say it waited: until the last of those came that came. Where somebody
    /// is missing who was there a few rounds ago, half as long again as the deadline, as long as
    /// that can grow: else a deadline that cut somebody off could only shrink.
    private func waited(
        _ current: RoundProgress, _ held: [HaveList.Member], isComplete: Bool
    ) -> UInt32 {
        let came = max(.zero, (current.lastHeldAt ?? current.startedAt) - current.startedAt)
            .components
        let milliseconds = came.seconds * 1_000 + came.attoseconds / 1_000_000_000_000_000
        let isAnyoneMissing = rules.roster.entries.indices.contains { index in
            chain.attendance[index].missed < ProtocolLimits.deadlineRounds
                && !held.contains { $0.index == index } && !current.hasAbstained[index]
        }
        let deadlines = current.specification.deadlines
        let soft = chain.softMilliseconds ?? deadlines.softMilliseconds
        guard !isComplete, isAnyoneMissing, soft < deadlines.hardMilliseconds,
            !rules.breaches.contains(.impatient)
        else { return UInt32(clamping: milliseconds) }
        return UInt32(clamping: min(soft * 3 / 2, deadlines.hardMilliseconds))
    }

    mutating func receivedList(_ list: Placed<HaveList>, from peer: NodeID) {
        let view = list.statement.scope.view
        guard view == agreement.view else {
            if view < agreement.view { helpToView(peer) }
            return
        }
        for member in list.statement.members { addHolder(list.envelope.sender, of: member.update) }
        guard isCoordinator else { return }
        if let last = agreement.lists[list.index],
            last.statement.sequence >= list.statement.sequence
        {
            return
        }
        agreement.lists[list.index] = list
    }
}
