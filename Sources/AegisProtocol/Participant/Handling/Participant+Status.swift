import AegisCore

extension Participant {
    package var status: ParticipantStatus {
        let phase = self.phase
        return ParticipantStatus(
            height: chain.height, view: agreement.view, phase: phase,
            run: chain.active?.specification.run, name: chain.active?.specification.name,
            round: chain.active?.round, rounds: chain.active?.specification.rounds,
            isTraining: round?.training == .underWay, coordinator: coordinator,
            waitingFor: waitingFor(phase), final: finality.final?.finality,
            coSignaturesMissing: finality.top?.missing ?? [], forkHeight: forkHeight)
    }

    private var phase: ParticipantStatus.Phase {
        if isHalted { return .halted }
        if me == nil { return .observing }
        if !isSigning { return greeting == nil ? .silent : .greeting }
        if !agreement.isOpen { return .election }
        if agreement.vote2View == Int64(agreement.view) { return .secondVote }
        if agreement.vote1?.view == agreement.view { return .firstVote }
        if agreement.candidate != nil { return .checking }
        if agreement.ownList != nil || agreement.view > 0 { return .proposal }
        return round == nil ? .idle : .training
    }

    private func waitingFor(_ phase: ParticipantStatus.Phase) -> [NodeID] {
        let view = agreement.view
        let isMissing: (Int) -> Bool
        switch phase {
        case .idle, .halted, .silent, .observing: return []
        case .greeting: return others.filter { greeting?.heights[$0] == nil }
        case .training:
            let held = round?.held ?? []
            isMissing = { index in
                !held.contains { $0.index == index } && round?.hasAbstained[index] != true
            }
        case .proposal, .checking: return coordinator == configuration.node ? [] : [coordinator]
        case .firstVote: isMissing = { !agreement.votes1.has($0, in: view) }
        case .secondVote: isMissing = { !agreement.votes2.has($0, in: view) }
        case .election: isMissing = { !agreement.timeouts.has($0, in: view) }
        }
        return rules.roster.entries.indices.filter { isMissing($0) }
            .map { rules.roster.entries[$0].node }
    }
}

extension Participant {
    package var bindings: ParticipantBindings {
        ParticipantBindings(
            height: agreement.height, view: Int64(agreement.view),
            timeoutView: agreement.timeoutView,
            vote1View: agreement.vote1.map { Int64($0.view) } ?? -1,
            vote2View: agreement.vote2View,
            highestView: agreement.highest.map { Int64($0.view) } ?? -1)
    }
}

extension Participant {
    /// I17: whether everything that peers can make this node keep is within its limit.
    package var isWithinLimits: Bool {
        commands.count <= ProtocolLimits.commandsMax
            && agreement.values.count <= ProtocolLimits.valuesMax
            && agreement.certificates.count <= ProtocolLimits.valuesMax
            && evidence.count <= rules.roster.count
            && finality.heights.count <= ProtocolLimits.unfinishedMax
            && agreement.unjustified.count <= ProtocolLimits.unjustifiedMax
            && computed.count <= ProtocolLimits.computedMax
            && ahead.count <= ProtocolLimits.strangersMax
            && ahead.values.allSatisfy { $0.count <= ProtocolLimits.aheadPerSenderMax }
            && greetedAt.count <= ProtocolLimits.strangersMax
            && helpedAt.count <= ProtocolLimits.strangersMax
            && lastSeen.count <= Limits.participantsMax
            && round?.updates.allSatisfy { $0.count <= ProtocolLimits.updatesPerSenderMax }
                ?? true
    }
}
