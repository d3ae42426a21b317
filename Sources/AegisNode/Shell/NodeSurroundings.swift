import AegisAPI
import AegisCore
import AegisCrypto
import AegisProtocol
import AegisStore
import AegisTransport
import Logging
import Synchronization

/// Performs what the protocol core decides: the node's hands. Long work runs on the two workers
/// and answers through the inbox.
final class NodeSurroundings: Surroundings {
    let inbox: Inbox
    let rules: MeshRules
    let membership: MeshMembership
    let node: NodeID
    let client: MeshClient
    let mail: PeerMail
    let blobs: BlobStore
    let database: NodeDatabase
    let status: StatusBoard
    let events: EventLog
    let trainer: TrainingDesk
    let desk: AggregationDesk
    let history: RunHistory
    let evidence: EvidenceKeeper
    let finality: FinalityKeeper
    let training = Worker(niceness: 5)
    let computing = Worker()
    let logger: Logger

    private let tasks = Mutex(Tasks())
    private let fetcher: UpdateFetcher
    private let synchronisation: Synchronisation

    private struct Tasks {
        var training: Task<Void, Never>?
        var computing: [ComputeRequest: Task<Void, Never>] = [:]
        var addresses: Task<Void, Never>?
        var models: Task<Void, Never>?
    }

    init(_ parts: Parts) {
        inbox = parts.inbox
        rules = parts.rules
        membership = parts.membership
        node = parts.node
        client = parts.client
        mail = parts.mail
        blobs = parts.blobs
        database = parts.database
        status = parts.status
        trainer = parts.trainer
        history = parts.history
        evidence = parts.evidence
        finality = FinalityKeeper(parts.database, logger: parts.logger)
        logger = parts.logger
        let desk = AggregationDesk(blobs: parts.blobs)
        self.desk = desk
        let events = EventLog(
            membership: parts.membership, status: parts.status, logger: parts.logger)
        self.events = events
        let (client, blobs, computing) = (parts.client, parts.blobs, computing)
        fetcher = UpdateFetcher(inbox: parts.inbox) { request, moved in
            let blob = request.statement.blob
            try await client.download(
                blob: blob.digest, byteCount: blob.byteCount, from: request.from, into: blobs
            ) { _ in moved() }
            try await computing.run { try desk.check(request) }
        } failed: { request, error in
            // Two updates with the same bytes, each on its way: the second finds the first's blob.
            if case MeshClientError.blob(_, .alreadyBeingWritten) = error { return }
            events.transferFailed(request, error)
        }
        let (inbox, logger) = (parts.inbox, parts.logger)
        synchronisation = Synchronisation { height, peer in
            let body = try await client.get(
                "/mesh/v1/commits?from=\(height)&count=\(CommitList.countMax)", from: peer,
                bytesMax: CommitList.bytesMax)
            return try CommitList.decode(body)
        } came: { records, peer in
            for record in records { inbox.add(.received(.commit(record), from: peer)) }
        } failed: { peer, error in
            logger.debug(
                "no commits from a peer",
                metadata: ["peer": "\(events.name(of: peer))", "reason": "\(error)"])
        }
    }

    struct Parts: Sendable {
        let inbox: Inbox
        let rules: MeshRules
        let membership: MeshMembership
        let node: NodeID
        let client: MeshClient
        let mail: PeerMail
        let blobs: BlobStore
        let database: NodeDatabase
        let status: StatusBoard
        let trainer: TrainingDesk
        let history: RunHistory
        let evidence: EvidenceKeeper
        let logger: Logger
    }

    // MARK: Sending

    func send(_ statements: [Statement], to recipients: [NodeID]) {
        mail.send(statements, to: recipients)
    }

    // MARK: Updates and training

    func fetch(_ request: FetchRequest) {
        history.uses(request.statement.blob.digest, at: status.current.height)
        fetcher.fetch(request)
    }

    func train(_ request: TrainingRequest) {
        let task = Task { await runTraining(request) }
        tasks.withLock { tasks in
            tasks.training?.cancel()
            tasks.training = task
        }
    }

    func cancelTraining() {
        tasks.withLock { tasks in
            tasks.training?.cancel()
            tasks.training = nil
        }
    }

    @concurrent
    private func runTraining(_ request: TrainingRequest) async {
        let run = request.specification.run
        do {
            try await obtainModel(
                request.base, of: request.specification, from: request.holders)
            let (trainer, status) = (trainer, status)
            let cancellation = Cancellation()
            let draft = try await withTaskCancellationHandler {
                try await training.run {
                    try trainer.update(for: request) { share in
                        try cancellation.check()
                        status.update { $0.run?.progress = share }
                    }
                }
            } onCancel: {
                cancellation.cancel()
            }
            guard !Task.isCancelled else { return }
            history.uses(draft.blob.digest, at: self.status.current.height)
            inbox.add(.trained(draft))
        } catch is CancellationError {
            return
        } catch {
            guard !Task.isCancelled else { return }
            let reason = TrainingFailure.words(error)
            _ = status.refused(events.name(of: node), "gives no update: \(reason)")
            logger.warning(
                "no update from this node",
                metadata: ["round": "\(request.round)", "reason": "\(reason)"])
            inbox.add(.abstained(run, round: request.round, reason: reason))
        }
    }

    /// The model that a round starts from, from whoever has it.
    private func obtainModel(
        _ model: Digest, of specification: RunSpecification, from holders: [NodeID]
    ) async throws {
        guard !blobs.contains(model) else { return }
        guard let shape = ModelShape(specification) else { throw DeskError.unsupportedModel }
        if try await isInitialModel(model, of: specification) { return }
        let holders = holders.filter { $0 != node }
        while let failure = await download(model, shape: shape, from: holders) {
            // Another task has begun the same: wait for it.
            guard case .blob(_, .alreadyBeingWritten) = failure else { throw failure }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private func download(
        _ model: Digest, shape: ModelShape, from holders: [NodeID]
    ) async -> MeshClientError? {
        do {
            try await client.download(
                blob: model, byteCount: ModelFile.modelByteCount(of: shape), from: holders,
                into: blobs)
            return nil
        } catch {
            return error
        }
    }

    /// Makes the run's first model where that is what is missing: nobody need be asked for it.
    private func isInitialModel(
        _ model: Digest, of specification: RunSpecification
    ) async throws -> Bool {
        guard history.firstModel(of: specification.run) == model else { return false }
        let desk = desk
        return try await computing.run {
            try desk.initialModel(specification).model == model
        }
    }

    // MARK: Computing

    func compute(_ request: ComputeRequest) {
        tasks.withLock { tasks in
            guard tasks.computing[request] == nil else { return }
            tasks.computing[request] = Task {
                await runComputation(request)
                self.tasks.withLock { $0.computing[request] = nil }
            }
        }
    }

    @concurrent
    private func runComputation(_ request: ComputeRequest) async {
        let desk = desk
        do {
            let result: ComputeResult
            switch request {
            case .initialModel(let specification):
                result = try await computing.run { try desk.initialModel(specification) }
            case .aggregate(let aggregate):
                try await obtainModel(
                    aggregate.base, of: aggregate.specification, from: aggregate.holders)
                let computed = try await computing.run { try desk.aggregate(aggregate) }
                history.explained(
                    computed.explanation, included: aggregate.includedDigest,
                    model: computed.result.model)
                result = computed.result
            }
            inbox.add(.computed(request, result))
        } catch {
            inbox.add(.computeFailed(request, reason: "\(error)"))
        }
    }

    // MARK: Deciding

    func apply(_ record: CommitRecord, _ state: ChainState) throws {
        let header = try Header(decoding: record.header)
        try database.insertCommit(
            record.encoded, digest: SHA256.digest(of: record.header), at: header.height,
            evidence: evidence.evidence(
                for: header, body: record.body, view: RunHistory.view(of: record)),
            finals: finality.take())
        if state.active == nil { evidence.clear() }
        if let members = membership.adopt(state) { follow(members) }
        if header.kind == .round { fetcher.finish(through: header.round) }
        if state.active == nil { fetcher.cancelAll() }
        guard let round = history.committed(record, header, state) else { return }
        let signers = record.certificate.map(\.sender)
        let isLast = state.active == nil
        Task { await finish(round, from: signers, attempts: isLast ? 10 : 1) }
    }

    func keep(_ certificate: FinalCertificate, _ final: Finality) {
        finality.keep(certificate, final)
    }

    /// The members are others than before, or elsewhere.
    private func follow(_ members: [RosterEntry]) {
        let others = members.filter { $0.node != node }
        mail.setPeers(others.map(\.node))
        let addresses = others.reduce(into: [NodeID: MeshAddress]()) {
            $0[$1.node] = MeshAddress($1.address)
        }
        let client = client
        tasks.withLock { tasks in
            let earlier = tasks.addresses
            tasks.addresses = Task {
                await earlier?.value
                await client.setPeers(addresses)
            }
        }
    }

    /// Gets a decided model where this node was out-voted before it had all updates, and evaluates
    /// it. A run's last model is worth several attempts; earlier ones pass by.
    @concurrent
    private func finish(
        _ round: RunHistory.Unevaluated, from signers: [NodeID], attempts: Int
    ) async {
        for attempt in 1...attempts {
            do {
                try await obtainModel(round.model, of: round.specification, from: signers)
                return await history.evaluate(round)
            } catch {
                logger.debug(
                    "a decided model is not here yet",
                    metadata: ["round": "\(round.measurement.round)", "reason": "\(error)"])
                guard attempt < attempts, (try? await Task.sleep(for: .seconds(1))) != nil else {
                    return
                }
            }
        }
    }

    /// Gets the models of the last runs where this disk has not seen them: it may be a new one.
    func fetchModels(of chain: ChainState) {
        let missing = chain.finished.suffix(RunHistory.roundsKeptAtLeast)
            .filter { $0.rounds > 0 }.map(\.model).filter { !blobs.contains($0) }
        guard !missing.isEmpty else { return }
        tasks.withLock { $0.models = Task { await fetch(missing) } }
    }

    @concurrent
    private func fetch(_ models: [Digest]) async {
        var missing = models
        for attempt in 1...20 where !missing.isEmpty {
            for peer in membership.roster.nodes where peer != node {
                for model in missing {
                    guard let size = try? await client.byteCount(of: model, at: peer) else {
                        continue
                    }
                    try? await client.download(
                        blob: model, byteCount: size, from: [peer], into: blobs)
                }
                missing.removeAll(where: blobs.contains)
            }
            guard (try? await Task.sleep(for: .seconds(attempt))) != nil else { return }
        }
    }

    func synchronise(from peers: [NodeID], fromHeight height: UInt64) {
        synchronisation.ask(peers, from: height)
    }

    // MARK: Telling

    func journaled(_ record: AegisProtocol.JournalRecord) { evidence.journaled(record) }

    func observed(_ event: Event) {
        events.record(event)
        history.observed(event)
    }

    func noted(_ status: ParticipantStatus) {
        self.status.update { board in
            board.height = status.height
            board.view = Int(status.view)
            board.state = NodeStatus.State(status)
            board.final = status.final.map(FinalityView.init)
            board.notCoSigned =
                status.final?.height == status.height
                ? nil : status.coSignaturesMissing.map(events.name(of:))
            board.forkHeight = status.forkHeight
            guard let run = status.run else {
                board.run = nil
                return
            }
            let progress =
                board.run?.id == run.description && board.run?.round == status.round
                ? board.run?.progress ?? 0 : 0
            board.run = NodeStatus.RunProgress(
                id: run.description, name: status.name ?? "", round: status.round ?? 0,
                rounds: status.rounds ?? 0, phase: status.phase.rawValue, progress: progress,
                coordinator: status.coordinator.text,
                waitingFor: status.waitingFor.map(events.name(of:)))
        }
    }

    func stop() async {
        cancelTraining()
        fetcher.cancelAll()
        synchronisation.cancel()
        let rest = tasks.withLock { tasks in
            tasks.models?.cancel()
            return Array(tasks.computing.values)
        }
        for task in rest { task.cancel() }
        await training.stop()
        await computing.stop()
        await history.stop()
        finality.flush()
    }
}

extension FinalityView {
    init(_ finality: Finality) {
        self.init(
            height: finality.height, signatures: finality.signatures,
            participants: finality.participants, resists: finality.resists)
    }
}

extension NodeStatus.State {
    init(_ status: ParticipantStatus) {
        switch status.phase {
        case .idle, .greeting, .silent, .observing: self = .idle
        case .training: self = .training
        case .proposal, .checking, .firstVote, .secondVote, .election: self = .agreeing
        case .halted: self = .stopped
        }
    }
}

/// Tells a computation on another thread to stop.
private final class Cancellation: Sendable {
    private let isCancelled = Atomic<Bool>(false)

    func cancel() { isCancelled.store(true, ordering: .relaxed) }

    func check() throws(CancellationError) {
        if isCancelled.load(ordering: .relaxed) { throw CancellationError() }
    }
}
