import AegisCore

/// When each timer is due, so that an elapsed one that was moved meanwhile is recognised.
struct TimerTable: Sendable {
    private var deadlines: [Instant?] = Array(repeating: nil, count: TimerID.allCases.count)

    subscript(timer: TimerID) -> Instant? {
        get { deadlines[timer.index] }
        set { deadlines[timer.index] = newValue }
    }
}

extension TimerID {
    fileprivate var index: Int {
        switch self {
        case .view: 0
        case .softDeadline: 1
        case .hardDeadline: 2
        case .command: 3
        case .retransmission: 4
        case .catchUp: 5
        case .training: 6
        }
    }
}

extension Participant {
    mutating func startTimer(_ timer: TimerID, after duration: Duration) {
        let deadline = now + duration
        timers[timer] = deadline
        perform(.startTimer(timer, at: deadline))
    }

    mutating func cancelTimer(_ timer: TimerID) {
        guard timers[timer] != nil else { return }
        timers[timer] = nil
        perform(.cancelTimer(timer))
    }

    mutating func elapsed(_ timer: TimerID) {
        guard let deadline = timers[timer] else { return }
        // Of an earlier start: the shell's timer may have been replaced by this one.
        guard deadline <= now else { return perform(.startTimer(timer, at: deadline)) }
        timers[timer] = nil
        switch timer {
        case .view: viewElapsed()
        case .softDeadline: round?.isSoftPassed = true
        case .hardDeadline:
            round?.isSoftPassed = true
            round?.isHardPassed = true
        case .command: isCommandDue = true
        case .retransmission: retransmit()
        case .catchUp: catchUpElapsed()
        case .training: train()
        }
    }

    /// R1, R6: the timer of a view runs while this node waits for the view to end well: since its
    /// own cut-off, since a proposal, or where an election bound the coordinator to a certified
    /// value.
    mutating func considerViewTimer() {
        let isWaiting =
            agreement.isOpen
            && (agreement.ownList?.statement.scope.view == agreement.view
                || agreement.candidate != nil || agreement.election?.highest != nil
                || agreement.vote1?.view == agreement.view
                || agreement.vote2View == Int64(agreement.view))
        guard isWaiting else { return cancelTimer(.view) }
        // A coordinator that is gone or frozen is not waited for as long as others (§2.12).
        let hinted = hintedViewTimeout
        if let deadline = timers[.view] {
            if let hinted, now + hinted < deadline { startTimer(.view, after: hinted) }
            return
        }
        startTimer(.view, after: hinted ?? random.jittered(viewTimeout(agreement.view)))
    }

    private var hintedViewTimeout: Duration? {
        let timing = configuration.timing
        if unreachable.contains(coordinator) { return timing.deadCoordinatorTimeout }
        guard silent.contains(coordinator) else { return nil }
        // Doubling like every view's: where all are slow, the views still become long enough.
        return min(
            timing.silentCoordinatorTimeout * (1 << Int(min(agreement.view, 5))),
            viewTimeout(agreement.view))
    }

    /// B·2^min(v, 5), at most the maximum (§2.12).
    func viewTimeout(_ view: UInt32) -> Duration {
        let base = Duration.milliseconds(Int64(rules.policy.viewTimeoutMilliseconds))
        return min(base * (1 << Int(min(view, 5))), configuration.timing.viewTimeoutMax)
    }

    mutating func setReachable(_ isReachable: Bool, _ node: NodeID) {
        guard node != configuration.node, rules.roster.contains(node) else { return }
        if isReachable {
            unreachable.remove(node)
            silent.remove(node)
        } else {
            unreachable.insert(node)
        }
    }
}
