import AegisCore
import AegisProtocol

// The network, and everything that goes wrong.
extension Simulation {
    mutating func send(_ statements: [Statement], from node: Int, to peer: NodeID) {
        for other in nodes.indices where nodes[other].id == peer && other != node {
            guard nodes[other].isUp, !isBlocked[node][other] else { continue }
            // To two processes with one key: one, the other, or both.
            if nodes[other].isByzantine, random.chance(300) { continue }
            if isFaulty, random.chance(options.lossPerMille) { continue }
            let copies = isFaulty && random.chance(options.duplicationPerMille) ? 2 : 1
            for _ in 0..<copies {
                let delay = random.delay(least: 1, usual: options.delayMilliseconds)
                queue.schedule(
                    .deliver(statements, from: nodes[node].id, to: other), at: time + delay)
            }
        }
    }

    mutating func start(_ node: Int) {
        guard !nodes[node].isUp, !nodes[node].isDeadForever || isFaulty else { return }
        if options.mutation == .journalLost, nodes[node].incarnation > 0 {
            nodes[node].disk.loseJournal()
        }
        nodes[node].incarnation += 1
        nodes[node].timers = [:]
        let configuration = ParticipantConfiguration(
            node: nodes[node].id, rules: rules, seed: seed &+ UInt64(node))
        do {
            nodes[node].participant = try Participant(
                configuration: configuration, restoring: nodes[node].disk.durable)
        } catch {
            return checker.fail("node \(node) doesn't believe its own journal: \(error)")
        }
        hint(node) { .peerReachable($0) }
        handle(.start, at: node)
    }

    mutating func crash(_ node: Int) {
        guard nodes[node].isUp else { return }
        note(0xdead &+ UInt64(node))
        nodes[node].participant = nil
        nodes[node].incarnation += 1
        nodes[node].disk.crash()
        checker.forgetBindings(of: node)
        hint(node) { .peerUnreachable($0) }
        queue.schedule(
            .restart(node: node), at: time + random.delay(least: 20, usual: 2_000))
    }

    /// Tells the others that a process is gone or back, as a refused connection does.
    private mutating func hint(_ node: Int, _ input: (NodeID) -> Input) {
        guard options.isHinting, !nodes[node].isByzantine else { return }
        let id = nodes[node].id
        for other in nodes.indices where other != node && nodes[other].isUp {
            let input = input(id)
            schedule(60, of: other) { .input(input, node: other, incarnation: $0) }
        }
    }

    mutating func killCoordinator() {
        guard isFaulty, let interval = options.coordinatorKillInterval else { return }
        queue.schedule(.killCoordinator, at: time + interval)
        guard
            let status = nodes.compactMap(\.participant?.status).max(by: { left, right in
                (left.height, left.view) < (right.height, right.view)
            })
        else { return }
        for node in nodes.indices where nodes[node].id == status.coordinator { crash(node) }
    }

    /// Draws anew who reaches whom: two groups, a link in one direction, or everybody.
    mutating func partition() {
        guard isFaulty, let interval = options.partitionInterval else { return }
        queue.schedule(.partition, at: time + interval / 2 + random.below(interval))
        let isWhole = random.chance(300)
        let isOneWay = random.chance(300)
        let group = nodes.map { _ in random.chance(500) }
        for from in nodes.indices {
            for to in nodes.indices {
                isBlocked[from][to] =
                    !isWhole && (isOneWay ? random.chance(200) : group[from] != group[to])
            }
        }
    }

    mutating func command(_ index: Int) {
        // The admin posts it to everybody, again and again, until it is decided.
        guard checker.chain.last.map({ $0.state.lastCommandSequence <= UInt64(index) }) ?? true
        else { return }
        queue.schedule(.command(index), at: time + 2_000)
        for node in nodes.indices where nodes[node].isUp {
            guard !isFaulty || !random.chance(300) else { continue }
            queue.schedule(
                .deliver([.signed(commands[index])], from: rules.admin, to: node),
                at: time + random.delay(least: 1, usual: options.delayMilliseconds))
        }
    }

    /// Faults end. Those that were to die for good are dead, the others come back.
    mutating func heal() {
        isFaulty = false
        for from in nodes.indices {
            for to in nodes.indices { isBlocked[from][to] = false }
        }
        for index in 0..<options.deadForever {
            let node = nodes.count - 1 - index
            nodes[node].isDeadForever = true
            crash(node)
        }
        for node in nodes.indices where !nodes[node].isUp && !nodes[node].isDeadForever {
            queue.schedule(.restart(node: node), at: time + 100 + random.below(1_000))
        }
    }
}
