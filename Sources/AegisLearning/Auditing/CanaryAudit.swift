package import AegisCore
package import AegisPrivacy

/// The audit of Steinke, Nasr and Jagielski (2023, "Privacy Auditing with One (1) Training Run")
/// through the real training loop. A canary is a record that nobody else resembles: one feature of
/// its own and a label by chance, so that its clipped gradient lies alone in its coordinates. Half
/// of them, by fair coins, are trained on; who sees the update then guesses which.
///
/// Several runs on canaries of their own are one run on all of them: each record is in one part
/// only, so their privacy composes in parallel.
package struct CanaryAudit: Sendable {
    package struct Outcome: Hashable, Sendable {
        package let canaries: Int
        /// Of the number of guesses that `lower` comes from.
        package fileprivate(set) var guesses: Int
        package fileprivate(set) var correct: Int
        /// ε that is refuted (Steinke et al., Theorem 5.2).
        package fileprivate(set) var epsilonLower: Double
        /// The same for a mechanism with a Gaussian's trade-off, as full batches have it
        /// (Mahloujifar et al. 2024). Tighter: the other has to leave room for 2mδ.
        package fileprivate(set) var gaussianEpsilonLower: Double

        /// The better of the two, which share the significance.
        package var lower: Double { max(epsilonLower, gaussianEpsilonLower) }
    }

    package let samplingRate: Double
    /// σ, as it is charged.
    package let noiseMultiplier: Double
    package let steps: Int
    package let runs: Int
    /// In each run.
    package let canaries: Int
    package let noise: NoiseGenerator
    /// 1; less, to see whether the audit finds training with less noise than it says.
    package var noiseScale = 1.0

    package init(
        samplingRate: Double, noiseMultiplier: Double, steps: Int, runs: Int = 48,
        canaries: Int = 1_024, noise: NoiseGenerator = .fast
    ) {
        self.samplingRate = samplingRate
        self.noiseMultiplier = noiseMultiplier
        self.steps = steps
        self.runs = runs
        self.canaries = canaries
        self.noise = noise
    }

    /// Shares of the canaries that are guessed: each is tried, and they share the significance.
    private static let shares = [0.003, 0.01, 0.03, 0.1, 0.3]

    package func run(
        delta: Double, significance: Double, using generator: inout some SplittableGenerator
    ) throws -> Outcome {
        var scored: [(score: Float, isIn: Bool)] = []
        scored.reserveCapacity(runs * canaries)
        for run in 0..<runs {
            let coins = (0..<canaries).map { _ in generator.next() & 1 == 1 }
            let labels = (0..<canaries).map { _ in UInt8(generator.next() & 1) }
            let update = try train(run, coins: coins, labels: labels, using: &generator)
            for index in 0..<canaries {
                // Rows of the two classes, a column for each canary.
                let towards = update[Int(labels[index]) * canaries + index]
                let away = update[Int(1 - labels[index]) * canaries + index]
                scored.append((towards - away, coins[index]))
            }
        }
        scored.sort { $0.score > $1.score }
        return Self.best(scored.map(\.isIn), delta: delta, significance: significance)
    }

    /// `isIn` by falling score: the first are guessed to be in, the last out.
    private static func best(
        _ isIn: [Bool], delta: Double, significance: Double
    ) -> Outcome {
        let each = significance / Double(2 * shares.count)
        var best = Outcome(
            canaries: isIn.count, guesses: 0, correct: 0, epsilonLower: 0,
            gaussianEpsilonLower: 0)
        for share in shares {
            let half = Int(share * Double(isIn.count) / 2)
            let correct = isIn.prefix(half).count { $0 } + isIn.suffix(half).count { !$0 }
            guard
                let audit = OneRunAudit(
                    canaries: isIn.count, guesses: 2 * half, correct: correct)
            else { continue }
            let lower = audit.epsilon(delta: delta, significance: each)
            let gaussianLower = audit.gaussianEpsilon(delta: delta, significance: each)
            if max(lower, gaussianLower) >= best.lower {
                (best.guesses, best.correct) = (2 * half, correct)
            }
            best.epsilonLower = max(best.epsilonLower, lower)
            best.gaussianEpsilonLower = max(best.gaussianEpsilonLower, gaussianLower)
        }
        return best
    }

    /// What one run on the chosen canaries releases.
    private func train(
        _ run: Int, coins: [Bool], labels: [UInt8],
        using generator: inout some SplittableGenerator
    ) throws -> [Float] {
        let chosen = coins.indices.filter { coins[$0] }
        let model = try Model.softmax(inputs: canaries, classes: 2)
        guard !chosen.isEmpty,
            var sampler = PoissonSampler(
                samplingRate: samplingRate, noiseMultiplier: noiseMultiplier * noiseScale,
                recordCount: chosen.count),
            let budget = PrivacyBudget(epsilon: 1e6, delta: 1e-5)
        else { throw TrainingError.recordsDoNotFit }
        var features = [UInt8](repeating: 0, count: chosen.count * canaries)
        for (row, canary) in chosen.enumerated() { features[row * canaries + canary] = 255 }
        // A long feature, so that next to nothing of the gradient lies in the bias that all share.
        let reach: Float = 16
        let records = try Records(
            features: features, labels: chosen.map { labels[$0] }, classes: 2,
            scaling: FeatureScaling(scale: reach / 255, offset: 0))
        // Steps so small that no logit moves far: every gradient stays longer than the norm.
        let travelled = Float(steps) + 4 * Float(noiseMultiplier) * Float(steps).squareRoot()
        let plan = TrainingPlan(
            model: model, steps: steps, expectedBatch: canaries,
            learningRate: LearningRate(Float(canaries) / (4 * reach * travelled)),
            clipping: Clipping(norm: 1), noise: noise)
        var (ledger, _) = PrivacyLedger.open(
            dataset: "canaries", budget: budget, hash: { _ in .zero })
        let reservation = try ledger.reserve(
            ReleaseKey(run: [], round: UInt64(run)), for: sampler.event(afterSteps: steps))
        let base = [Float](repeating: 0, count: model.parameterCount)
        return try Trainer.train(
            plan, from: base, on: records, paidBy: reservation, sampler: &sampler,
            using: &generator
        ).update
    }
}
