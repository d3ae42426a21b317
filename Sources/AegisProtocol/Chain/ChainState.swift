package import AegisCore

/// What the commits so far have decided. A pure function of them: node, admin and offline
/// verification replay the same records to the same state.
package struct ChainState: Hashable, Sendable {
    /// Of the last commit; 0 after the founding.
    package private(set) var height: UInt64
    /// Of the last header; of the genesis statement at height 0.
    package private(set) var tip: Digest
    /// Milliseconds since 1970, of the last commit.
    package private(set) var committedTime: UInt64
    package private(set) var lastCommandSequence: UInt64
    package private(set) var active: ActiveRun?
    /// In the order in which they ended; the newest `ProtocolLimits.finishedRunsMax`.
    package private(set) var finished: [FinishedRun]
    /// Proved traitors, in the order of their ids: they coordinate nothing and none of their
    /// updates counts, for good (§2.9).
    package private(set) var convicted: [NodeID]
    /// Whose commands count.
    package internal(set) var admin: NodeID
    /// What the mesh holds itself to.
    package internal(set) var policy: MeshPolicy
    /// For motions that are not carried, in the order in which they were given.
    package internal(set) var words: [MotionWord]
    /// The admin's audit log as it was last witnessed.
    package internal(set) var auditHead: AuditHead?
    /// Who decides the next height, and the digest that its statements name.
    package internal(set) var roster: Roster
    package private(set) var rosterDigest: Digest
    /// Live tokens, in the order in which they were granted.
    package internal(set) var tokens: [GrantedToken]
    /// Who was a member and is none: never again (§2.10). Sorted.
    package internal(set) var retired: [NodeID]
    /// When the admin last took a participant out; committed time.
    package internal(set) var lastRemoval: UInt64?
    /// The last headers' digests, newest last.
    package private(set) var recentTips: [Digest]
    /// By place in the roster.
    package internal(set) var attendance: [Attendance]
    /// Votes added at the height being decided.
    var added = 0
    /// Empty but in tests of the checkers.
    var breaches: RuleBreaches

    package init(
        genesis: Digest, founding: FoundingStatement, roster: Roster, rosterDigest: Digest,
        breaches: RuleBreaches
    ) {
        height = 0
        tip = genesis
        committedTime = founding.foundedAt
        lastCommandSequence = 0
        active = nil
        finished = []
        convicted = []
        admin = founding.admin
        policy = founding.policy
        words = []
        auditHead = nil
        self.roster = roster
        self.rosterDigest = rosterDigest
        tokens = []
        retired = []
        lastRemoval = nil
        recentTips = []
        attendance = Array(repeating: Attendance(), count: roster.count)
        self.breaches = breaches
    }
}

extension ChainState {
    /// What follows from it by the rules as they should be.
    package var unbroken: ChainState {
        var state = self
        state.breaches = []
        return state
    }
}

/// The run that the mesh works on.
package struct ActiveRun: Hashable, Sendable {
    package let specification: RunSpecification
    /// The round to be decided next, from 1.
    package fileprivate(set) var round: Int
    /// The model this round starts from.
    package fileprivate(set) var model: Digest
    /// Skips since the last committed round.
    package fileprivate(set) var skips: Int
    /// Of the commit that started it.
    package let startedAt: UInt64
    /// How long its last rounds waited for updates: the headers' medians.
    package fileprivate(set) var tookMilliseconds: [UInt32] = []

    /// m: the fewest updates a round of it may have (§2.5).
    package var updatesMin: Int { specification.updatesMin }
}

/// A run that has ended, and how.
package struct FinishedRun: Hashable, Sendable {
    package enum Outcome: Hashable, Sendable {
        case completed
        case stopped(reason: String)
        /// Too few updates, three times in a row.
        case paused
    }

    package let run: RunID
    package let name: String
    package let outcome: Outcome
    /// Rounds that were committed.
    package let rounds: Int
    package let model: Digest
    /// Of the commit that ended it.
    package let endedAt: UInt64
}

extension RunSpecification {
    /// m: the larger of what the run and what its rule ask for.
    package var updatesMin: Int { max(participantsMin, aggregation.updatesMin) }
}

/// Why a value doesn't follow from a state.
package enum ChainError: Error, Hashable, Sendable {
    case wrongHeight(UInt64, expected: UInt64)
    case wrongPrevious(Digest)
    case timeNotGrowing
    case noActiveRun
    case wrongRound
    case command(sequence: UInt64, CommandRefusal)
    case noCommands
    /// The place in the roster.
    case alreadyConvicted(Int)
}

/// Why a command can't be applied.
package enum CommandRefusal: Error, Hashable, Sendable {
    case foreignMesh
    case sequenceNotGrowing(last: UInt64)
    case expired
    case anotherRunIsActive(RunID)
    case runUsedBefore
    /// m must not exceed n − f, or one fault would stop every round (§2.5).
    case tooManyUpdatesNeeded(Int, available: Int)
    case noSuchRun
    /// A log only grows.
    case auditHeadNotGrowing(last: UInt64)
    case membership(MembershipRefusal)

    /// Whether another decision may make it applicable.
    package var isTransient: Bool {
        switch self {
        case .anotherRunIsActive, .noSuchRun: true
        case .membership(let refusal): refusal.isTransient
        case .foreignMesh, .sequenceNotGrowing, .expired, .runUsedBefore,
            .tooManyUpdatesNeeded, .auditHeadNotGrowing:
            false
        }
    }
}

// The reducer.
extension ChainState {
    /// Why `command` can't be applied now, or nil. Judged by committed time, not a local clock.
    package func refusal(
        of command: Command, mesh: MeshID, at time: UInt64
    ) -> CommandRefusal? {
        guard command.mesh == mesh else { return .foreignMesh }
        guard !command.isOfTheAdmin || command.sequence > lastCommandSequence else {
            return .sequenceNotGrowing(last: lastCommandSequence)
        }
        guard command.expiresAt > time else { return .expired }
        switch command.action {
        case .start(let specification):
            if let active { return .anotherRunIsActive(active.specification.run) }
            guard !finished.contains(where: { $0.run == specification.run }) else {
                return .runUsedBefore
            }
            let available = roster.count - roster.faultTolerance
            guard specification.updatesMin <= available else {
                return .tooManyUpdatesNeeded(specification.updatesMin, available: available)
            }
            return nil
        case .stop(let run, _): return active?.specification.run == run ? nil : .noSuchRun
        case .witness(let head):
            let last = auditHead?.records ?? 0
            return head.records > last ? nil : .auditHeadNotGrowing(last: last)
        case .membership(let change):
            return refusal(of: change, at: time).map { .membership($0) }
        }
    }

    /// The state after this value. `digest` is the header's; `commands` are the body's, their
    /// signatures checked.
    package func applying(
        _ header: Header, digest: Digest, commands: [Command], mesh: MeshID
    ) throws(ChainError) -> ChainState {
        guard header.height == height + 1 else {
            throw .wrongHeight(header.height, expected: height + 1)
        }
        guard header.previous == tip else { throw .wrongPrevious(header.previous) }
        guard header.committedTime > committedTime else { throw .timeNotGrowing }
        var next = self
        next.height = header.height
        next.tip = digest
        next.committedTime = header.committedTime
        next.recentTips.append(digest)
        if next.recentTips.count > ProtocolLimits.recentTipsMax { next.recentTips.removeFirst() }
        try next.convict(header.convicted, of: roster)
        switch header.kind {
        case .round: try next.closeRound(header)
        case .skip: try next.skipRound(header)
        case .configuration:
            guard !commands.isEmpty || !header.convicted.isEmpty else { throw .noCommands }
            for command in commands {
                if let refusal = next.refusal(
                    of: command, mesh: mesh, at: header.committedTime)
                {
                    throw .command(sequence: command.sequence, refusal)
                }
                next.apply(command, model: header.model, at: header.committedTime)
            }
        }
        next.added = 0
        let attendance = attendance(after: header)
        if header.kind == .round { next.demoteAbsent(attendance, of: roster) }
        if next.roster != roster { next.roster = next.roster.numbered(roster.epoch + 1) }
        next.rosterDigest = header.nextRoster
        next.setAttendance(attendance, of: roster)
        return next
    }

    /// Once these are convicted: a traitor is evicted, unless too few would be left.
    func convicting(_ indices: [Int]) throws(ChainError) -> ChainState {
        guard !indices.isEmpty else { return self }
        var next = self
        try next.convict(indices, of: roster)
        if next.roster != roster { next.roster = next.roster.numbered(roster.epoch + 1) }
        return next
    }

    mutating func convict(_ indices: [Int], of roster: Roster) throws(ChainError) {
        for index in indices {
            guard index < roster.count, !convicted.contains(roster.entries[index].node) else {
                throw .alreadyConvicted(index)
            }
            let node = roster.entries[index].node
            convicted.append(node)
            if self.roster.count > ProtocolLimits.participantsKept,
                !breaches.contains(.traitorsKept)
            {
                remove(node)
            }
        }
        convicted.sort()
    }

    /// The state after one command alone, or nil where it is refused: what a coordinator tries.
    func applying(
        _ command: Command, mesh: MeshID, at time: UInt64
    ) -> ChainState? {
        guard refusal(of: command, mesh: mesh, at: time) == nil else { return nil }
        var next = self
        next.apply(command, model: .zero, at: time)
        return next
    }

    private func activeRun(of header: Header) throws(ChainError) -> ActiveRun {
        guard let active else { throw .noActiveRun }
        guard header.run == active.specification.run, header.round == active.round,
            header.base == active.model
        else { throw .wrongRound }
        return active
    }

    private mutating func closeRound(_ header: Header) throws(ChainError) {
        var run = try activeRun(of: header)
        run.model = header.model
        run.skips = 0
        run.tookMilliseconds.append(header.cutOffMedianMilliseconds)
        if run.tookMilliseconds.count > ProtocolLimits.deadlineRounds {
            run.tookMilliseconds.removeFirst()
        }
        guard run.round < run.specification.rounds else {
            return end(run, .completed, rounds: run.round)
        }
        run.round += 1
        active = run
    }

    private mutating func skipRound(_ header: Header) throws(ChainError) {
        var run = try activeRun(of: header)
        run.skips += 1
        guard run.skips < ProtocolLimits.skipsMax else {
            return end(run, .paused, rounds: run.round - 1)
        }
        active = run
    }

    private mutating func apply(_ command: Command, model: Digest, at time: UInt64) {
        if command.isOfTheAdmin { lastCommandSequence = command.sequence }
        switch command.action {
        case .start(let specification):
            active = ActiveRun(
                specification: specification, round: 1, model: model, skips: 0,
                startedAt: height)
        case .stop(_, let reason):
            guard let run = active else { return }
            end(run, .stopped(reason: reason), rounds: run.round - 1)
        case .witness(let head): auditHead = head
        case .membership(let change): apply(change, at: time)
        }
    }

    private mutating func end(_ run: ActiveRun, _ outcome: FinishedRun.Outcome, rounds: Int) {
        active = nil
        finished.append(
            FinishedRun(
                run: run.specification.run, name: run.specification.name, outcome: outcome,
                rounds: rounds, model: run.model, endedAt: height))
        if finished.count > ProtocolLimits.finishedRunsMax { finished.removeFirst() }
    }
}
