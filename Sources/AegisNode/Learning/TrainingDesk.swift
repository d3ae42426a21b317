import AegisAPI
package import AegisCore
import AegisCrypto
import AegisLearning
import AegisPrivacy
package import AegisProtocol
package import AegisStore
import Logging
import Synchronization

/// Local training: charges the privacy ledger, then touches the data, then stores the update. One
/// training at a time, on a worker thread.
package final class TrainingDesk: Sendable {
    /// How long an update may be used after it was made; rounds are decided long before.
    private static let updateValidityMilliseconds: UInt64 = 7 * 86_400_000

    private struct State {
        var privacy: PrivacyDesk
        var records: [RecordsKey: Records] = [:]
    }

    private struct RecordsKey: Hashable {
        let dataset: String
        let features: ModelDescription.FeatureMap
    }

    private let state: Mutex<State>
    private let node: NodeID
    private let blobs: BlobStore
    private let status: StatusBoard
    private let weights: [String: UInt64]
    private let clipNorms: ClipNorms
    private let threads: Int
    /// Data sets whose ledgers are lost, and in how many rounds this member was paid for with them.
    let unaccounted: [String: Int]

    package init(
        node: NodeID, ledgers: LedgerFile, database: NodeDatabase, blobs: BlobStore,
        declarations: [DatasetDeclaration], claims: SpendingClaims = SpendingClaims(of: ""),
        status: StatusBoard, threads: Int = 1
    ) throws {
        clipNorms = ClipNorms(database: database)
        self.threads = threads
        let privacy = try PrivacyDesk(
            ledgers: ledgers, anchors: database, declarations: declarations, claims: claims)
        unaccounted = privacy.unaccounted
        let summary = privacy.summary
        status.update { $0.privacy = summary }
        state = Mutex(State(privacy: privacy))
        self.node = node
        self.blobs = blobs
        self.status = status
        weights = Dictionary(
            declarations.map { ($0.name, $0.weight ?? 1) }, uniquingKeysWith: { first, _ in first })
    }

    convenience init(
        node: NodeID, ledgers: LedgerFile, database: NodeDatabase, blobs: BlobStore,
        _ configuration: NodeConfiguration, claims: SpendingClaims, status: StatusBoard
    ) throws {
        try self.init(
            node: node, ledgers: ledgers, database: database, blobs: blobs,
            declarations: configuration.datasets, claims: claims, status: status,
            threads: configuration.threads ?? 1)
    }

    func tellOfLostLedgers(_ logger: Logger) {
        for (dataset, rounds) in unaccounted {
            logger.error(
                "the privacy ledger is lost: nothing is trained until it is said what was spent",
                metadata: ["dataset": "\(dataset)", "rounds": "\(rounds)"])
        }
    }

    /// The update that was released for the run's present round, whether or not it was signed yet.
    func releasedUpdate(in run: ActiveRun) throws -> Digest? {
        guard run.specification.privacy != nil else { return nil }
        let key = ReleaseKey(run: run.specification.run.bytes, round: UInt64(run.round))
        return try state.withLock { state in
            guard state.privacy.spent(of: run.specification.dataset) != nil else { return nil }
            return try state.privacy.released(key, of: run.specification.dataset)
        }
    }

    /// The update of a round: the stored one where it was released before, else a new one.
    /// `progress` is told the share of steps done, and stops the training by throwing.
    package func update(
        for request: TrainingRequest, progress: (Double) throws -> Void
    ) throws -> UpdateDraft {
        let specification = request.specification
        guard let shape = ModelShape(specification) else { throw DeskError.unsupportedModel }
        guard let model = shape.trained else {
            let blob = try ModelFile.store(
                fixedUpdate(shape, round: request.round), shape: shape, in: blobs)
            return try draft(request, blob: blob, ledgerPosition: 0)
        }
        guard let privacy = specification.privacy else {
            throw TrainingRefusal.noPrivacyDeclared
        }
        return try state.withLock { state in
            let (blob, position) = try train(request, model, shape, privacy, &state, progress)
            return try draft(request, blob: blob, ledgerPosition: position)
        }
    }

    private func train(
        _ request: TrainingRequest, _ model: Model, _ shape: ModelShape,
        _ privacy: PrivacyDeclaration, _ state: inout State, _ progress: (Double) throws -> Void
    ) throws -> (blob: Digest, ledgerPosition: UInt64) {
        let specification = request.specification
        let dataset = specification.dataset
        let key = ReleaseKey(run: specification.run.bytes, round: UInt64(request.round))
        if let update = try state.privacy.released(key, of: dataset) {
            guard blobs.contains(update) else { throw TrainingRefusal.releasedUpdateMissing }
            return (update, state.privacy.entryCount(of: dataset))
        }
        let base = try ModelFile.parameters(of: request.base, shape: shape, in: blobs)
        let records = try Self.records(of: dataset, shape, &state)
        guard
            var sampler = PoissonSampler(
                samplingRate: privacy.samplingRate, noiseMultiplier: privacy.noiseMultiplier,
                recordCount: records.count)
        else { throw TrainingRefusal.notTrainable }
        var plan = TrainingPlan(
            specification, round: request.round, model: model, loss: shape.loss,
            privacy: privacy, clipNorm: try clipNorms.norm(for: specification), threads: threads)
        try plan.check(
            from: base, on: records, noiseMultiplier: privacy.noiseMultiplier)
        let training = specification.training
        let event = sampler.event(afterSteps: training.localSteps)
        let reservation = try state.privacy.reserve(
            key, of: dataset, for: event, delta: privacy.delta)
        let summary = state.privacy.summary
        status.update { $0.privacy = summary }
        plan.noise = reservation.charge.noise
        var generator = CryptographicGenerator()
        let result = try Trainer.train(
            plan, from: base, on: records, paidBy: reservation, sampler: &sampler,
            using: &generator,
            progress: { try progress(Double($0) / Double(training.localSteps)) })
        let blob = try ModelFile.store(result.update, shape: shape, in: blobs)
        let position = try state.privacy.commit(
            reservation, used: result.event, update: blob, of: dataset)
        try clipNorms.keep(result.clipNorm, for: specification)
        return (blob, position)
    }

    /// As the model takes them; one kind of features is kept of each data set.
    private static func records(
        of dataset: String, _ shape: ModelShape, _ state: inout State
    ) throws -> Records {
        let key = RecordsKey(dataset: dataset, features: shape.features)
        if let records = state.records[key] { return records }
        let declaration = try state.privacy.declaration(of: dataset)
        let records = try DatasetSource(declaration.source)
            .trainingRecords(slice: declaration.slice)
        try state.privacy.bind(records.fingerprint, to: dataset)
        guard shape.takes(records) else { throw TrainingError.recordsDoNotFit }
        let mapped = try records.mapped(by: shape.features)
        state.records = state.records.filter { $0.key.dataset != dataset }
        state.records[key] = mapped
        return mapped
    }

    /// The update of a run without training: small numbers that differ between nodes and rounds, so
    /// that each has to be transferred.
    private func fixedUpdate(_ shape: ModelShape, round: Int) -> [Float] {
        let bytes = node.bytes
        return (0..<shape.parameterCount).map { index in
            (Float(bytes[index & 31]) - 127.5 + Float(round & 1_023) * 0x1p-10) * 0x1p-20
        }
    }

    /// The public weight that the data set's owner gave it, at most what the run allows.
    private func weight(in specification: RunSpecification) -> UInt64 {
        let declared = weights[specification.dataset] ?? 1
        return min(max(declared, 1), specification.aggregation.weightMax)
    }

    private func draft(
        _ request: TrainingRequest, blob: Digest, ledgerPosition: UInt64
    ) throws -> UpdateDraft {
        guard let description = try ModelFile.describe(blob, in: blobs) else {
            throw TrainingRefusal.releasedUpdateMissing
        }
        return UpdateDraft(
            run: request.specification.run, round: request.round, base: request.base,
            blob: description, weight: weight(in: request.specification),
            ledgerPosition: ledgerPosition,
            expiresAt: MachineClock.wallMilliseconds + Self.updateValidityMilliseconds)
    }
}

/// Why this node gives no update to a round.
package enum TrainingRefusal: Error, Hashable, Sendable {
    /// A data set here is only ever trained on with a privacy declaration.
    case noPrivacyDeclared
    case notTrainable
    /// The ledger says that it was released, and its file is gone: it is not drawn again.
    case releasedUpdateMissing
    /// There is no ledger, and the chain has so many rounds of this member on the data set.
    case ledgerLost(dataset: String, rounds: Int)
}

extension PrivacyDeclaration {
    var samplingRate: Double { Double(samplingRateMillionths) / 1_000_000 }
    var noiseMultiplier: Double { Double(noiseMultiplierMillionths) / 1_000_000 }
    var delta: Double { Double(deltaTrillionths) / 1e12 }
}
