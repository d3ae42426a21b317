package import AegisAPI
import AegisCore
package import AegisCrypto
import AegisProtocol
package import AegisStore
import AegisTelemetry
import FoundationEssentials
package import Hummingbird
import NIOCore

/// Takes runs in, has them signed, and says how they are.
package struct RunDesk: Sendable {
    private let database: AdminDatabase
    private let observer: MeshObserver
    private let blobs: BlobStore
    private let signer: EnvelopeSigner

    /// How long a command can wait for its commit.
    private static let commandMilliseconds: UInt64 = 600_000
    private static let chunkBytes = 256 << 10

    package init(
        database: AdminDatabase, observer: MeshObserver, blobs: BlobStore, signer: EnvelopeSigner
    ) {
        self.database = database
        self.observer = observer
        self.blobs = blobs
        self.signer = signer
    }

    package func submit(
        _ body: JSONValue, by actor: String, now: UInt64
    ) async throws -> RunView {
        guard let rules = try await observer.meshRules(),
            let chain = try await observer.chain()
        else {
            throw Problem(.meshOpen, detail: "a run needs a founded mesh")
        }
        guard let run = RunID(randomBytes(16)) else { preconditionFailure("16 bytes") }
        let specification = try RunRequestReader(
            participants: rules.roster.count, faultTolerance: rules.roster.faultTolerance
        ).read(body, run: run)
        if try await database.run(specification.name) != nil {
            throw Problem(.nameTaken, detail: "there is a run \(specification.name) already")
        }
        if let active = try await list().first(where: { !$0.state.isOver }) {
            throw Problem(
                .runActive,
                detail: "\(active.name) is \(active.state.rawValue); "
                    + "the mesh works on one run at a time")
        }
        let command = try await command(
            .start(specification), of: run, kind: .start, mesh: rules.mesh,
            after: chain.state, now: now)
        do {
            try await database.insertRun(
                specification, request: Array(try AegisAPI.encodeDocument(body)), at: now,
                by: actor, start: command)
        } catch RunStoreError.nameTaken(let name) {
            throw Problem(.nameTaken, detail: "there is a run \(name) already")
        }
        return try await view(run.description)
    }

    package func stop(
        _ name: String, reason: String, by actor: String, now: UInt64
    ) async throws -> RunView {
        let run = try await stored(name)
        let view = try await view(name)
        guard !view.state.isOver else {
            throw Problem(.runEnded, detail: "\(run.specification.name) is \(view.state.rawValue)")
        }
        guard let rules = try await observer.meshRules(),
            let chain = try await observer.chain()
        else {
            throw Problem(.meshOpen)
        }
        guard view.state == .running else {
            if view.state == .stopping { return view }
            throw Problem(
                .notReady, detail: "\(run.specification.name) is not committed yet",
                hint: "try again in a few seconds")
        }
        let id = run.specification.run
        try await database.insertCommand(
            try await command(
                .stop(id, reason: reason), of: id, kind: .stop, mesh: rules.mesh,
                after: chain.state, now: now))
        return try await self.view(name)
    }

    /// A signed command with a number above all before: the clock's, so that numbers still grow
    /// for an admin whose database was restored.
    private func command(
        _ action: Command.Action, of run: RunID, kind: StoredCommand.Kind, mesh: MeshID,
        after state: ChainState, now: UInt64
    ) async throws -> StoredCommand {
        let last = max(
            state.lastCommandSequence, try await database.commands().last?.sequence ?? 0)
        let command = Command(
            mesh: mesh, sequence: max(now, last + 1), expiresAt: now + Self.commandMilliseconds,
            action: action)
        return StoredCommand(
            sequence: command.sequence, run: run, kind: kind,
            envelope: signer.sign(.command, command.payload).bytes,
            expiresAt: command.expiresAt, committedHeight: nil)
    }

    package func list() async throws -> [RunView] {
        let commands = try await database.commands()
        var views: [RunView] = []
        for run in try await database.runs() {
            views.append(try await view(of: run, commands: commands))
        }
        return views
    }

    package func view(_ name: String) async throws -> RunView {
        try await view(of: try await stored(name), commands: try await database.commands())
    }

    private func stored(_ name: String) async throws -> StoredRun {
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
        let rounds = try await rounds(of: run)
        view.loss = rounds.last { $0.loss != nil }?.loss
        view.accuracy = rounds.last { $0.accuracy != nil }?.accuracy
        view.epsilonMax = rounds.compactMap(\.epsilonMax).max()
        let roster = try await observer.chain()?.roster
        let warnings = RunWarnings(
            specification, faultTolerance: roster?.faultTolerance ?? Limits.participantsMax)
        view.noiseToSignal = warnings.noiseToSignal
        view.warnings = warnings.texts
        var drops = DropTally()
        for round in rounds {
            if let explanation = round.aggregation { drops.add(explanation, run: view.id) }
        }
        view.dropped = drops.counts
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
            let start = mine.first { $0.kind == .start }
            let expired = start.map { $0.expiresAt + 10_000 < now } ?? true
            return expired
                ? (.failed, "no quorum of the nodes committed it before it expired")
                : (.submitted, nil)
        }
        let stops = mine.contains {
            $0.kind == .stop && $0.committedHeight == nil && $0.expiresAt > now
        }
        return (stops ? .stopping : .running, nil)
    }

    package func rounds(_ name: String) async throws -> [RoundView] {
        try await rounds(of: try await stored(name))
    }

    private func rounds(of run: StoredRun) async throws -> [RoundView] {
        let id = run.specification.run
        let roster = try await observer.chain()?.roster
        func name(_ node: NodeID) -> String { roster?.name(of: node) ?? node.short }
        let measures = Dictionary(grouping: try await database.measures(of: id)) { $0.round }
        return try await database.rounds(of: id).map { round in
            RoundView(
                round: round.round, height: round.height, view: round.view,
                coordinator: name(round.coordinator),
                participants: round.participants.map(name),
                model: round.model.description, certificate: round.digest.description,
                measures: (measures[round.round] ?? []).map { measure in
                    RoundView.Measure(
                        node: measure.node.text, name: name(measure.node),
                        seconds: measure.seconds, loss: measure.loss,
                        accuracy: measure.accuracy, epsilon: measure.epsilon)
                }.sorted { $0.name < $1.name },
                aggregation: Self.explanation(of: measures[round.round] ?? [], name: name))
        }
    }

    /// What most nodes say. They all compute the same; one that says otherwise is out-voted.
    private static func explanation(
        of measures: [StoredMeasure], name: (NodeID) -> String
    ) -> RoundExplanation? {
        let said = measures.compactMap(\.explanation)
        let counts = Dictionary(grouping: said) { $0 }.mapValues(\.count)
        let most = counts.values.max()
        guard var explanation = said.first(where: { counts[$0] == most }) else { return nil }
        for index in explanation.verdicts.indices {
            guard let node = NodeID(text: explanation.verdicts[index].node) else { continue }
            explanation.verdicts[index].node = name(node)
        }
        return explanation
    }

    /// All records from the founding to the run's last: with `genesis.cbor` they verify by
    /// themselves.
    package func certificates(_ name: String) async throws -> [CertificateView] {
        let run = try await stored(name)
        guard run.startedHeight != nil else { return [] }
        return try await database.commits(through: run.endedHeight ?? .max).map { commit in
            CertificateView(
                height: commit.height, digest: commit.digest.description,
                run: commit.run?.description, round: commit.round,
                bytes: Data(commit.bytes).base64EncodedString())
        }
    }

    /// The newest model of the run, as a body that streams it.
    package func model(_ name: String) async throws -> (bytes: UInt64, body: ResponseBody) {
        let run = try await stored(name)
        guard run.roundsCommitted > 0, let model = run.model else {
            throw Problem(.notReady, detail: "no round of \(run.specification.name) is committed")
        }
        guard await observer.fetchModel(model), let count = blobs.byteCount(of: model) else {
            throw Problem(
                .notReady, detail: "no node that answers has the model",
                hint: "see `aegis node list`")
        }
        let blobs = blobs
        let body = ResponseBody(contentLength: Int(count)) { writer in
            let reader = try blobs.reader(model)
            var offset: UInt64 = 0
            while offset < reader.byteCount {
                let size = min(UInt64(Self.chunkBytes), reader.byteCount - offset)
                let chunk = try reader.read(at: offset, count: Int(size))
                try await writer.write(ByteBuffer(bytes: chunk))
                offset += size
            }
            try await writer.finish(nil)
        }
        return (count, body)
    }
}
