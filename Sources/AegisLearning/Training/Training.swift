package import AegisCore
package import AegisPrivacy

extension Trainer {
    /// All of the plan's steps under a paid reservation. `progress` is told the steps done after
    /// each, and stops the training by throwing.
    package static func train(
        _ plan: TrainingPlan, from base: [Float], on records: Records,
        paidBy reservation: borrowing Reservation, sampler: inout PoissonSampler,
        using generator: inout Generator,
        progress: (Int) throws -> Void = { _ in }
    ) throws -> TrainingResult {
        let needed = sampler.event(afterSteps: sampler.steps + plan.steps)
        guard reservation.event.covers(needed) else {
            throw TrainingError.notPaid(needed: needed, reserved: reservation.event)
        }
        var trainer = try Trainer(plan, from: base, on: records, using: &generator)
        while trainer.steps < plan.steps {
            try trainer.step(paidBy: reservation, sampler: &sampler)
            try progress(trainer.steps)
        }
        return TrainingResult(
            update: trainer.update(from: base), event: sampler.event, clipNorm: trainer.clipNorm)
    }

    /// The same on Poisson samples without clipping, noise or privacy. Its event has σ = 0 and
    /// costs infinitely much, so no ledger admits it by mistake.
    package static func trainWithoutPrivacy(
        _ plan: TrainingPlan, from base: [Float], on records: Records, samplingRate: Double,
        using generator: inout Generator,
        progress: (Int) throws -> Void = { _ in }
    ) throws -> TrainingResult {
        guard
            var sampler = PoissonSampler(
                samplingRate: samplingRate, noiseMultiplier: 0, recordCount: records.count)
        else { throw TrainingError.recordsDoNotFit }
        var plan = plan
        plan.clipping = nil
        var trainer = try Trainer(plan, from: base, on: records, using: &generator)
        while trainer.steps < plan.steps {
            try trainer.stepWithoutPrivacy(sampler: &sampler)
            try progress(trainer.steps)
        }
        return TrainingResult(
            update: trainer.update(from: base), event: sampler.event, clipNorm: trainer.clipNorm)
    }

    private borrowing func update(from base: [Float]) -> [Float] {
        zip(result, base).map { $0 - $1 }
    }
}

extension Model {
    /// The sum of the gradients of the records at `indices`, each clipped to `clipNorm` where it
    /// is given. What one private step computes before its noise.
    package func gradientSum(
        of indices: [Int], in records: Records, at parameters: [Float],
        loss: Loss = .crossEntropy, clipNorm: Float?, microBatch: Int = 256
    ) -> [Float] {
        gradientSum(
            of: indices, in: records, at: parameters, loss: loss, clipNorm: clipNorm,
            microBatch: microBatch, augmentation: nil, norm: nil)
    }

    /// The same with automatic clipping's `stability`, with views of each record, and with the way
    /// convolutions get their norms.
    package func gradientSum(
        of indices: [Int], in records: Records, at parameters: [Float], loss: Loss,
        clipNorm: Float?, stability: Float? = nil, microBatch: Int = 256,
        augmentation: Augmentation? = nil, norm: ConvolutionNorm?
    ) -> [Float] {
        precondition(parameters.count == parameterCount, "parameters have the model's shape")
        precondition(fits(records, loss: loss), "the records are the model's")
        let work = Workspace(
            model: self, loss: loss, rowsMax: microBatch, augmentation: augmentation,
            clips: clipNorm != nil, norm: norm)
        parameters.withUnsafeBufferPointer { parameters in
            guard let parameters = parameters.baseAddress else { return }
            work.prepare(parameters)
            _ = work.addGradients(
                of: indices[...], records,
                clip: clipNorm.map { ClipFactor(norm: $0, stability: stability) })
            work.collect()
        }
        return Array(UnsafeBufferPointer(start: work.sum, count: parameterCount))
    }
}
