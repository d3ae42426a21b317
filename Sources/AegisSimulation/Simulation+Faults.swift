import AegisCore
import AegisProtocol

// The network, and everything that goes wrong without anybody's intent.
extension Simulation {
    mutating func send(_ statements: [Statement], from node: Int, to peer: NodeID) {
        let isTraitor = nodes[node].isTraitor
        if isTraitor, attacks(options.withholding, at: node) { return }
        let isLate = isTraitor && attacks(options.lateness, at: node)
        for other in nodes.indices where nodes[other].id == peer && other != node {
            guard nodes[other].isUp, !isBlocked[node][other] else { continue }
            if setup.schedule != nil {
                sendAsScheduled(statements, from: node, to: other)
                continue
            }
            // To two processes with one key: one, the other, or both.
            if nodes[other].isByzantine, !nodes[other].isTraitor,
                random[.network].chance(300)
            {
                continue
            }
            if strikes(.loss, options.loss, at: other) { continue }
            let copies = strikes(.duplication, options.duplication, at: other) ? 2 : 1
            for _ in 0..<copies {
                var delay = 1 + random[.network].below(options.delayMilliseconds + 1)
                if strikes(.straggling, options.straggling, at: other) { delay *= 40 }
                if isLate { delay += random[.traitor].below(8_000) }
                queue.schedule(
                    .deliver(statements, from: nodes[node].id, to: other),
                    at: max(time + delay, cloggedUntil[node][other]))
            }
        }
    }

    mutating func start(_ node: Int) {
        guard !nodes[node].isUp, !nodes[node].isDeadForever || isFaulty, !nodes[node].isAway else {
            return
        }
        if setup.mutation == .journalLost, nodes[node].incarnation > 0 {
            nodes[node].disk.loseJournal()
        }
        if let new = nodes[node].rekeyed, nodes[node].disk.hasMember(new) {
            nodes[node].id = new
            nodes[node].disk.loseJournal()
        }
        nodes[node].rekeyed = nil
        nodes[node].incarnation += 1
        for timer in TimerID.allCases { nodes[node].timers[timer.position] = nil }
        // Two processes with one key would notice each other and fall silent, as they should.
        let isTwin =
            nodes[node].isByzantine && !nodes[node].isTraitor && !nodes[node].isCloned
        let configuration = ParticipantConfiguration(
            node: nodes[node].id, rules: isTwin ? rules.breaking(.forgettingIgnored) : rules,
            seed: setup.seed &+ UInt64(node))
        do {
            nodes[node].start(
                try Participant(
                    configuration: configuration, restoring: nodes[node].disk.durable))
        } catch {
            return checker.fail("\(nodes[node].name) doesn't believe its own journal: \(error)")
        }
        record(node, "starts")
        hint(node) { .peerReachable($0) }
        handle(.start, at: node)
    }

    mutating func crash(_ node: Int) {
        guard nodes[node].isUp else { return }
        note(0xdead &+ UInt64(node))
        record(node, "is down")
        nodes[node].stop()
        nodes[node].incarnation += 1
        let pending = nodes[node].disk.pendingCount
        let isTorn =
            pending > 0 && strikes(.tornWrite, options.tornWrite, at: node, from: .process)
        nodes[node].disk.crash(keeping: isTorn ? random[.process].below(pending) : 0)
        if nodes[node].disk.isLying { nodes[node].isRolledBack = true }
        checker.forgetBindings(of: node)
        hint(node) { .peerUnreachable($0) }
        let isLong = random[.process].chance(30)
        queue.schedule(
            .restart(node: node), at: time + 20 + random[.process].below(isLong ? 60_000 : 2_000))
    }

    /// Tells the others that a process is gone or back, as a refused connection does.
    private mutating func hint(_ node: Int, _ input: (NodeID) -> Input) {
        guard options.hinting > 0, !nodes[node].isByzantine else { return }
        let id = nodes[node].id
        for other in nodes.indices where other != node && nodes[other].isUp {
            let input = input(id)
            schedule(60, of: other) { .input(input, node: other, incarnation: $0) }
        }
    }

    mutating func killCoordinator() {
        guard isFaulty else { return }
        queue.schedule(.killCoordinator, at: time + options.coordinatorKillInterval)
        guard
            let status = nodes.compactMap(\.participant?.status).max(by: { left, right in
                (left.height, left.view) < (right.height, right.view)
            })
        else { return }
        for node in nodes.indices
        where nodes[node].id == status.coordinator && isKept(.kill, at: node) {
            crash(node)
        }
    }

    /// The last nodes' disks are put back to how they were some time before.
    mutating func scheduleRollbacks() {
        for count in 0..<options.absentees {
            queue.schedule(.leaveForLong(node: lastFounder - count), at: 400)
        }
        for count in 0..<options.commitLosses {
            let node = lastFounder - options.rollbacks - count
            let at = random[.process].below(options.faultMilliseconds)
            queue.schedule(.loseCommits(node: node), at: at)
        }
        for count in 0..<options.rollbacks {
            let node = lastFounder - count
            let first = random[.process].below(options.faultMilliseconds)
            let second = first + random[.process].below(options.faultMilliseconds - first)
            queue.schedule(.snapshot(node: node), at: first)
            queue.schedule(.rollBack(node: node), at: second)
        }
    }

    var lastFounder: Int { nodes.count - 1 - options.joins - options.clones }

    /// A restored snapshot of the machine (§2.11).
    mutating func rollBack(_ node: Int) {
        guard let snapshot = nodes[node].snapshot, isKept(.rollback, at: node) else { return }
        crash(node)
        nodes[node].disk = snapshot
        nodes[node].isRolledBack = true
    }

    /// Its machine is off until everything heals.
    mutating func leaveForLong(_ node: Int) {
        guard isFaulty, isKept(.absence, at: node) else { return }
        nodes[node].isAway = true
        crash(node)
    }

    /// As where a database was restored, and not the journal beside it.
    mutating func loseCommits(_ node: Int) {
        guard nodes[node].isUp, isKept(.commitLoss, at: node) else { return }
        crash(node)
        nodes[node].disk.loseCommits(1 + random[.process].below(2), rules)
    }

    /// A process stands still; what reaches it waits.
    mutating func pause() {
        guard isFaulty else { return }
        queue.schedule(
            .pause,
            at: time + options.pauseInterval / 2 + random[.process].below(options.pauseInterval))
        let node = random[.process].below(nodes.count)
        let length = random[.process].below(options.pauseMilliseconds + 1)
        guard isKept(.pause, at: node) else { return }
        record(node, "stands still for \(length) ms")
        nodes[node].pausedUntil = time + length
        // After a while the others see that it doesn't answer.
        guard length > 3_500, options.hinting > 0, !nodes[node].isByzantine else { return }
        let id = nodes[node].id
        for other in nodes.indices where other != node && nodes[other].isUp {
            queue.schedule(
                .input(.peerSilent(id), node: other, incarnation: nodes[other].incarnation),
                at: time + 3_000 + random[.process].below(500))
        }
    }

    /// A node's wall clock jumps by up to ten minutes.
    mutating func clockJump() {
        guard isFaulty else { return }
        queue.schedule(
            .clockJump,
            at: time + options.clockJumpInterval / 2
                + random[.clock].below(options.clockJumpInterval))
        let node = random[.clock].below(nodes.count)
        let offset = random[.clock].number(in: -600_000...600_000)
        guard isKept(.clockJump, at: node) else { return }
        nodes[node].clockOffset = offset
    }

    /// Draws anew who reaches whom: two groups, one alone, single links in one direction, or
    /// everybody everybody.
    mutating func partition() {
        guard isFaulty else { return }
        let interval = options.partitionInterval
        queue.schedule(
            .partition, at: time + interval / 2 + random[.network].below(interval))
        let shape = random[.network].below(10)
        let alone = random[.network].below(nodes.count)
        let group = nodes.indices.map { node in
            let isThere = shape < 5 ? random[.network].chance(500) : node == alone
            // Traitors who want a fork see to it that both sides have one of each of them.
            return options.forks > 0 && nodes[node].isByzantine
                ? nodes[node].name.hasSuffix("b") : isThere
        }
        let links = nodes.map { _ in nodes.map { _ in random[.network].chance(200) } }
        let isCut = shape < 8 && isKept(.partition, at: -1)
        for from in nodes.indices {
            for to in nodes.indices {
                isBlocked[from][to] =
                    isCut && (shape < 6 ? group[from] != group[to] : links[from][to])
            }
        }
        guard isCut else { return }
        record(nil, "cut: \(cutLinks)")
    }

    private var cutLinks: String {
        nodes.indices.flatMap { from in
            nodes.indices.filter { from != $0 && isBlocked[from][$0] }.map {
                "\(nodes[from].name)→\(nodes[$0].name)"
            }
        }.joined(separator: " ")
    }

    mutating func command(_ index: Int) {
        // The admin posts it to everybody, again and again, until it is decided.
        guard checker.chain.last.map({ $0.state.lastCommandSequence <= UInt64(index) }) ?? true
        else { return }
        queue.schedule(.command(index), at: time + 2_000)
        // Gone until everything heals, it has told one node.
        let isSilent = options.adminSilence > 0 && isFaulty
        if isSilent, time > 10_000 { return }
        let only = isSilent ? random[.network].below(nodes.count) : -1
        for node in nodes.indices where nodes[node].isUp && (!isSilent || node == only) {
            guard !isFaulty || !random[.network].chance(300) else { continue }
            queue.schedule(
                .deliver([.signed(commands[index])], from: rules.admin, to: node),
                at: time + 1 + random[.network].below(options.delayMilliseconds + 1))
        }
    }

    /// Faults end. Those that were to die for good are dead, the others come back.
    mutating func heal() {
        isFaulty = false
        for node in nodes.indices { nodes[node].isAway = false }
        record(nil, "everything heals")
        for from in nodes.indices {
            for to in nodes.indices { isBlocked[from][to] = false }
            nodes[from].pausedUntil = min(nodes[from].pausedUntil, time)
            nodes[from].diskFullUntil = 0
            nodes[from].disk.endLying()
        }
        for index in 0..<options.deadForever {
            let node = lastFounder - index
            nodes[node].isDeadForever = true
            crash(node)
        }
        for node in nodes.indices
        where !nodes[node].isUp && !nodes[node].isDeadForever && nodes[node].incarnation > 0 {
            queue.schedule(
                .restart(node: node), at: time + 100 + random[.process].below(1_000))
        }
    }
}
