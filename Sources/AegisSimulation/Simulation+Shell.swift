import AegisCore
import AegisProtocol

// The shell of a simulated node: performs the effects in their order, and may die at any of them.
extension Simulation {
    mutating func handle(_ input: Input, at node: Int) {
        var inputs = [input]
        while !inputs.isEmpty {
            guard nodes[node].isUp else { return }
            let input = inputs.removeFirst()
            let wallTime = UInt64(Self.epoch + time + nodes[node].clockOffset)
            let now = Instant(nanoseconds: UInt64(time) * 1_000_000)
            guard
                let effects = nodes[node].participant?.handle(
                    input, at: now, wallTime: wallTime)
            else { return }
            note(UInt64(time) &* 31 &+ UInt64(node) &* 7 &+ UInt64(effects.count))
            for effect in effects {
                if isFaulty, options.crashRate > 0, random.below(100_000) < options.crashRate {
                    return crash(node)
                }
                guard let next = perform(effect, at: node) else { return crash(node) }
                inputs += next
            }
            if !nodes[node].isByzantine, let bindings = nodes[node].participant?.bindings {
                checker.bound(node, by: bindings)
            }
        }
    }

    /// The inputs that follow at once; nil where the node dies of it.
    private mutating func perform(_ effect: Effect, at node: Int) -> [Input]? {
        switch effect {
        case .persist(let record):
            nodes[node].disk.append(record)
            if options.mutation != .vote2NotDurable { nodes[node].disk.synchroniseJournal() }
        case .sign(let slot, let payload, let peers):
            return sign(slot, payload, to: peers, at: node)
        case .send(let statements, let peers):
            for peer in peers { send(statements, from: node, to: peer) }
        case .startTimer(let timer, let at):
            let at = Int(at.nanoseconds / 1_000_000) + 1
            nodes[node].timers[timer] = at
            queue.schedule(
                .timer(timer, node: node, incarnation: nodes[node].incarnation, at: at),
                at: max(at, time))
        case .cancelTimer(let timer): nodes[node].timers[timer] = nil
        case .fetch(let request):
            schedule(5, of: node) {
                .fetch(request, node: node, incarnation: $0, attempt: 0)
            }
        case .train(let request):
            nodes[node].training += 1
            let training = nodes[node].training
            let slow = random.chance(100) ? 3_000 : 200
            schedule(slow, of: node) {
                .trained(request, node: node, incarnation: $0, training: training)
            }
        case .cancelTraining: nodes[node].training += 1
        case .compute(let request):
            let result = computed(request)
            schedule(20, of: node) {
                .input(.computed(request, result), node: node, incarnation: $0)
            }
        case .apply(let record, let state): apply(record, state, at: node)
        case .synchronise(let peers, let height):
            schedule(20, of: node) {
                .synchronise(peers, height: height, node: node, incarnation: $0)
            }
        case .observe: break
        }
        return []
    }

    mutating func schedule(
        _ delay: Int, of node: Int, _ event: (Int) -> SimulationEvent
    ) {
        queue.schedule(event(nodes[node].incarnation), at: time + 1 + random.below(delay))
    }

    private mutating func sign(
        _ slot: SigningSlot, _ payload: [UInt8], to peers: [NodeID], at node: Int
    ) -> [Input]? {
        let envelope = cryptography.sign(slot.type, from: nodes[node].id, payload: payload)
        if let recorded = nodes[node].disk.recorded(slot), recorded != envelope {
            checker.fail("R12: node \(node) was asked for a second content of slot \(slot)")
            return nil
        }
        nodes[node].disk.append(.signed(slot, envelope))
        if isSynchronised(before: slot) { nodes[node].disk.synchroniseJournal() }
        if !nodes[node].isByzantine { checker.signs(node, slot, payload) }
        note(UInt64(payload.count) &* 131 &+ UInt64(envelope.signature[0]))
        if case .update = slot, let statement = try? UpdateStatement(payload: payload) {
            checker.released(statement, as: cryptography.digest(envelope.bytes))
        }
        for peer in peers { send([.signed(envelope)], from: node, to: peer) }
        switch slot {
        case .vote1, .vote2, .timeout:
            if isFaulty, random.chance(options.crashOnVotePerMille) { return nil }
        case .update, .abstention, .haveList, .proposal: break
        }
        return [.signed(slot, envelope)]
    }

    /// The duty that the mutants neglect.
    private func isSynchronised(before slot: SigningSlot) -> Bool {
        switch (options.mutation, slot) {
        case (.vote1NotDurable, .vote1), (.vote2NotDurable, .vote2),
            (.timeoutNotDurable, .timeout):
            false
        default: true
        }
    }

    private func computed(_ request: ComputeRequest) -> ComputeResult {
        let result = aggregation.result(of: request)
        guard options.mutation == .aggregateForged else { return result }
        return ComputeResult(aggregate: result.aggregate, model: result.aggregate)
    }

    private mutating func apply(_ record: CommitRecord, _ state: ChainState, at node: Int) {
        nodes[node].disk.append(record, state)
        if options.mutation != .commitNotDurable || random.chance(500) {
            nodes[node].disk.synchroniseCommits()
        }
        note(state.height &* 977)
        guard !nodes[node].isByzantine else { return }
        let honest = nodes.filter { !$0.isByzantine }
        checker.commits(node, record) { blob in honest.contains { $0.disk.blobs.contains(blob) } }
    }

    mutating func finishTraining(_ request: TrainingRequest, at node: Int) {
        let key = SimulatedDisk.ReleaseKey(run: request.specification.run, round: request.round)
        if let released = nodes[node].disk.released[key] {
            return handle(.trained(released), at: node)
        }
        if isFaulty, random.chance(options.abstentionPerMille) {
            return handle(
                .abstained(
                    request.specification.run, round: request.round, reason: "no budget"),
                at: node)
        }
        let content = request.base.bytes + [UInt8(node), UInt8(request.round)]
        guard
            let blob = UpdateBlob(digest: cryptography.digest(content), byteCount: 100)
        else { return }
        let draft = UpdateDraft(
            run: request.specification.run, round: request.round, base: request.base, blob: blob,
            expiresAt: UInt64(Self.epoch + 100_000_000))
        nodes[node].disk.blobs.insert(blob.digest)
        nodes[node].disk.released[key] = draft
        handle(.trained(draft), at: node)
    }

    mutating func fetch(_ request: FetchRequest, at node: Int, attempt: Int) {
        let blob = request.statement.blob.digest
        let isHere = nodes[node].disk.blobs.contains(blob)
        let isThere = nodes.indices.contains { other in
            request.from.contains(nodes[other].id) && nodes[other].isUp
                && !isBlocked[other][node] && !isBlocked[node][other]
                && nodes[other].disk.blobs.contains(blob)
        }
        if isHere || isThere {
            nodes[node].disk.blobs.insert(blob)
            return handle(.held(update: request.update), at: node)
        }
        guard attempt < 20 else { return }
        schedule(500, of: node) {
            .fetch(request, node: node, incarnation: $0, attempt: attempt + 1)
        }
    }

    mutating func synchronise(from peers: [NodeID], height: UInt64, at node: Int) {
        for peer in peers {
            for other in nodes.indices where nodes[other].id == peer && nodes[other].isUp {
                guard !isBlocked[other][node], !isBlocked[node][other] else { continue }
                let records = nodes[other].disk.commits(from: height, count: 16)
                for record in records {
                    handle(.received(.commit(record), from: peer), at: node)
                }
                if !records.isEmpty { return }
            }
        }
    }
}
