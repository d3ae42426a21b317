import AegisCore
import AegisProtocol

// The shell of a simulated node: performs the effects in their order, with one flush for
// neighbouring durable ones, and may die at any of them.
extension Simulation {
    /// What waits to be flushed before it is sent.
    private struct Signing {
        let slot: SigningSlot
        let payload: [UInt8]
        let envelope: SignedEnvelope
        let peers: [NodeID]
    }

    mutating func handle(_ input: Input, at node: Int) {
        var inputs = [input]
        var position = 0
        while position < inputs.count {
            let wallTime = UInt64(
                Self.epoch + time + nodes[node].clockOffset
                    + time * nodes[node].drift / 1_000_000)
            let now = Instant(nanoseconds: UInt64(time) * 1_000_000)
            guard
                let (effects, measures) = nodes[node].handle(
                    inputs[position], at: now, wallTime: wallTime)
            else { return }
            position += 1
            note(UInt64(time) &* 31 &+ UInt64(node) &* 7 &+ UInt64(effects.count))
            guard let next = perform(effects, at: node) else { return crash(node) }
            if nodes[node].rekeyed != nil { return crash(node) }
            inputs += next
            if nodes[node].isTrusted { check(measures, of: node) }
        }
    }

    /// I5, I17.
    private mutating func check(_ measures: ParticipantMeasures, of node: Int) {
        checker.bound(node, by: measures.bindings)
        if !measures.isWithinLimits {
            checker.fail("I17: \(nodes[node].name) holds more than its limits allow")
        }
    }

    /// The inputs that follow at once; nil where the node dies of it.
    private mutating func perform(_ effects: [Effect], at node: Int) -> [Input]? {
        var batch: [Signing] = []
        var inputs: [Input] = []
        for effect in effects {
            if strikes(.crash, options.crashRate, of: 100_000, at: node, from: .process) {
                return nil
            }
            if isRefused(effect, at: node) { return nil }
            switch effect {
            case .persist(let journalRecord):
                nodes[node].disk.append(journalRecord)
                if nodes[node].isTrusted { checker.learns(node, journalRecord) }
            case .sign(let slot, let payload, let peers):
                guard let signing = sign(slot, payload, to: peers, at: node) else { return nil }
                batch.append(signing)
            case .observe(let event): if isRecording { record(node, event.words) }
            default:
                guard let signed = flush(&batch, at: node) else { return nil }
                inputs += signed
                perform(effect, at: node)
            }
        }
        guard let signed = flush(&batch, at: node) else { return nil }
        return inputs + signed
    }

    private mutating func sign(
        _ slot: SigningSlot, _ payload: [UInt8], to peers: [NodeID], at node: Int
    ) -> Signing? {
        let envelope = cryptography.sign(slot.type, from: nodes[node].id, payload: payload)
        if let recorded = nodes[node].disk.recorded(slot), recorded != envelope {
            checker.fail("R12: \(nodes[node].name) was asked for a second content of \(slot.words)")
            return nil
        }
        nodes[node].disk.append(.signed(slot, envelope))
        return Signing(slot: slot, payload: payload, envelope: envelope, peers: peers)
    }

    private mutating func flush(_ batch: inout [Signing], at node: Int) -> [Input]? {
        if !batch.isEmpty,
            strikes(.syncError, options.syncErrors, at: node, from: .process)
        {
            return nil
        }
        if Self.isSynchronised(batch.map(\.slot), but: setup.mutation) {
            nodes[node].disk.synchroniseJournal()
        }
        var inputs: [Input] = []
        for signing in batch {
            let slot = signing.slot
            if isRecording {
                record(node, "signs \(slot.words) \(words(slot, signing.payload))")
            }
            if checker.isForkExpected, nodes[node].isTrusted {
                checker.hears(.signed(signing.envelope))
            }
            if nodes[node].isTrusted {
                checker.signs(
                    node, signing.envelope.sender, slot, signing.payload, nodes[node].disk)
            }
            note(UInt64(signing.payload.count) &* 131 &+ UInt64(signing.envelope.signature[0]))
            if case .update = slot, let statement = try? UpdateStatement(payload: signing.payload) {
                checker.released(
                    statement, as: cryptography.digest(signing.envelope.bytes))
            }
            for peer in signing.peers {
                let said = twisted(signing.envelope, slot, for: peer, at: node)
                send([.signed(said)], from: node, to: peer)
            }
            if slot.isBinding,
                strikes(.crashOnSign, options.crashOnSign, at: node, from: .process)
            {
                return nil
            }
            inputs.append(.signed(slot, signing.envelope))
        }
        batch.removeAll(keepingCapacity: true)
        return inputs
    }

    /// The duty that the mutants neglect. Static: with a `self` it would copy the simulation.
    private static func isSynchronised(
        _ slots: [SigningSlot], but mutation: Mutation?
    ) -> Bool {
        switch mutation {
        case .vote1NotDurable:
            !slots.contains { if case .vote1 = $0 { true } else { false } }
        case .vote2NotDurable:
            !slots.isEmpty && !slots.contains { if case .vote2 = $0 { true } else { false } }
        case .timeoutNotDurable:
            !slots.contains { if case .timeout = $0 { true } else { false } }
        case .journalLost, .commitNotDurable, .aggregateForged, nil: true
        }
    }

    private mutating func perform(_ effect: Effect, at node: Int) {
        switch effect {
        case .persist, .sign, .observe: preconditionFailure("performed by the loop")
        case .send(let statements, let peers):
            for peer in peers { send(statements, from: node, to: peer) }
        case .startTimer(let timer, let at):
            let at = Int(at.nanoseconds / 1_000_000) + 1
            nodes[node].timers[timer.position] = at
            queue.schedule(
                .timer(timer, node: node, incarnation: nodes[node].incarnation, at: at),
                at: max(at, time))
        case .cancelTimer(let timer): nodes[node].timers[timer.position] = nil
        case .fetch(let request):
            schedule(5 * max(1, options.bulkSlowness), of: node) {
                .fetch(request, node: node, incarnation: $0, attempt: 0)
            }
        case .train(let request):
            nodes[node].training += 1
            let training = nodes[node].training
            if let delay = straggling(request.round, at: node) {
                queue.schedule(
                    .trained(
                        request, node: node, incarnation: nodes[node].incarnation,
                        training: training), at: time + delay)
                return
            }
            let isLong = random[.work].chance(100) && options.adaptiveMilliseconds == 0
            schedule(isLong ? 3_000 : 200, of: node) {
                .trained(request, node: node, incarnation: $0, training: training)
            }
        case .cancelTraining: nodes[node].training += 1
        case .compute(let request):
            let result = computed(request)
            schedule(20, of: node) {
                .input(.computed(request, result), node: node, incarnation: $0)
            }
        case .apply(let record, let state): apply(record, state, at: node)
        case .keep(let certificate, let finality): keep(certificate, finality, at: node)
        case .synchronise(let peers, let height):
            schedule(20, of: node) {
                .synchronise(peers, height: height, node: node, incarnation: $0)
            }
        }
    }

    /// How long the straggler trains.
    private func straggling(_ round: Int, at node: Int) -> Int? {
        guard options.stragglerMilliseconds > 0, node == lastFounder,
            round >= options.stragglerFrom, round <= options.stragglerThrough
        else { return nil }
        return options.stragglerMilliseconds
    }

    mutating func schedule(
        _ delay: Int, of node: Int, _ event: (Int) -> SimulationEvent
    ) {
        let delay = 1 + random[.work].below(delay)
        queue.schedule(
            event(nodes[node].incarnation),
            at: time + (nodes[node].isSlow ? delay * 20 : delay))
    }

    private func computed(_ request: ComputeRequest) -> ComputeResult {
        let result = aggregation.result(of: request)
        guard setup.mutation == .aggregateForged else { return result }
        return ComputeResult(aggregate: result.aggregate, model: result.aggregate)
    }

    private mutating func apply(_ commit: CommitRecord, _ state: ChainState, at node: Int) {
        nodes[node].disk.append(commit, state)
        if setup.mutation != .commitNotDurable || random[.work].chance(500) {
            nodes[node].disk.synchroniseCommits()
        }
        note(state.height &* 977)
        record(node, "stores height \(state.height) \(state.tip.short)")
        if !nodes[node].isByzantine {
            checker.commits(node, commit, nodes)
            checker.concludes(node, state)
        }
        takeNewKey(node, state)
    }

    private mutating func keep(
        _ certificate: FinalCertificate, _ finality: Finality, at node: Int
    ) {
        nodes[node].disk.keep(certificate, finality)
        if nodes[node].isTrusted { checker.finalises(node, certificate, finality) }
    }

    mutating func finishTraining(_ request: TrainingRequest, at node: Int) {
        let key = SimulatedDisk.ReleaseKey(run: request.specification.run, round: request.round)
        if let released = nodes[node].disk.released[key] {
            return handle(.trained(released), at: node)
        }
        if strikes(.abstention, options.abstention, at: node, from: .work) {
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
                && (!nodes[other].isTraitor
                    || serves(blob, from: other, to: node)
                        && !attacks(options.withholding, at: other))
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
                guard !isBlocked[other][node], !isBlocked[node][other],
                    isJoined(other, node), isJoined(node, other)
                else { continue }
                if nodes[other].isTraitor, attacks(options.syncPoison, at: other) {
                    return poison(node, at: other)
                }
                let records = nodes[other].disk.commits(from: height, count: 16)
                for record in records {
                    handle(.received(.commit(record), from: peer), at: node)
                }
                if !records.isEmpty { return }
            }
        }
    }
}

extension SigningSlot {
    /// What a node may not contradict later.
    var isBinding: Bool {
        switch self {
        case .vote1, .vote2, .timeout, .coSign: true
        case .update, .abstention, .haveList, .proposal, .readiness: false
        }
    }
}
