import AegisAPI
import AegisCore
import AegisCrypto
import AegisIdentity
import AegisLearning
import AegisProtocol
import AegisStore
import Logging
import Synchronization

/// What the node remembers of its runs beyond the chain: when rounds began, what their models are
/// worth, and which blobs are still of use.
final class RunHistory: Sendable {
    /// Models of so many past rounds stay where the owner does not ask for more, for those who
    /// catch up.
    static let roundsKeptAtLeast = 3

    private struct State {
        /// After the last decision: whose roster decides the next.
        var chain: ChainState?
        var active: RunSpecification?
        var firstModel: (run: RunID, model: Digest)?
        var roundBegan: Instant?
        /// Blobs by the height from which on they are of no use.
        var passing: [(height: UInt64, blob: Digest)] = []
        var kept: Set<Digest> = []
        /// Of what was computed lately, until a commit says which of it counts.
        var explanations: [Explained] = []
        var drops = DropTally()
    }

    private struct Explained {
        let included: Digest
        let model: Digest
        let explanation: RoundExplanation
    }

    /// Proposals of so many views of a round are remembered.
    private static let explanationsMax = 8

    private let state = Mutex(State())
    /// Updates and models of so many past rounds stay; nil: of all.
    private let roundsKept: Int?
    private let rules: MeshRules
    private let database: NodeDatabase
    private let blobs: BlobStore
    private let status: StatusBoard
    private let evaluator: Evaluator
    private let worker: Worker
    private let logger: Logger

    init(
        rules: MeshRules, database: NodeDatabase, blobs: BlobStore, status: StatusBoard,
        evaluator: Evaluator, worker: Worker, roundsKept: Int?, logger: Logger
    ) {
        self.roundsKept = roundsKept
        self.rules = rules
        self.database = database
        self.blobs = blobs
        self.status = status
        self.evaluator = evaluator
        self.worker = worker
        self.logger = logger
    }

    /// As it was at the last stop; what is left on the disk of rounds decided since is removed.
    convenience init(
        rules: MeshRules, database: NodeDatabase, blobs: BlobStore, status: StatusBoard,
        _ configuration: NodeConfiguration, _ durable: DurableState, trainer: TrainingDesk,
        logger: Logger
    ) throws {
        self.init(
            rules: rules, database: database, blobs: blobs, status: status,
            evaluator: Evaluator(configuration, blobs: blobs),
            worker: Worker(niceness: 5), roundsKept: configuration.roundsKept, logger: logger)
        try restore(durable.chain)
        try clear(
            durable, ownUpdate: try durable.chain.active.flatMap(trainer.releasedUpdate(in:)))
    }

    /// What was measured before a restart, and the state the chain had then.
    func restore(_ chain: ChainState) throws {
        let run = chain.active?.specification.run ?? chain.finished.last?.run
        state.withLock { state in
            state.active = chain.active?.specification
            state.chain = chain
        }
        guard let run else { return }
        var round = 0
        while true {
            let page = try database.metrics(
                run: run.bytes, after: round, limit: NodeStatus.roundsMax)
            for (_, metrics) in page {
                let measurement = try AegisAPI.decode(RoundMeasurement.self, from: metrics)
                status.measured(measurement)
                count(measurement)
            }
            guard page.count == NodeStatus.roundsMax, let last = page.last else { return }
            round = last.round
        }
    }

    /// The model the active run began with, where this node has seen it begin.
    func firstModel(of run: RunID) -> Digest? {
        state.withLock { $0.firstModel?.run == run ? $0.firstModel?.model : nil }
    }

    func observed(_ event: Event) {
        guard case .roundStarted = event else { return }
        state.withLock { $0.roundBegan = MachineClock.now }
    }

    /// What this node made of an aggregate that may be committed.
    func explained(_ explanation: RoundExplanation, included: Digest, model: Digest) {
        state.withLock { state in
            state.explanations.append(
                Explained(included: included, model: model, explanation: explanation))
            if state.explanations.count > Self.explanationsMax { state.explanations.removeFirst() }
        }
    }

    /// Nil where this node did not compute the round itself.
    private func explanation(of header: Header) -> RoundExplanation? {
        state.withLock { state in
            state.explanations.last {
                $0.included == header.includedDigest && $0.model == header.model
            }?.explanation
        }
    }

    /// A committed round whose model is to be evaluated.
    struct Unevaluated: Sendable {
        let measurement: RoundMeasurement
        let specification: RunSpecification
        let model: Digest
    }

    /// Called when a commit is on the disk. What remains to be done for a round: to have its model
    /// and to evaluate it.
    func committed(
        _ record: CommitRecord, _ header: Header, _ chain: ChainState
    ) -> Unevaluated? {
        let ended = MachineClock.now
        let (specification, began, rules) = state.withLock { state in
            let (specification, began) = (state.active, state.roundBegan)
            let rules = state.chain.map { self.rules.at($0) } ?? self.rules
            state.chain = chain
            if header.kind == .configuration, let active = chain.active {
                state.firstModel = (active.specification.run, active.model)
            }
            state.active = chain.active?.specification
            return (specification, began, rules)
        }
        guard header.kind == .round, let specification else { return nil }
        let view = Self.view(of: record)
        let convictedBefore = chain.convicted.filter { node in
            !header.convicted.contains { rules.roster.entries[$0].node == node }
        }
        let seconds = began.map { (ended - $0) / .seconds(1) } ?? 0
        let measurement = RoundMeasurement(
            run: specification.run.description, round: header.round, height: header.height,
            view: Int(view),
            coordinator: rules.coordinator(
                height: header.height, view: view, convicted: convictedBefore
            ).text,
            participants: header.included.map { rules.roster.entries[$0].node.text },
            seconds: seconds, loss: nil, accuracy: nil,
            epsilon: status.current.privacy.first { $0.dataset == specification.dataset }?.epsilon,
            model: header.model.description, aggregation: explanation(of: header))
        store(measurement, of: specification)
        for peer in count(measurement) {
            logger.warning(
                "the rule keeps leaving out a participant's updates",
                metadata: [
                    "peer": "\(peer.peer)", "dropped": "\(peer.dropped)",
                    "rounds": "\(peer.judged)",
                ])
        }
        release(header, isLast: chain.active == nil)
        return Unevaluated(
            measurement: measurement, specification: specification, model: header.model)
    }

    /// Who has just become suspicious.
    @discardableResult
    private func count(_ measurement: RoundMeasurement) -> [DropCount] {
        guard var explanation = measurement.aggregation else { return [] }
        let roster = state.withLock { $0.chain?.roster } ?? rules.roster
        for index in explanation.verdicts.indices {
            let node = NodeID(text: explanation.verdicts[index].node)
            explanation.verdicts[index].node =
                node.flatMap(roster.name(of:)) ?? explanation.verdicts[index].node
        }
        let (counts, suspicious) = state.withLock { state in
            let suspicious = state.drops.add(explanation, run: measurement.run)
            return (state.drops.counts, suspicious)
        }
        status.update { $0.dropped = counts }
        return suspicious
    }

    /// The view that decided: the certificate's votes are all of it.
    static func view(of record: CommitRecord) -> UInt32 {
        guard let envelope = record.certificate.first,
            let verified = Libsodium().verify(envelope),
            let vote = try? Vote2(payload: verified.payload)
        else { return 0 }
        return vote.scope.view
    }

    /// Measures a committed model that is in the store.
    @concurrent
    func evaluate(_ round: Unevaluated) async {
        let evaluator = evaluator
        do {
            let quality = try await worker.run {
                try evaluator.evaluate(round.model, of: round.specification)
            }
            guard let quality else { return }
            var measurement = round.measurement
            measurement.loss = quality.loss
            measurement.accuracy = quality.accuracy
            measurement.quality = quality
            store(measurement, of: round.specification)
            logger.info(
                "model evaluated",
                metadata: [
                    "round": "\(measurement.round)", "loss": "\(quality.loss)",
                    "accuracy": "\(quality.accuracy.map { "\($0)" } ?? "none")",
                ])
        } catch {
            logger.warning("the model could not be evaluated", metadata: ["reason": "\(error)"])
        }
    }

    private func store(_ measurement: RoundMeasurement, of specification: RunSpecification) {
        status.measured(measurement)
        do {
            try database.setMetrics(
                Array(try AegisAPI.encode(measurement)), run: specification.run.bytes,
                round: measurement.round)
        } catch {
            logger.warning("a measurement was not stored", metadata: ["reason": "\(error)"])
        }
    }

    // MARK: Blobs that nobody needs any more

    /// An update is of use until a few rounds later, a model too, unless it is the run's last.
    func uses(_ blob: Digest, at height: UInt64) {
        guard let roundsKept else { return }
        state.withLock { $0.passing.append((height + UInt64(roundsKept), blob)) }
    }

    /// At a start: removes what is left of rounds that were decided before it. What this node still
    /// owes anybody stays: the models of the last rounds and of finished runs, and the updates of
    /// the round that goes on.
    func clear(_ durable: DurableState, ownUpdate: Digest?) throws {
        state.withLock { $0.kept.formUnion(durable.chain.finished.map(\.model)) }
        guard let roundsKept else { return }
        var needed = Set(durable.chain.finished.map(\.model))
        if let active = durable.chain.active { needed.insert(active.model) }
        if let ownUpdate { needed.insert(ownUpdate) }
        let height = durable.chain.height
        let first = height - min(height, UInt64(roundsKept))
        for bytes in try database.commits(from: first + 1, count: roundsKept) {
            let header = try Header(decoding: CommitRecord(decoding: bytes).header)
            needed.insert(header.model)
            for update in try database.evidence(.update, at: header.height) {
                if let blob = try Self.blob(of: SignedEnvelope(parsing: update.bytes)) {
                    needed.insert(blob)
                }
            }
        }
        for record in durable.records {
            let envelope: SignedEnvelope
            switch record {
            case .signed(.update, let update), .update(let update): envelope = update
            default: continue
            }
            if let blob = try Self.blob(of: envelope) { needed.insert(blob) }
        }
        try blobs.retain(only: needed)
    }

    private static func blob(of envelope: SignedEnvelope) throws -> Digest? {
        guard let verified = Libsodium().verify(envelope) else { return nil }
        return try UpdateStatement(payload: verified.payload).blob.digest
    }

    func stop() async { await worker.stop() }

    private func release(_ header: Header, isLast: Bool) {
        guard let roundsKept else { return }
        let past = state.withLock { state in
            if isLast {
                state.kept.insert(header.model)
            } else {
                state.passing.append((header.height + UInt64(roundsKept), header.model))
            }
            let past = state.passing.filter { $0.height <= header.height }
            state.passing.removeAll { $0.height <= header.height }
            // A later round, or a run with the same settings, may have come to the same bytes.
            let needed = state.kept.union(state.passing.lazy.map(\.blob))
            return past.map(\.blob).filter { !needed.contains($0) }
        }
        for blob in past {
            do { try blobs.remove(blob) } catch {
                logger.warning("a blob was not removed", metadata: ["reason": "\(error)"])
            }
        }
    }
}
