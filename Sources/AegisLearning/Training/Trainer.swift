package import AegisCore
package import AegisPrivacy

/// Trains a model, step after step: differentially private SGD (Abadi et al. 2016), or plain SGD
/// where the plan clips nothing.
///
/// Of a private step, nothing depends on the number of private records but the draw itself: every
/// drawn record's gradient is clipped, Gaussian noise goes on the sum once, however many
/// micro-batches it took, and the rest follows from that. An empty draw is a normal step. σ is the
/// sampler's, so that what is charged is what is applied.
package struct Trainer: ~Copyable {
    package let plan: TrainingPlan
    package private(set) var steps = 0
    /// C of the next step.
    package private(set) var clipNorm: Float?
    /// Of the last step's drawn records, before it. Private: it does not leave the node.
    package private(set) var lastLoss = 0.0

    private let records: Records
    private let base: [Float]
    private let state: OptimizerState
    private let pool: WorkerPool
    private let workspaces: [Workspace]

    /// Takes all the memory it will need.
    package init(
        _ plan: TrainingPlan, from base: [Float], on records: Records
    ) throws(TrainingError) {
        try Self.check(plan, from: base, on: records)
        let model = plan.model
        self.plan = plan
        self.base = base
        self.records = records
        clipNorm = plan.clipping?.norm
        state = OptimizerState(plan, parameters: base)
        pool = WorkerPool(threads: plan.threads)
        let views = plan.augmentation?.views ?? 1
        let rows = plan.microBatch ?? Workspace.suitableRows(for: model, views: views)
        workspaces = (0..<pool.threads).map { _ in
            Workspace(
                model: model, loss: plan.loss, rowsMax: min(rows, records.count * views),
                augmentation: plan.augmentation, clips: plan.clipping != nil)
        }
    }

    /// What would keep the plan from running, before anything is paid for it. `noiseMultiplier` is
    /// what its steps will be charged with.
    package static func check(
        _ plan: TrainingPlan, from base: [Float], on records: Records,
        noiseMultiplier: Double? = nil
    ) throws(TrainingError) {
        let model = plan.model
        guard base.count == model.parameterCount else {
            throw .wrongShape(expected: model.parameterCount, actual: base.count)
        }
        guard model.fits(records, loss: plan.loss) else { throw .recordsDoNotFit }
        if let clipping = plan.clipping, !(clipping.norm > 0 && clipping.norm.isFinite) {
            throw .invalidClipNorm
        }
        guard plan.isValid else { throw .invalidPlan }
        guard let noiseMultiplier else { return }
        if case .adaptive(let adaptive)? = plan.clipping?.rule,
            adaptive.sumNoise(charged: noiseMultiplier) == nil
        {
            throw .countNoiseTooSmall
        }
    }

    /// The parameters as training has them.
    package var parameters: [Float] { state.parameterArray }
    /// Their running mean where the plan has one, else the same: what is to be used.
    package var result: [Float] { state.averageArray ?? state.parameterArray }

    /// One private step, paid for. `generator` is a cryptographic one.
    package mutating func step(
        paidBy reservation: borrowing Reservation, sampler: inout PoissonSampler,
        using generator: inout some SplittableGenerator
    ) throws(TrainingError) {
        let needed = sampler.event(afterSteps: sampler.steps + 1)
        guard reservation.event.covers(needed) else {
            throw .notPaid(needed: needed, reserved: reservation.event)
        }
        guard let clipping = plan.clipping, let clipNorm else { throw .invalidClipNorm }
        guard sampler.recordCount == records.count else { throw .recordsDoNotFit }
        var multiplier = sampler.noiseMultiplier
        var countNoise: ClippedSumNoise?
        var factor = ClipFactor(norm: clipNorm, stability: nil)
        switch clipping.rule {
        case .flat: break
        case .automatic(let stability): factor = ClipFactor(norm: clipNorm, stability: stability)
        case .adaptive(let adaptive):
            guard let sumNoise = adaptive.sumNoise(charged: multiplier) else {
                throw .countNoiseTooSmall
            }
            multiplier = sumNoise
            // Σ (bit − 1/2): one record changes it by 1/2, so σ_b is 2σ_b of its bound.
            guard let made = noise(2 * adaptive.countNoise, clipNorm: 0.5, count: 1) else {
                throw .noiseNotPossible
            }
            countNoise = made
        }
        guard
            let sumNoise = noise(
                multiplier, clipNorm: Double(clipNorm), count: plan.model.parameterCount)
        else { throw .noiseNotPossible }
        let drawn = sampler.draw(using: &generator)
        let tally = try descend(on: drawn, clip: factor, noise: sumNoise, using: &generator)
        if case .adaptive(let adaptive) = clipping.rule, let countNoise {
            var count = [Float(tally.unclipped) - Float(drawn.count) / 2]
            count.withUnsafeMutableBufferPointer {
                countNoise.addNoise(to: $0, using: &generator)
            }
            self.clipNorm = adaptive.next(
                after: clipNorm, noisedCount: Double(count[0]), expectedBatch: plan.expectedBatch)
        }
    }

    private func noise(_ multiplier: Double, clipNorm: Double, count: Int) -> ClippedSumNoise? {
        ClippedSumNoise(
            noise: plan.noise, noiseMultiplier: multiplier, clipNorm: clipNorm, count: count,
            expectedBatch: plan.expectedBatch, microBatch: workspaces[0].rowsMax)
    }

    /// One plain step on the records at `drawn`: no clipping, no noise, no privacy.
    package mutating func stepWithoutPrivacy(
        on drawn: [Int], using generator: inout some SplittableGenerator
    ) throws(TrainingError) {
        _ = try descend(on: drawn, clip: nil, noise: nil, using: &generator)
    }

    /// Sums up the gradients, adds the noise, once, and makes the step. Each thread has a part of
    /// the records, and when all are done, a part of the parameters.
    private mutating func descend(
        on drawn: [Int], clip: ClipFactor?, noise: ClippedSumNoise?,
        using generator: inout some SplittableGenerator
    ) throws(TrainingError) -> GradientTally {
        steps += 1
        let seed = plan.augmentation == nil ? 0 : generator.next()
        var parts = [Part(generator: generator)]
        for _ in 1..<max(pool.threads, 1) { parts.append(Part(generator: generator.split())) }
        let descent = state.descent(plan, base: base, step: steps, shared: pool.threads > 1)
        let (pool, workspaces, records, state) = (pool, workspaces, records, state)
        parts.withUnsafeMutableBufferPointer { parts in
            guard let parts = parts.baseAddress else { return }
            pool.forEachThread { thread in
                let work = workspaces[thread]
                work.begin(UnsafePointer(state.parameters), shared: pool.threads > 1)
                parts[thread].tally = work.addGradients(
                    of: drawn[drawn.indices.part(thread, of: pool.threads)], records, clip: clip,
                    seed: seed)
                work.collect()
                pool.meet()
                let range = (0..<state.count).part(thread, of: pool.threads, step: 16)
                let sum = UnsafeMutableBufferPointer(
                    start: work.sum + range.lowerBound, count: range.count)
                for other in workspaces where other !== work {
                    VectorKernels.add(other.sum + range.lowerBound, to: sum)
                }
                noise?.addNoise(to: sum, using: &parts[thread].generator)
                parts[thread].isFinite = descent.descend(along: sum, at: range.lowerBound)
            }
        }
        generator = parts[0].generator
        var tally = GradientTally()
        for part in parts { tally += part.tally }
        lastLoss = drawn.isEmpty ? 0 : tally.loss / Double(drawn.count)
        guard parts.allSatisfy(\.isFinite) else { throw .diverged(step: steps) }
        return tally
    }

    /// What one thread draws from and finds.
    private struct Part<Generator> {
        var generator: Generator
        var tally = GradientTally()
        var isFinite = true

        init(generator: Generator) { self.generator = generator }
    }
}

extension TrainingPlan {
    fileprivate var isValid: Bool {
        if let averaging, !(averaging >= 0 && averaging < 1) { return false }
        guard proximal >= 0, learningRate.base.isFinite else { return false }
        guard augmentation != nil else { return true }
        if case .image = model.input { return true }
        return false
    }
}

extension Clipping.Adaptive {
    /// C of the next step. `noisedCount` is the noised Σ (bit − 1/2) of the drawn records.
    fileprivate func next(
        after norm: Float, noisedCount: Double, expectedBatch: Int
    ) -> Float {
        let share = min(1, max(0, noisedCount / Double(expectedBatch) + 0.5))
        return norm * Float(ExactMath.exp(-rate * (share - quantile)))
    }
}
