import AegisCore
import AegisProtocol

/// A whole mesh in one thread on a virtual clock, around the same core that a node runs. Everything
/// follows from the seed and the options: a failure is replayed by its seed (PROTOCOL.md §7.2).
package struct Simulation {
    package let setup: SimulationSetup
    let options: SimulationOptions
    let rules: MeshRules
    let cryptography: any SimulationCryptography
    let aggregation: SimulatedAggregation
    let commands: [SignedEnvelope]

    var random: SimulationChance
    var queue = EventQueue<SimulationEvent>()
    /// Milliseconds since the start.
    var time = 0
    var isFaulty = true
    var nodes: [SimulatedNode] = []
    /// Who is cut off from whom, by process.
    var isBlocked: [[Bool]]
    /// Until when everything on a link waits, by process.
    var cloggedUntil: [[Int]]
    var checker: SimulationChecker
    var trace: UInt64 = 0
    var eventCount = 0
    var faultCount = 0
    var wishes: [Wish] = []
    let kept: Set<Int>?
    let isRecording: Bool
    let transcript = Transcript()

    /// The start of the true clock, milliseconds since 1970.
    static let epoch = 1_700_000_000_000
    private static let eventsMax = 2_000_000

    package init(_ setup: SimulationSetup, isRecording: Bool = false) {
        self.setup = setup
        self.isRecording = isRecording
        options = setup.options
        kept = setup.keptFaults
        cryptography = setup.cryptography
        random = SimulationChance(setup.seed)
        let mesh = SimulatedMesh(setup.options, setup.cryptography, breaches: setup.breaches)
        rules = mesh.rules.coordinated(by: setup.schedule?.steps.map(\.coordinator) ?? [])
        commands = mesh.commands
        aggregation = SimulatedAggregation(setup.cryptography)
        for (index, entry) in mesh.rules.roster.entries.enumerated() {
            let isTwin = index < setup.options.twins
            let isTraitor = !isTwin && index < setup.options.twins + setup.options.traitors
            let skew = setup.options.skewMilliseconds
            for copy in 0..<(isTwin ? 2 : 1) {
                nodes.append(
                    SimulatedNode(
                        id: entry.node, name: entry.name + (copy > 0 ? "b" : ""),
                        isByzantine: isTwin || isTraitor, isFounder: true,
                        traitor: isTraitor ? Traitor(entry.node, mesh.rules) : nil,
                        disk: SimulatedDisk(mesh.rules.initialState),
                        isSlow: random[.clock].chance(setup.options.slow),
                        clockOffset: random[.clock].number(in: -skew...skew) + copy * 300))
            }
        }
        for number in 0..<setup.options.joins {
            nodes.append(
                SimulatedNode(
                    id: setup.cryptography.node(UInt8(Wish.newcomer + number)),
                    name: "new-\(number)", isByzantine: false, isFounder: false,
                    disk: SimulatedDisk(mesh.rules.initialState),
                    isSlow: random[.clock].chance(setup.options.slow),
                    clockOffset: random[.clock].number(in: -500...500)))
        }
        for number in 0..<setup.options.clones {
            let original = nodes[nodes.count - 1 - setup.options.joins - 2 * number]
            nodes.append(
                SimulatedNode(
                    id: original.id, name: original.name + "b", isByzantine: true,
                    isFounder: false, disk: SimulatedDisk(mesh.rules.initialState),
                    isSlow: false, clockOffset: original.clockOffset))
        }
        if setup.options.driftPerMillion > 0 {
            let most = setup.options.driftPerMillion
            for node in nodes { node.drift = random[.clock].number(in: -most...most) }
        }
        checker = SimulationChecker(
            mesh.rules.unbroken, names: nodes.map(\.name),
            isDurabilityChecked: setup.mutation == nil, isForkExpected: setup.options.forks > 0)
        isBlocked = Array(
            repeating: Array(repeating: false, count: nodes.count), count: nodes.count)
        cloggedUntil = Array(
            repeating: Array(repeating: 0, count: nodes.count), count: nodes.count)
    }

    /// What happened, a line for each thing; empty unless it was to be recorded.
    package var lines: [String] { transcript.lines }

    /// Runs to the end and says how it went.
    package mutating func run() -> SimulationReport {
        for index in nodes.indices where nodes[index].isFounder {
            queue.schedule(.restart(node: index), at: random[.process].below(50))
        }
        for index in commands.indices {
            queue.schedule(.command(index), at: 60 + index * options.faultMilliseconds / 2)
        }
        for (event, interval) in [
            (SimulationEvent.partition, options.partitionInterval),
            (.killCoordinator, options.coordinatorKillInterval),
            (.pause, options.pauseInterval), (.clockJump, options.clockJumpInterval),
            (.fullDisk, options.fullDiskInterval), (.powerCut(again: 0), options.stormInterval),
            (.clog, options.clogInterval), (.hostileAdmin, options.hostileAdminInterval),
        ] where interval > 0 {
            queue.schedule(event, at: interval)
        }
        scheduleRollbacks()
        scheduleFailingMachines()
        scheduleWishes()
        queue.schedule(.heal, at: options.faultMilliseconds)
        let end = options.faultMilliseconds + options.healMilliseconds
        while checker.violation == nil, let (at, event) = queue.next() {
            time = at
            if at > end, isLate() { break }
            if eventCount > Self.eventsMax { checker.fail("I17: events without end") }
            if !isFaulty, isDone { break }
            eventCount += 1
            happen(event)
        }
        if checker.violation == nil, !isDone, !mayBeStuck {
            checker.fail("I16: nothing happens: \(unfinished)")
        }
        if checker.violation == nil, checker.isForked { checker.checkForkEvidence(nodes) }
        if let violation = checker.violation { record(nil, "VIOLATION \(violation)") }
        return SimulationReport(
            setup: setup, violation: checker.violation, trace: trace, events: eventCount,
            faults: faultCount, milliseconds: time, heights: checker.chain.count,
            isForked: checker.isForked, deadlines: deadlines)
    }

    private mutating func happen(_ event: SimulationEvent) {
        if let node = event.node, nodes[node].pausedUntil > time {
            return queue.schedule(event, at: nodes[node].pausedUntil)
        }
        switch event {
        case .deliver(let statements, let sender, let node):
            if checker.isForkExpected, !nodes[node].isByzantine {
                for statement in statements { checker.hears(statement) }
            }
            for statement in statements {
                handle(.received(passedOn(statement), from: sender), at: node)
                attack(seeing: statement, from: sender, at: node)
            }
        case .input(let input, let node, let incarnation):
            if isCurrent(node, incarnation) { handle(input, at: node) }
        case .timer(let timer, let node, let incarnation, let at):
            guard isCurrent(node, incarnation), nodes[node].timers[timer.position] == at else {
                return
            }
            nodes[node].timers[timer.position] = nil
            handle(.elapsed(timer), at: node)
        case .trained(let request, let node, let incarnation, let training):
            guard isCurrent(node, incarnation), nodes[node].training == training else { return }
            finishTraining(request, at: node)
        case .fetch(let request, let node, let incarnation, let attempt):
            if isCurrent(node, incarnation) { fetch(request, at: node, attempt: attempt) }
        case .synchronise(let peers, let height, let node, let incarnation):
            guard isCurrent(node, incarnation) else { return }
            synchronise(from: peers, height: height, at: node)
        case .restart(let node): start(node)
        case .command(let index): command(index)
        case .partition: partition()
        case .killCoordinator: killCoordinator()
        case .pause: pause()
        case .clockJump: clockJump()
        case .snapshot(let node): nodes[node].snapshot = nodes[node].disk
        case .rollBack(let node): rollBack(node)
        case .loseCommits(let node): loseCommits(node)
        case .leaveForLong(let node): leaveForLong(node)
        case .wish(let index): wish(index)
        case .lie(let node): lie(node)
        case .rot(let node): rot(node)
        case .fullDisk: fullDisk()
        case .powerCut(let again): powerCut(again: again)
        case .clone(let node, let copy): clone(node, as: copy)
        case .clog: clog()
        case .hostileAdmin: hostileAdmin()
        case .heal: heal()
        }
    }

    /// Now and then through its bytes, as on a wire.
    private mutating func passedOn(_ statement: Statement) -> Statement {
        guard random[.work].chance(40) else { return statement }
        guard let decoded = try? Statement(decoding: statement.encoded), decoded == statement
        else {
            checker.fail("a statement doesn't survive its encoding")
            return statement
        }
        return decoded
    }

    private func isCurrent(_ node: Int, _ incarnation: Int) -> Bool {
        nodes[node].isUp && nodes[node].incarnation == incarnation
    }

    /// I16: every honest node that lives has the run behind it, at one tip.
    private var isDone: Bool {
        // I14: whoever keeps the rules has noticed, and stopped.
        if checker.isForked {
            return nodes.allSatisfy {
                $0.isByzantine || $0.isDeadForever || $0.participant?.isHalted ?? false
            }
        }
        guard let last = checker.chain.last?.state, !last.finished.isEmpty,
            wishes.allSatisfy({ isOver($0, in: last) })
        else { return false }
        return nodes.allSatisfy { node in
            node.isByzantine || node.isDeadForever || last.roster.member(node.id) == nil
                || node.tip.map { $0 == (last.height, last.tip) } ?? false
        } && isFinal(last)
    }

    /// I18: where enough are left to co-sign the last height, they know that it is final.
    private func isFinal(_ last: ChainState) -> Bool {
        let before = checker.chain.dropLast().last?.state ?? rules.initialState
        let coSigning = nodes.filter {
            !$0.isByzantine && !$0.isDeadForever && last.roster.contains($0.id)
                && $0.participant?.isCoSigning ?? false
        }
        return coSigning.count < before.roster.finalQuorum
            || coSigning.allSatisfy { $0.participant?.finalHeight == last.height }
    }

    /// More traitors than a mesh bears may stop it; only a fork must be noticed.
    private var mayBeStuck: Bool { options.forks > 0 && !checker.isForked }

    /// Whether the time is over. Somebody should have done something by now.
    private mutating func isLate() -> Bool {
        guard !mayBeStuck else { return true }
        checker.fail("\(checker.isForked ? "I14: not noticed" : "I16: not done"): \(unfinished)")
        return false
    }

    /// T_soft of each round, and whether the last founder's update was in it.
    private var deadlines: [SimulationReport.Deadline] {
        guard options.adaptiveMilliseconds > 0, nodes.indices.contains(lastFounder) else {
            return []
        }
        let states = checker.chain.map(\.state)
        return zip(states, states.dropFirst()).compactMap { before, after in
            guard let run = before.active, after.active?.round != run.round,
                let index = after.roster.index(of: nodes[lastFounder].id)
            else { return nil }
            return .init(
                round: run.round, milliseconds: before.softMilliseconds ?? 0,
                isIncluded: after.attendance[index].missed == 0)
        }
    }

    private var unfinished: String {
        let states = nodes.map { node -> String in
            guard let participant = node.participant else { return "\(node.name) down" }
            let status = participant.status
            return "\(node.name) \(status.height)/\(status.view) \(status.phase)"
                + (status.round.map { " round \($0)" } ?? "")
                + (node.isByzantine ? " (byzantine)" : "")
        }
        let state = checker.chain.last?.state ?? rules.initialState
        let open = wishes.filter { !isOver($0, in: state) }.map { "\($0.kind)" }
        return states.joined(separator: ", ") + "; \(checker.chain.count) heights decided"
            + (open.isEmpty ? "" : "; not yet: \(open.joined(separator: ", "))")
    }

    mutating func note(_ word: UInt64) {
        trace = (trace ^ word) &* 0x0000_0100_0000_01b3
        trace ^= trace >> 29
    }
}
