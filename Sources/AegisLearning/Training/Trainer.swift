package import AegisCore
package import AegisPrivacy

/// Trains a model, step after step: differentially private SGD (Abadi et al. 2016), or plain SGD
/// where the plan clips nothing.
///
/// Of a private step, nothing depends on the number of private records but the draw itself: every
/// drawn record's gradient is clipped, Gaussian noise goes on the sum once, however many
/// micro-batches it took, and the rest follows from that. An empty draw is a normal step. σ is the
/// sampler's, so that what is charged is what is applied.
package struct Trainer<Generator: SplittableGenerator>: ~Copyable {
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
    /// One for each thread.
    private var parts: [TrainerPart<Generator>]

    /// Takes all the memory it will need. Samples and noise are drawn from what `generator`, a
    /// cryptographic one, is split into: a generator for each thread.
    package init(
        _ plan: TrainingPlan, from base: [Float], on records: Records,
        using generator: inout Generator
    ) throws(TrainingError) {
        try plan.check(from: base, on: records)
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
        parts = []
        for _ in 0..<pool.threads { parts.append(TrainerPart(generator: generator.split())) }
    }

    /// The parameters as training has them.
    package var parameters: [Float] { state.parameterArray }
    /// Their running mean where the plan has one, else the same: what is to be used.
    package var result: [Float] { state.averageArray ?? state.parameterArray }

    /// One private step, paid for.
    package mutating func step(
        paidBy reservation: borrowing Reservation, sampler: inout PoissonSampler
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
        let tally = try descend(on: .draw(sampler.step()), clip: factor, noise: sumNoise)
        if case .adaptive(let adaptive) = clipping.rule, let countNoise {
            var count = [Float(tally.unclipped) - Float(tally.records) / 2]
            count.withUnsafeMutableBufferPointer {
                countNoise.addNoise(to: $0, using: &parts[0].generator)
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

    /// One plain step on a Poisson sample: no clipping, no noise, no privacy.
    package mutating func stepWithoutPrivacy(
        sampler: inout PoissonSampler
    ) throws(TrainingError) {
        guard sampler.recordCount == records.count else { throw .recordsDoNotFit }
        _ = try descend(on: .draw(sampler.step()), clip: nil, noise: nil)
    }

    /// The same on the records at `indices`.
    package mutating func stepWithoutPrivacy(on indices: [Int]) throws(TrainingError) {
        _ = try descend(on: .these(indices), clip: nil, noise: nil)
    }

    /// Sums up the gradients, adds the noise, once, and makes the step. Each thread draws a part
    /// of the sample, takes an equal part of all that was drawn, and when all are done, a part of
    /// the parameters.
    private mutating func descend(
        on sample: Sample, clip: ClipFactor?, noise: ClippedSumNoise?
    ) throws(TrainingError) -> GradientTally {
        steps += 1
        let seed = plan.augmentation == nil ? 0 : parts[0].generator.next()
        let descent = state.descent(plan, base: base, step: steps, shared: pool.threads > 1)
        let (pool, workspaces, records, state) = (pool, workspaces, records, state)
        parts.withUnsafeMutableBufferPointer { parts in
            pool.forEachThread { thread in
                let work = workspaces[thread]
                parts[thread].draw(sample, part: thread, of: pool.threads)
                work.begin(UnsafePointer(state.parameters), shared: pool.threads > 1)
                pool.meet()
                parts[thread].tally = work.addGradients(
                    of: TrainerPart.share(of: thread, in: parts)[...], records, clip: clip,
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
        var tally = GradientTally()
        for part in parts { tally += part.tally }
        lastLoss = tally.records == 0 ? 0 : tally.loss / Double(tally.records)
        guard parts.allSatisfy(\.isFinite) else { throw .diverged(step: steps) }
        return tally
    }
}

/// What a step is made on.
private enum Sample {
    case draw(PoissonSampler.Step)
    case these([Int])
}

/// What one thread draws from and finds.
private struct TrainerPart<Generator: SplittableGenerator> {
    var generator: Generator
    var drawn: [Int] = []
    var tally = GradientTally()
    var isFinite = true

    init(generator: Generator) { self.generator = generator }

    /// Of a sample, what lies in the `index`th of `count` parts of the records.
    mutating func draw(_ sample: Sample, part index: Int, of count: Int) {
        switch sample {
        case .draw(let step):
            drawn = step.indices(
                in: (0..<step.recordCount).part(index, of: count), using: &generator)
        case .these(let indices): drawn = Array(indices[indices.indices.part(index, of: count)])
        }
    }

    /// What a thread works on of all that the parts have drawn: as much as any other.
    static func share(of thread: Int, in parts: UnsafeMutableBufferPointer<Self>) -> [Int] {
        let total = parts.indices.reduce(0) { $0 + parts[$1].drawn.count }
        let range = (0..<total).part(thread, of: parts.count)
        var share: [Int] = []
        share.reserveCapacity(range.count)
        var start = 0
        for index in parts.indices {
            let drawn = parts[index].drawn
            let common = range.clamped(to: start..<start + drawn.count)
            share += drawn[common.lowerBound - start..<common.upperBound - start]
            start += drawn.count
        }
        return share
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
