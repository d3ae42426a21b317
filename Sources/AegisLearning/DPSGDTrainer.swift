package import AegisPrivacy

/// Local training in one round. Everything here is public.
package struct TrainingPlan: Hashable, Sendable {
    package var network: Network
    package var steps: Int
    /// B: what the summed gradients are divided by. A constant of the run, never a count of
    /// private records nor the size of a drawn batch.
    package var expectedBatch: Int
    package var learningRate: Float
    package var momentum: Float
    /// Records that are processed at once; bounds memory whatever a draw's size is.
    package var microBatch: Int

    package init(
        network: Network, steps: Int, expectedBatch: Int, learningRate: Float,
        momentum: Float, microBatch: Int = 256
    ) {
        precondition(steps >= 0 && expectedBatch > 0 && microBatch > 0)
        self.network = network
        self.steps = steps
        self.expectedBatch = expectedBatch
        self.learningRate = learningRate
        self.momentum = momentum
        self.microBatch = microBatch
    }
}

/// What a training gives back.
package struct TrainingResult: Hashable, Sendable {
    /// trained − base: what is released.
    package let update: [Float]
    /// The sampler's account of what was drawn, for the ledger.
    package let event: MechanismEvent
}

/// Why a training did not run, or has no result. Its reservation stays spent.
package enum TrainingError: Error, Hashable, Sendable {
    case wrongShape(expected: Int, actual: Int)
    /// The records' width or classes are not the network's, or the sampler's count not theirs.
    case recordsDoNotFit
    /// The reservation does not cover what the sampler is about to draw.
    case notPaid(needed: MechanismEvent, reserved: MechanismEvent)
    case invalidClipNorm
    /// A parameter is infinite or not a number: the learning rate is too high.
    case diverged
}

/// Differentially private SGD (Abadi et al. 2016): Poisson-sampled steps, each record's gradient
/// clipped, Gaussian noise on the sum, momentum afterwards. Nothing of it depends on the number of
/// private records but the draws themselves; an empty draw is a normal step.
package struct DPSGDTrainer {
    private let plan: TrainingPlan

    package init(_ plan: TrainingPlan) { self.plan = plan }

    /// Trains under a paid reservation. σ is the sampler's, so that what is charged is what is
    /// applied; `generator` is a cryptographic one. `progress` is told the steps done after each,
    /// and stops the training by throwing.
    package func train(
        from base: [Float], on records: Records, clipNorm: Float,
        paidBy reservation: borrowing Reservation, sampler: inout PoissonSampler,
        using generator: inout some RandomNumberGenerator,
        progress: (Int) throws -> Void = { _ in }
    ) throws -> TrainingResult {
        let needed = sampler.event(afterSteps: sampler.steps + plan.steps)
        guard reservation.event.covers(needed) else {
            throw TrainingError.notPaid(needed: needed, reserved: reservation.event)
        }
        guard clipNorm > 0, clipNorm.isFinite else { throw TrainingError.invalidClipNorm }
        return try run(
            base, records, clipNorm: clipNorm, &sampler, &generator, progress: progress)
    }

    /// Plain SGD on the same Poisson samples: no clipping, no noise, no privacy. Its event has
    /// σ = 0 and costs infinitely much, so no ledger admits it by mistake.
    package func trainWithoutPrivacy(
        from base: [Float], on records: Records, samplingRate: Double,
        using generator: inout some RandomNumberGenerator,
        progress: (Int) throws -> Void = { _ in }
    ) throws -> TrainingResult {
        guard
            var sampler = PoissonSampler(
                samplingRate: samplingRate, noiseMultiplier: 0, recordCount: records.count)
        else { throw TrainingError.recordsDoNotFit }
        return try run(base, records, clipNorm: nil, &sampler, &generator, progress: progress)
    }

    private func run(
        _ base: [Float], _ records: Records, clipNorm: Float?,
        _ sampler: inout PoissonSampler, _ generator: inout some RandomNumberGenerator,
        progress: (Int) throws -> Void
    ) throws -> TrainingResult {
        let network = plan.network
        guard base.count == network.parameterCount else {
            throw TrainingError.wrongShape(expected: network.parameterCount, actual: base.count)
        }
        guard records.inputs == network.inputs, records.classes <= network.classes,
            sampler.recordCount == records.count
        else { throw TrainingError.recordsDoNotFit }
        let workspace = DenseWorkspace(
            network: network, rowsMax: min(plan.microBatch, max(1, records.count)))
        var parameters = base
        var velocity = [Float](repeating: 0, count: base.count)
        var sum = [Float](repeating: 0, count: base.count)
        let noise = clipNorm.map { Float(sampler.noiseMultiplier) * $0 }
        for step in 1...max(1, plan.steps) where step <= plan.steps {
            let drawn = sampler.draw(using: &generator)
            sum.withUnsafeMutableBufferPointer { sum in
                sum.update(repeating: 0)
                workspace.addGradients(
                    of: drawn, records, at: parameters, clipNorm: clipNorm, to: sum)
                if let noise { GaussianNoise.add(scale: noise, to: sum, using: &generator) }
            }
            descend(&parameters, &velocity, sum)
            try progress(step)
        }
        var update = parameters
        for index in update.indices { update[index] -= base[index] }
        guard update.allSatisfy(\.isFinite) else { throw TrainingError.diverged }
        return TrainingResult(update: update, event: sampler.event)
    }

    /// v ← μv + sum / B;  parameters ← parameters − ηv
    private func descend(
        _ parameters: inout [Float], _ velocity: inout [Float], _ sum: [Float]
    ) {
        let divisor = 1 / Float(plan.expectedBatch)
        let (rate, momentum) = (plan.learningRate, plan.momentum)
        parameters.withUnsafeMutableBufferPointer { parameters in
            velocity.withUnsafeMutableBufferPointer { velocity in
                sum.withUnsafeBufferPointer { sum in
                    for index in 0..<sum.count {
                        velocity[index] = momentum * velocity[index] + sum[index] * divisor
                        parameters[index] -= rate * velocity[index]
                    }
                }
            }
        }
    }
}
