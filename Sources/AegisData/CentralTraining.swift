import AegisCore
import AegisCrypto
package import AegisLearning
package import AegisPrivacy

/// Training in one place with the code that nodes use: the same sampler, clipping, noise and
/// ledger, for comparisons and for an owner's own models.
package struct CentralTraining: Sendable {
    /// How much noise is added.
    package enum Privacy: Hashable, Sendable {
        case none
        /// σ is known.
        case noise(multiplier: Double, delta: Double)
        /// σ is the least that keeps the whole training within ε.
        case budget(epsilon: Double, delta: Double)
    }

    /// Everything but the model and the data.
    package struct Settings: Hashable, Sendable {
        package var epochs: Double
        package var batchSize: Int
        package var learningRate: LearningRate
        package var optimizer: Optimizer
        package var clipping: Clipping
        package var privacy: Privacy
        package var averaging: Float?
        package var augmentation: Augmentation?
        package var proximal: Float
        package var threads: Int
        package var seed: UInt64
        /// Sampling and noise come from the seed too: for tests. What comes out is not private.
        package var deterministic: Bool

        package init(
            epochs: Double, batchSize: Int, learningRate: LearningRate, optimizer: Optimizer,
            clipping: Clipping, privacy: Privacy, averaging: Float? = nil,
            augmentation: Augmentation? = nil, proximal: Float = 0, threads: Int = 1,
            seed: UInt64 = 1, deterministic: Bool = false
        ) {
            self.epochs = epochs
            self.batchSize = batchSize
            self.learningRate = learningRate
            self.optimizer = optimizer
            self.clipping = clipping
            self.privacy = privacy
            self.averaging = averaging
            self.augmentation = augmentation
            self.proximal = proximal
            self.threads = threads
            self.seed = seed
            self.deterministic = deterministic
        }
    }

    /// What is told after each step.
    package struct Progress: Sendable {
        package let step: Int
        package let steps: Int
        /// The epoch that this step completes.
        package let epoch: Int?
        package let loss: Double
    }

    package let settings: Settings
    package let model: Model
    package let loss: Loss
    package let records: Records
    /// q: the batch size over the number of records.
    package let samplingRate: Double
    package let steps: Int
    /// Nil without privacy.
    package let noiseMultiplier: Double?
    /// ε at the end, as it was calibrated or as σ gives it.
    package let epsilon: Double?

    package init(
        _ settings: Settings, model: Model, loss: Loss, records: Records
    ) throws(CentralTrainingError) {
        guard settings.batchSize >= 1, settings.batchSize <= records.count else {
            throw .batchSize(settings.batchSize, records: records.count)
        }
        guard loss.fits(records.targets, outputs: model.outputs), model.fits(records, loss: loss)
        else {
            throw .modelDoesNotFit(
                inputs: model.inputs ?? 0, outputs: model.outputs, width: records.inputs,
                classes: records.classes)
        }
        self.settings = settings
        self.model = model
        self.loss = loss
        self.records = records
        samplingRate = Double(settings.batchSize) / Double(records.count)
        steps = max(1, Int((settings.epochs / samplingRate).rounded()))
        let found = try Self.noise(settings.privacy, samplingRate: samplingRate, steps: steps)
        (noiseMultiplier, epsilon) = (found?.multiplier, found?.epsilon)
    }

    private static func noise(
        _ privacy: Privacy, samplingRate: Double, steps: Int
    ) throws(CentralTrainingError) -> (multiplier: Double, epsilon: Double)? {
        switch privacy {
        case .none: return nil
        case .noise(let multiplier, let delta):
            return (
                multiplier,
                PrivacyCost.epsilon(
                    noiseMultiplier: multiplier, samplingRate: samplingRate, steps: steps,
                    delta: delta)
            )
        case .budget(let epsilon, let delta):
            let multiplier: Double
            do {
                multiplier = try PrivacyCost.noiseMultiplier(
                    epsilon: epsilon, delta: delta, samplingRate: samplingRate, steps: steps)
            } catch { throw .calibration(error) }
            return (
                multiplier,
                PrivacyCost.epsilon(
                    noiseMultiplier: multiplier, samplingRate: samplingRate, steps: steps,
                    delta: delta)
            )
        }
    }

    /// ε of the first so many steps; nil without privacy.
    package func epsilon(afterSteps steps: Int) -> Double? {
        guard let noiseMultiplier else { return nil }
        let delta: Double
        switch settings.privacy {
        case .none: return nil
        case .noise(_, let given), .budget(_, let given): delta = given
        }
        return PrivacyCost.epsilon(
            noiseMultiplier: noiseMultiplier, samplingRate: samplingRate, steps: steps,
            delta: delta)
    }

    /// The model every training with this seed starts from.
    package var initialParameters: [Float] { model.initialParameters(seed: settings.seed) }

    /// Trains from `base`. `progress` is called after each step, with the parameters where an epoch
    /// is complete, and stops the training by throwing.
    package func run(
        from base: [Float], progress: (Progress, [Float]?) throws -> Void
    ) throws -> [Float] {
        if settings.deterministic {
            var generator = SplitMix64(seed: settings.seed ^ 0x5eed)
            return try run(from: base, using: &generator, progress: progress)
        }
        var generator = CryptographicGenerator()
        return try run(from: base, using: &generator, progress: progress)
    }

    private func run(
        from base: [Float], using generator: inout some SplittableGenerator,
        progress: (Progress, [Float]?) throws -> Void
    ) throws -> [Float] {
        let isPrivate = noiseMultiplier != nil
        let plan = TrainingPlan(
            model: model, loss: loss, steps: steps, expectedBatch: settings.batchSize,
            learningRate: settings.learningRate, optimizer: settings.optimizer,
            clipping: isPrivate ? settings.clipping : nil, proximal: settings.proximal,
            averaging: settings.averaging, augmentation: settings.augmentation,
            threads: settings.threads)
        guard
            var sampler = PoissonSampler(
                samplingRate: samplingRate, noiseMultiplier: noiseMultiplier ?? 0,
                recordCount: records.count)
        else { throw CentralTrainingError.noise(noiseMultiplier ?? 0) }
        let reservation = try Self.reservation(for: sampler.event(afterSteps: steps))
        var trainer = try Trainer(plan, from: base, on: records, using: &generator)
        var epoch = 0
        while trainer.steps < steps {
            if isPrivate {
                try trainer.step(paidBy: reservation, sampler: &sampler)
            } else {
                try trainer.stepWithoutPrivacy(sampler: &sampler)
            }
            let next = Int((Double(epoch + 1) / samplingRate).rounded())
            let completes = trainer.steps >= next || trainer.steps == steps
            if completes { epoch += 1 }
            try progress(
                Progress(
                    step: trainer.steps, steps: steps, epoch: completes ? epoch : nil,
                    loss: trainer.lastLoss), completes ? trainer.result : nil)
        }
        return trainer.result
    }

    /// The trainer takes no step that nobody paid for. There is no ledger on a disk here: whoever
    /// trains in one place answers for the data, and the budget is what he asked for.
    private static func reservation(for event: MechanismEvent) throws -> Reservation {
        guard let budget = PrivacyBudget(epsilon: 1e6, delta: 1e-5) else {
            preconditionFailure("a budget in range")
        }
        var (ledger, _) = PrivacyLedger.open(
            dataset: "central", budget: budget, hash: SHA256.digest(of:))
        guard event.mechanism.noiseMultiplier > 0 else {
            // Without privacy nothing is charged: no step asks for this reservation.
            return try ledger.reserve(
                ReleaseKey(run: [], round: 0), for: .nothing)
        }
        return try ledger.reserve(ReleaseKey(run: [], round: 0), for: event)
    }
}

/// Why a training in one place can't begin.
package enum CentralTrainingError: Error, Hashable, Sendable {
    case batchSize(Int, records: Int)
    case modelDoesNotFit(inputs: Int, outputs: Int, width: Int, classes: Int)
    case calibration(CalibrationError)
    case noise(Double)
}

/// The accountant that training in one place uses: the smaller of the two sound bounds.
package enum PrivacyCost {
    package static func epsilon(
        noiseMultiplier: Double, samplingRate: Double, steps: Int, delta: Double
    ) -> Double {
        guard
            let phase = try? PrivacyPhase(
                samplingRate: samplingRate, noiseMultiplier: noiseMultiplier, steps: steps)
        else { return .infinity }
        return PrivacyAccountant([phase], .best).epsilon(atDelta: delta)
    }

    package static func noiseMultiplier(
        epsilon: Double, delta: Double, samplingRate: Double, steps: Int
    ) throws(CalibrationError) -> Double {
        try Calibration.noiseMultiplier(
            epsilon: epsilon, delta: delta, samplingRate: samplingRate, steps: steps,
            accountant: .best)
    }
}

extension MechanismEvent {
    /// No draw at all.
    fileprivate static var nothing: MechanismEvent {
        guard
            let sampler = PoissonSampler(samplingRate: 0, noiseMultiplier: 1, recordCount: 0)
        else { preconditionFailure("arguments in range") }
        return sampler.event
    }
}
