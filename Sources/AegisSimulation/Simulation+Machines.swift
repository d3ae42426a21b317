import AegisCore
import AegisProtocol

// Disks, machines and links that fail in rarer ways (PROTOCOL.md §7.2).
extension Simulation {
    /// The last founders, ahead of those whose disks go back in time.
    mutating func scheduleFailingMachines() {
        var node = lastFounder - options.rollbacks - options.deadForever
        // Copies were added at the end, of the last founders.
        for copy in 0..<options.clones {
            queue.schedule(
                .clone(node: lastFounder - copy, as: nodes.count - options.clones + copy),
                at: random[.process].below(options.faultMilliseconds))
        }
        node -= options.clones
        for _ in 0..<options.lyingDisks {
            queue.schedule(
                .lie(node: node), at: random[.process].below(options.faultMilliseconds))
            node -= 1
        }
        for _ in 0..<options.rottenDisks {
            queue.schedule(
                .rot(node: node), at: random[.process].below(options.faultMilliseconds))
            node -= 1
        }
    }

    mutating func lie(_ node: Int) {
        guard isFaulty, isKept(.lyingDisk, at: node) else { return }
        nodes[node].disk.beginLying()
        // So that it matters.
        queue.schedule(
            .powerCut(again: -1 - node), at: time + random[.process].below(5_000))
    }

    mutating func rot(_ node: Int) {
        guard isKept(.rottenDisk, at: node) else { return }
        crash(node)
        nodes[node].disk.rot()
    }

    mutating func fullDisk() {
        guard isFaulty else { return }
        let interval = options.fullDiskInterval
        queue.schedule(
            .fullDisk, at: time + interval / 2 + random[.process].below(interval))
        let node = random[.process].below(nodes.count)
        let length = random[.process].below(5_000)
        guard isKept(.fullDisk, at: node) else { return }
        nodes[node].diskFullUntil = time + length
    }

    /// A write that fails ends the process.
    func isRefused(_ effect: Effect, at node: Int) -> Bool {
        guard nodes[node].diskFullUntil > time else { return false }
        switch effect {
        case .persist, .sign, .apply, .keep: return true
        case .send, .startTimer, .cancelTimer, .fetch, .train, .cancelTraining, .compute,
            .synchronise, .observe:
            return false
        }
    }

    /// Most processes die at once, start, and die again some times. Below zero: of one node only.
    mutating func powerCut(again: Int) {
        guard isFaulty else { return }
        guard again >= 0 else { return crash(-1 - again) }
        let interval = options.stormInterval
        queue.schedule(
            .powerCut(again: again < 3 ? again + 1 : 0),
            at: time
                + (again < 3
                    ? 50 + random[.process].below(1_500)
                    : interval / 2 + random[.process].below(interval)))
        for node in nodes.indices
        where random[.process].chance(700) && isKept(.powerCut, at: node) {
            crash(node)
        }
    }

    /// A snapshot of a running machine is started elsewhere: two of it from here on.
    mutating func clone(_ node: Int, as copy: Int) {
        guard nodes[node].isUp, isKept(.cloning, at: node) else { return }
        nodes[node].beCloned()
        nodes[copy].isCloned = true
        nodes[copy].disk = nodes[node].disk
        start(copy)
    }

    mutating func clog() {
        guard isFaulty else { return }
        let interval = options.clogInterval
        queue.schedule(.clog, at: time + interval / 2 + random[.network].below(interval))
        let (from, to) = (
            random[.network].below(nodes.count), random[.network].below(nodes.count)
        )
        let length = random[.network].below(6_000)
        guard isKept(.clog, at: to) else { return }
        cloggedUntil[from][to] = time + length
    }
}

// An admin that lies: nothing but what it may decide happens, and the same everywhere.
extension Simulation {
    /// Another command under the same number for each half of the mesh, and an old one again.
    mutating func hostileAdmin() {
        guard isFaulty else { return }
        let interval = options.hostileAdminInterval
        queue.schedule(
            .hostileAdmin, at: time + interval / 2 + random[.process].below(interval))
        // The run comes first: its command has the first number.
        guard let state = checker.chain.last?.state, state.lastCommandSequence > 0,
            isKept(.hostileAdmin, at: -1)
        else { return }
        let sequence = state.lastCommandSequence + UInt64(random[.process].below(3))
        let said = [hostileAction(state), hostileAction(state)].map { action in
            let command = Command(
                mesh: rules.mesh, sequence: sequence, expiresAt: UInt64(Int64.max),
                action: action)
            return cryptography.sign(.command, from: rules.admin, payload: command.payload)
        }
        for node in nodes.indices where nodes[node].isUp {
            let old = random[.process].chance(200)
            let envelope = old ? commands[0] : said[random[.process].below(said.count)]
            queue.schedule(
                .deliver([.signed(envelope)], from: rules.admin, to: node),
                at: time + 1 + random[.network].below(options.delayMilliseconds + 1))
        }
    }

    private mutating func hostileAction(_ state: ChainState) -> Command.Action {
        let member = nodes[random[.process].below(lastFounder + 1)].id
        switch random[.process].below(6) {
        case 0:
            let records = UInt64(random[.process].below(20))
            return .witness(
                AuditHead(records: records, digest: cryptography.digest([UInt8(records), 3])))
        case 1: return .membership(.suspend(member, reason: "hostile"))
        case 2: return .membership(.resume(member))
        case 3: return .membership(.evict(member, reason: "hostile"))
        case 4: return .membership(.promote(member))
        default:
            return state.active.map { .stop($0.specification.run, reason: "hostile") }
                ?? .membership(.resume(member))
        }
    }
}
