package import AegisAPI
import AegisCore
import AegisCrypto
import AegisProtocol
package import AegisStore
import AegisTelemetry
import FoundationEssentials
package import Hummingbird
import NIOCore

/// Takes runs in, has them signed, and says how they are.
package struct RunDesk: Sendable {
    let database: AdminDatabase
    let observer: MeshObserver
    let blobs: BlobStore
    let commands: CommandSigner
    private let drops = RunDrops()

    /// How long a command can wait for its commit.
    static let commandMilliseconds: UInt64 = 600_000
    private static let chunkBytes = 256 << 10
    /// Rounds that are shown at once.
    package static let newestRounds = 200

    package init(
        database: AdminDatabase, observer: MeshObserver, blobs: BlobStore,
        commands: CommandSigner
    ) {
        self.database = database
        self.observer = observer
        self.blobs = blobs
        self.commands = commands
    }

    /// Takes a run in. As a draft it stays here until `start`; else the mesh gets it at once.
    package func submit(
        _ body: JSONValue, asDraft: Bool = false, by actor: String, now: UInt64
    ) async throws -> RunView {
        guard let run = RunID(randomBytes(16)) else { preconditionFailure("16 bytes") }
        let roster = try await observer.chain()?.roster
        let specification = try RunRequestReader(
            participants: roster?.count ?? Limits.participantsMax,
            faultTolerance: roster?.faultTolerance ?? 0
        ).read(body, run: run)
        guard try await observer.meshRules() != nil else {
            throw Problem(.meshOpen, detail: "a run needs a founded mesh")
        }
        if try await database.run(specification.name) != nil {
            throw Problem(.nameTaken, detail: "there is a run \(specification.name) already")
        }
        if try await database.dataset(specification.dataset)?.retiredAt != nil {
            throw Problem(
                .datasetRetired, detail: "no new run may use \(specification.dataset)")
        }
        let command = asDraft ? nil : try await startCommand(specification, now: now)
        do {
            try await database.insertRun(
                specification, request: Array(try AegisAPI.encodeDocument(body)), at: now,
                by: actor, start: command)
        } catch RunStoreError.nameTaken(let name) {
            throw Problem(.nameTaken, detail: "there is a run \(name) already")
        }
        return try await view(run.description)
    }

    private func startCommand(
        _ specification: RunSpecification, now: UInt64
    ) async throws -> StoredCommand {
        let commands = try await database.commands()
        let active = try await database.runs().first { run in
            let state = Self.state(of: run, commands: commands, now: now).0
            return state != .draft && !state.isOver
        }
        if let active {
            throw Problem(
                .runActive,
                detail: "\(active.specification.name) is not over; "
                    + "the mesh works on one run at a time")
        }
        guard let chain = try await observer.chain() else { throw Problem(.meshOpen) }
        return try await signed(.start(specification), after: chain.state, now: now)
    }

    /// Hands a draft to the mesh.
    package func start(_ name: String, now: UInt64) async throws -> RunView {
        let run = try await stored(name)
        let view = try await view(name)
        guard view.state == .draft else {
            throw Problem(
                .runStarted, detail: "\(run.specification.name) is \(view.state.rawValue)")
        }
        let command = try await startCommand(run.specification, now: now)
        do { try await database.insertStart(command) } catch RunStoreError.alreadyStarted {
            throw Problem(.runStarted)
        }
        return try await self.view(name)
    }

    /// Forgets a draft.
    package func discard(_ name: String) async throws {
        let run = try await stored(name)
        guard try await database.deleteDraft(run.specification.run) else {
            throw Problem(
                .runStarted, detail: "\(run.specification.name) is in the mesh's history",
                hint: "stop it instead")
        }
    }

    package func stop(
        _ name: String, reason: String, by actor: String, now: UInt64
    ) async throws -> RunView {
        let run = try await stored(name)
        let view = try await view(name)
        guard !view.state.isOver else {
            throw Problem(.runEnded, detail: "\(run.specification.name) is \(view.state.rawValue)")
        }
        guard view.state != .draft else {
            throw Problem(
                .notReady, detail: "\(run.specification.name) is a draft",
                hint: "discard it: aegis run delete \(run.specification.name)")
        }
        guard let chain = try await observer.chain() else { throw Problem(.meshOpen) }
        guard view.state == .running else {
            if view.state == .stopping { return view }
            throw Problem(
                .notReady, detail: "\(run.specification.name) is not committed yet",
                hint: "try again in a few seconds")
        }
        let id = run.specification.run
        try await database.insertCommand(
            try await signed(.stop(id, reason: reason), after: chain.state, now: now))
        return try await self.view(name)
    }

    private func signed(
        _ action: Command.Action, after state: ChainState, now: UInt64
    ) async throws -> StoredCommand {
        commands.sign(
            try await commands.command(
                action, after: state, lasting: Self.commandMilliseconds, now: now))
    }

    /// The newest first, as they are kept; `view(of:)` makes them readable.
    package func stored(
        state: String? = nil, dataset: String? = nil
    ) async throws -> [StoredRun] {
        let commands = try await database.commands()
        let now = Timestamp.now()
        return try await database.runs().filter { run in
            (dataset.map { $0 == run.specification.dataset } ?? true)
                && (state.map {
                    $0 == Self.state(of: run, commands: commands, now: now).0.rawValue
                } ?? true)
        }
    }

    package func view(of run: StoredRun) async throws -> RunView {
        try await view(of: run, commands: try await database.commands())
    }

    /// The run the mesh works on, or will.
    package func active() async throws -> RunView? {
        let commands = try await database.commands()
        let now = Timestamp.now()
        for run in try await database.runs() {
            let state = Self.state(of: run, commands: commands, now: now).0
            if state != .draft, !state.isOver {
                return try await view(of: run, commands: commands)
            }
        }
        return nil
    }

    package func view(_ name: String) async throws -> RunView {
        try await view(of: try await stored(name), commands: try await database.commands())
    }

    func stored(_ name: String) async throws -> StoredRun {
        guard let run = try await database.run(name) else {
            throw Problem(.notFound, detail: "there is no run \(name.prefix(64))")
        }
        return run
    }

    private func view(of run: StoredRun, commands: [StoredCommand]) async throws -> RunView {
        let specification = run.specification
        let (state, reason) = Self.state(of: run, commands: commands, now: Timestamp.now())
        var view = RunView(
            id: specification.run.description, name: specification.name, state: state,
            reason: reason, submittedAt: Timestamp.text(run.submittedAt),
            submittedBy: run.submittedBy, rounds: specification.rounds,
            roundsCommitted: run.roundsCommitted, dataset: specification.dataset,
            noiseMultiplier: specification.privacy.map {
                Double($0.noiseMultiplierMillionths) / 1e6
            },
            delta: specification.privacy.map { Double($0.deltaTrillionths) / 1e12 },
            specification: try AegisAPI.document(run.request))
        view.model = run.roundsCommitted > 0 ? run.model?.description : nil
        if view.model != nil, let last = try await database.lastRound(of: specification.run) {
            view.modelHeight = last.height
            view.final = try await database.final(from: last.height)?.view
        }
        let figures = try await database.figures(of: specification.run)
        view.loss = figures.loss
        view.accuracy = figures.accuracy
        view.epsilonMax = figures.epsilonMax
        let chain = try await observer.chain()
        let warnings = RunWarnings(
            specification, faultTolerance: chain?.roster.faultTolerance ?? Limits.participantsMax)
        view.noiseToSignal = warnings.noiseToSignal
        view.warnings = warnings.texts
        view.dropped = try await drops.counts(of: specification.run, in: database).map { count in
            var count = count
            count.peer = Self.name(count.peer, in: chain)
            return count
        }
        return view
    }

    /// The chain's word first; before it has one, the command's.
    static func state(
        of run: StoredRun, commands: [StoredCommand], now: UInt64
    ) -> (RunView.State, String?) {
        switch run.outcome {
        case .completed: return (.completed, nil)
        case .stopped(let reason): return (.stopped, reason)
        case .paused: return (.failed, "too few updates, several times in a row")
        case nil: break
        }
        let mine = commands.filter { $0.run == run.specification.run }
        guard run.startedHeight != nil else {
            guard let start = mine.first(where: { $0.kind == .start }) else {
                return (.draft, nil)
            }
            return start.expiresAt + 10_000 < now
                ? (.failed, "no quorum of the nodes committed it before it expired")
                : (.submitted, nil)
        }
        let stops = mine.contains {
            $0.kind == .stop && $0.committedHeight == nil && $0.expiresAt > now
        }
        return (stops ? .stopping : .running, nil)
    }

    /// The first `limit` committed rounds after `round`.
    package func rounds(
        _ name: String, after round: Int, limit: Int
    ) async throws -> [RoundView] {
        try await rounds(of: try await stored(name).specification.run, after: round, limit: limit)
    }

    /// The last `limit` committed rounds at most.
    package func newestRounds(_ name: String, limit: Int) async throws -> [RoundView] {
        let run = try await stored(name).specification.run
        let last = try await database.lastRound(of: run)?.round ?? 0
        return try await rounds(of: run, after: max(0, last - limit), limit: limit)
    }

    /// The nodes' mean in the first round in which any measured one.
    func firstAccuracy(_ name: String) async throws -> Double? {
        try await database.firstAccuracy(of: try await stored(name).specification.run)
    }

    private static func name(_ node: String, in chain: MeshObserver.Chain?) -> String {
        NodeID(text: node).flatMap { chain?.name(of: $0) } ?? node
    }

    private func rounds(
        of id: RunID, after round: Int, limit: Int
    ) async throws -> [RoundView] {
        let rounds = try await database.rounds(of: id, after: round, limit: limit)
        guard let first = rounds.first?.round, let last = rounds.last?.round else { return [] }
        let chain = try await observer.chain()
        func name(_ node: NodeID) -> String { chain?.name(of: node) ?? node.short }
        let measures = Dictionary(
            grouping: try await database.measures(of: id, rounds: first...last), by: \.round)
        let explanations = Dictionary(
            uniqueKeysWithValues: try await database.explanations(of: id, rounds: first...last)
                .map { ($0.round, $0.explanation) })
        return rounds.map { round in
            RoundView(
                round: round.round, height: round.height, view: round.view,
                coordinator: name(round.coordinator),
                participants: round.participants.map(name),
                model: round.model.description, certificate: round.digest.description,
                measures: (measures[round.round] ?? []).map { measure in
                    RoundView.Measure(
                        node: measure.node.text, name: name(measure.node),
                        seconds: measure.seconds, loss: measure.loss,
                        accuracy: measure.accuracy, epsilon: measure.epsilon,
                        quality: measure.quality)
                }.sorted { $0.name < $1.name },
                aggregation: explanations[round.round].map { explanation in
                    var explanation = explanation
                    for index in explanation.verdicts.indices {
                        explanation.verdicts[index].node = Self.name(
                            explanation.verdicts[index].node, in: chain)
                    }
                    return explanation
                })
        }
    }

    /// What the nodes do for it now.
    package func progress(of run: RunView) async throws -> RunProgressView {
        let seen = await observer.nodes()
        let roster = try await observer.chain()?.roster
        var view = RunProgressView(nodes: [], budgets: [])
        for entry in roster?.entries ?? [] {
            let node = seen[entry.node]
            let status = node?.status
            let mine = status?.run.flatMap { $0.id == run.id ? $0 : nil }
            view.nodes.append(
                RunProgressView.Node(
                    name: entry.name, reachable: node?.reachable ?? false,
                    state: status?.state.rawValue, round: mine?.round, phase: mine?.phase,
                    progress: mine?.progress, waitingFor: mine?.waitingFor ?? []))
            for data in status?.privacy ?? [] where data.dataset == run.dataset {
                view.budgets.append(
                    BudgetView(
                        participant: entry.name, dataset: data.dataset, epsilon: data.epsilon,
                        delta: data.delta, budgetEpsilon: data.budgetEpsilon))
            }
        }
        return view
    }

    /// The newest model of the run, as a body that streams it. One that isn't final may still turn
    /// out to be another, so it is given only to who says that it is `provisional`.
    package func model(
        _ name: String, provisional: Bool = false
    ) async throws -> (bytes: UInt64, body: ResponseBody) {
        if !provisional { try await requireFinal(try await view(name)) }
        let (model, count) = try await modelBlob(name)
        let blobs = blobs
        let body = ResponseBody(contentLength: Int(count)) { writer in
            var pieces = Pieces(reader: try blobs.reader(model))
            while let piece = try pieces.next() { try await writer.write(piece) }
            try await writer.finish(nil)
        }
        return (count, body)
    }

    /// Co-signatures follow a commit within a moment, so they are waited for, a little.
    @discardableResult
    private func requireFinal(_ run: RunView) async throws -> StoredFinality? {
        guard let height = run.modelHeight else { return nil }
        if let final = try await observer.finality(of: height) { return final }
        let missing = try await notCoSigned()
        throw Problem(
            .notFinal,
            detail: "round \(run.roundsCommitted) of \(run.name) is committed at height \(height), "
                + "but not final: "
                + (missing.isEmpty
                    ? "too few participants have co-signed it"
                    : "not co-signed by \(missing.joined(separator: ", "))"),
            hint: "wait until they answer, or take it as provisional: it may still be another")
    }

    private func notCoSigned() async throws -> [String] {
        let seen = await observer.nodes()
        let roster = try await observer.chain()?.roster
        // Who is furthest knows best; who doesn't answer has not co-signed either.
        let status = seen.values.filter(\.reachable).compactMap(\.status)
            .max { $0.height < $1.height }
        let silent = roster?.entries.filter { seen[$0.node]?.reachable != true }.map(\.name) ?? []
        return Set((status?.notCoSigned ?? []) + silent).sorted()
    }

    func modelBlob(_ name: String) async throws -> (Digest, UInt64) {
        let run = try await stored(name)
        guard run.roundsCommitted > 0, let model = run.model else {
            throw Problem(.notReady, detail: "no round of \(run.specification.name) is committed")
        }
        guard await observer.fetchModel(model), let count = blobs.byteCount(of: model) else {
            throw Problem(
                .notReady, detail: "no node that answers has the model",
                hint: "see `aegis node list`")
        }
        return (model, count)
    }

    /// A blob a piece at a time.
    struct Pieces: ~Copyable {
        let reader: BlobReader
        var offset: UInt64 = 0

        mutating func next() throws -> ByteBuffer? {
            guard offset < reader.byteCount else { return nil }
            let size = min(UInt64(RunDesk.chunkBytes), reader.byteCount - offset)
            defer { offset += size }
            return ByteBuffer(bytes: try reader.read(at: offset, count: Int(size)))
        }
    }
}
