import AegisCore
import AegisProtocol
import AegisSimulation
import Testing

/// A few participants around a table: what they say lies there until the test passes it on, and
/// their timers run when the test says so. Work (training, fetching, computing) is done at once.
struct Stage {
    struct Message {
        let from: Int
        let to: Int
        let statement: Statement
    }

    static let epoch: UInt64 = 1_700_000_000_000
    let rules: MeshRules
    let admin: NodeID
    let cryptography = SymbolicCryptography()
    var participants: [Participant] = []
    /// Of the participants, as they were added.
    var ids: [NodeID]
    var messages: [Message] = []
    /// Everything each node was told to do, in order.
    var effects: [[Effect]]
    var journals: [[JournalRecord]]
    var commits: [[CommitRecord]]
    /// What was last stored of what is final.
    var finals: [(finality: Finality, certificate: FinalCertificate)?]
    var timers: [[TimerID: Instant]]
    var now = Instant(nanoseconds: 0)
    /// Nobody gives updates.
    var isAbstaining = false

    init(_ count: Int, strictThree: Bool = false) throws {
        admin = try Self.node(200)
        let mesh = try #require(MeshID(Array(repeating: 7, count: 16)))
        let entries = try (0..<count).map {
            RosterEntry(node: try Self.node(UInt8($0 + 1)), name: "node-\($0)", address: "-")
        }
        let founding = FoundingStatement(
            mesh: mesh, name: "stage", admin: admin,
            policy: MeshPolicy(viewTimeoutMilliseconds: 5_000), foundedAt: Self.epoch - 1_000)
        let genesis = GenesisStatement(
            mesh: mesh, founding: cryptography.digest(founding.payload),
            roster: try Roster(epoch: 1, entries: entries, strictThree: strictThree))
        rules = MeshRules(founding: founding, genesis: genesis, cryptography: cryptography)
        ids = rules.roster.nodes
        effects = Array(repeating: [], count: count)
        journals = Array(repeating: [], count: count)
        commits = Array(repeating: [], count: count)
        finals = Array(repeating: nil, count: count)
        timers = Array(repeating: [:], count: count)
        for index in 0..<count {
            participants.append(try participant(index))
            handle(.start, at: index)
        }
        deliver()
        messages = []
    }

    static func node(_ number: UInt8) throws -> NodeID {
        try #require(NodeID(Array(repeating: number, count: 32)))
    }

    static func run(_ number: UInt8 = 9) throws -> RunID {
        try #require(RunID(Array(repeating: number, count: 16)))
    }

    static func specification(
        _ run: RunID, rounds: Int = 2, participantsMin: Int = 1
    ) -> RunSpecification {
        RunSpecification(
            run: run, name: "run", model: .none(parameters: 10), dataset: "none", rounds: rounds,
            training: TrainingDeclaration(
                localSteps: 1, expectedBatch: 1, learningRateMillionths: 1,
                momentumMillionths: 0, seed: 1),
            privacy: nil,
            aggregation: AggregationDeclaration(
                rule: .mean, byzantine: 0, updateNormMaxMillionths: 1),
            deadlines: Deadlines(softMilliseconds: 60_000, hardMilliseconds: 120_000),
            participantsMin: participantsMin)
    }

    func participant(_ index: Int, chain: ChainState? = nil) throws -> Participant {
        try Participant(
            configuration: ParticipantConfiguration(
                node: ids[index], rules: rules, seed: UInt64(index)),
            restoring: DurableState(
                chain: try chain ?? rules.replay(commits[index]), tip: commits[index].last,
                beforeTip: try rules.replay(commits[index].dropLast()), final: finals[index],
                records: journals[index]))
    }

    /// A process that knows the genesis only.
    mutating func add(_ number: UInt8) throws {
        ids.append(try Self.node(number))
        effects.append([])
        journals.append([])
        commits.append([])
        finals.append(nil)
        timers.append([:])
        participants.append(try participant(ids.count - 1))
        handle(.start, at: ids.count - 1)
    }

    /// The process dies and starts again with what was durable.
    mutating func restart(_ index: Int) throws {
        timers[index] = [:]
        effects[index] = []
        now = now + .seconds(1)
        participants[index] = try participant(index)
        handle(.start, at: index)
    }

    mutating func handle(_ input: Input, at index: Int) {
        var inputs = [input]
        while !inputs.isEmpty {
            let wallTime = Self.epoch + now.nanoseconds / 1_000_000
            let all = participants[index].handle(inputs.removeFirst(), at: now, wallTime: wallTime)
            effects[index] += all
            for effect in all { inputs += perform(effect, at: index) }
        }
    }

    private mutating func perform(_ effect: Effect, at index: Int) -> [Input] {
        switch effect {
        case .persist(let record): journals[index].append(record)
        case .sign(let slot, let payload, let peers):
            let envelope = sign(slot.type, payload, by: index)
            journals[index].append(.signed(slot, envelope))
            post([.signed(envelope)], from: index, to: peers)
            return [.signed(slot, envelope)]
        case .send(let statements, let peers): post(statements, from: index, to: peers)
        case .startTimer(let timer, let at): timers[index][timer] = at
        case .cancelTimer(let timer): timers[index][timer] = nil
        case .fetch(let request): return [.held(update: request.update)]
        case .train(let request):
            return isAbstaining
                ? [.abstained(request.specification.run, round: request.round, reason: "none")]
                : [.trained(draft(request, by: index))]
        case .compute(let request): return [.computed(request, result(of: request))]
        case .apply(let record, _): commits[index].append(record)
        case .synchronise(let peers, let height):
            let holder = peers.compactMap(ids.firstIndex).first { commits[$0].count >= height }
            return holder.map { holder in
                commits[holder][(Int(height) - 1)...].map {
                    .received(.commit($0), from: ids[holder])
                }
            } ?? []
        case .keep(let certificate, let finality): finals[index] = (finality, certificate)
        case .cancelTraining, .observe: break
        }
        return []
    }

    private func draft(_ request: TrainingRequest, by index: Int) -> UpdateDraft {
        let digest = cryptography.digest([UInt8(index), UInt8(request.round)])
        guard let blob = UpdateBlob(digest: digest, byteCount: 40) else {
            preconditionFailure("small blobs have no chunks")
        }
        return UpdateDraft(
            run: request.specification.run, round: request.round, base: request.base, blob: blob,
            expiresAt: Self.epoch + 10_000_000)
    }

    private func result(of request: ComputeRequest) -> ComputeResult {
        switch request {
        case .initialModel:
            return ComputeResult(aggregate: .zero, model: cryptography.digest([1]))
        case .aggregate(let request):
            let digest = cryptography.digest(request.parts.flatMap(\.blob.bytes))
            return ComputeResult(aggregate: digest, model: digest)
        }
    }

    func sign(_ type: StatementType, _ payload: [UInt8], by index: Int) -> SignedEnvelope {
        cryptography.sign(type, from: ids[index], payload: payload)
    }

    private mutating func post(_ statements: [Statement], from index: Int, to peers: [NodeID]) {
        for peer in peers {
            guard let to = ids.firstIndex(of: peer) else { continue }
            for statement in statements {
                messages.append(Message(from: index, to: to, statement: statement))
            }
        }
    }

    /// Passes on what lies on the table, and what follows from it, as far as `isPassed` lets it;
    /// the rest stays there.
    mutating func deliver(where isPassed: (Message) -> Bool = { _ in true }) {
        while let position = messages.firstIndex(where: isPassed) {
            let message = messages.remove(at: position)
            handle(
                .received(message.statement, from: ids[message.from]),
                at: message.to)
        }
    }

    /// Lets one node's timer elapse.
    mutating func elapse(_ timer: TimerID, at index: Int) throws {
        let at = try #require(timers[index][timer])
        now = max(now, at)
        timers[index][timer] = nil
        handle(.elapsed(timer), at: index)
    }

    mutating func command(_ action: Command.Action, sequence: UInt64 = 1) {
        let command = Command(
            mesh: rules.mesh, sequence: sequence, expiresAt: Self.epoch + 10_000_000,
            action: action)
        let envelope = cryptography.sign(.command, from: admin, payload: command.payload)
        for index in participants.indices {
            handle(.received(.signed(envelope), from: admin), at: index)
        }
    }

    /// Starts a run and decides that, so that everybody is in round 1; updates lie on the table.
    mutating func startRun(rounds: Int = 2, participantsMin: Int = 1) throws {
        command(
            .start(
                Self.specification(
                    try Self.run(), rounds: rounds, participantsMin: participantsMin)))
        for index in participants.indices { try elapse(.command, at: index) }
        deliver { !$0.statement.isOf(.update) }
    }

    func slots(_ index: Int) -> [SigningSlot] {
        effects[index].compactMap {
            if case .sign(let slot, _, _) = $0 { slot } else { nil }
        }
    }

    func refusals(_ index: Int) -> [Refusal] {
        effects[index].compactMap {
            if case .observe(.refused(_, let refusal)) = $0 { refusal } else { nil }
        }
    }
}

extension Statement {
    func isOf(_ type: StatementType) -> Bool {
        if case .signed(let envelope) = self { envelope.type == type } else { false }
    }
}
