import AegisCore
import AegisLearning
import AegisPrivacy
import Testing

@Suite("DP-SGD (Abadi et al. 2016)")
struct TrainerTests {
    private func ledger() throws -> PrivacyLedger {
        let budget = try #require(PrivacyBudget(epsilon: 1e6, delta: 1e-5))
        return PrivacyLedger.open(dataset: "test", budget: budget) { _ in .zero }.ledger
    }

    private func plan(_ model: Model, steps: Int, clipNorm: Float) -> TrainingPlan {
        TrainingPlan(
            model: model, steps: steps, expectedBatch: 10, learningRate: LearningRate(1),
            clipping: Clipping(norm: clipNorm))
    }

    @Test("a step of empty draws is noise of σ·C/B alone, and is counted")
    func noiseOnly() throws {
        let records = try testRecords(count: 20, inputs: 100, classes: 10, seed: 1).records
        let model = try Model.multilayerPerceptron(
            inputs: 100, hidden: [100], classes: 10)
        var sampler = try #require(
            PoissonSampler(samplingRate: 0, noiseMultiplier: 2, recordCount: 20))
        var ledger = try ledger()
        let reservation = try ledger.reserve(
            ReleaseKey(run: [1], round: 1), for: sampler.event(afterSteps: 4))
        var generator = SplitMix64(seed: 1)
        let result = try Trainer.train(
            plan(model, steps: 4, clipNorm: 3), from: model.initialParameters(seed: 1),
            on: records, paidBy: reservation, sampler: &sampler, using: &generator)
        #expect(result.event.steps == 4)
        let count = Double(model.parameterCount)
        let variance = result.update.reduce(0.0) { $0 + Double($1) * Double($1) } / count
        // Four steps of noise 2 · 3 / 10 each.
        let expected = 4 * 0.36
        #expect(abs(variance - expected) < 5 * expected * (2 / count).squareRoot())
        _ = try ledger.commit(reservation, used: result.event, update: .zero)
    }

    @Test("one full-batch step is the clipped sum over B, plus noise of the size charged")
    func oneStep() throws {
        let records = try testRecords(count: 40, inputs: 30, classes: 4, seed: 2).records
        let model = try Model.multilayerPerceptron(
            inputs: 30, hidden: [20], classes: 4)
        let base = model.initialParameters(seed: 7)
        var sampler = try #require(
            PoissonSampler(samplingRate: 1, noiseMultiplier: 0.01, recordCount: 40))
        var ledger = try ledger()
        let reservation = try ledger.reserve(
            ReleaseKey(run: [1], round: 1), for: sampler.event(afterSteps: 1))
        var generator = SplitMix64(seed: 1)
        let result = try Trainer.train(
            plan(model, steps: 1, clipNorm: 0.5), from: base, on: records, paidBy: reservation,
            sampler: &sampler,
            using: &generator)
        let sum = model.gradientSum(
            of: Array(0..<40), in: records, at: base, clipNorm: 0.5)
        var squared = 0.0
        for (update, sum) in zip(result.update, sum) {
            let noise = Double(update + sum / 10) * 10
            #expect(abs(noise) < 6 * 0.005)
            squared += noise * noise
        }
        let deviation = (squared / Double(model.parameterCount)).squareRoot()
        #expect(abs(deviation - 0.005) < 0.005 * 0.15)
    }

    @Test("no training on more than was paid for")
    func unpaid() throws {
        let records = try testRecords(count: 20, inputs: 10, classes: 2, seed: 3).records
        let model = try Model.softmax(inputs: 10, classes: 2)
        var sampler = try #require(
            PoissonSampler(samplingRate: 0.5, noiseMultiplier: 1, recordCount: 20))
        var ledger = try ledger()
        let reservation = try ledger.reserve(
            ReleaseKey(run: [1], round: 1), for: sampler.event(afterSteps: 3))
        var generator = SplitMix64(seed: 1)
        let (needed, reserved) = (sampler.event(afterSteps: 4), sampler.event(afterSteps: 3))
        #expect(throws: TrainingError.notPaid(needed: needed, reserved: reserved)) {
            try Trainer.train(
                plan(model, steps: 4, clipNorm: 1), from: model.initialParameters(seed: 1),
                on: records, paidBy: reservation, sampler: &sampler, using: &generator)
        }
        #expect(sampler.steps == 0)
        #expect(throws: TrainingError.recordsDoNotFit) {
            var other = try #require(
                PoissonSampler(samplingRate: 0.5, noiseMultiplier: 1, recordCount: 19))
            _ = try Trainer.train(
                plan(model, steps: 3, clipNorm: 1), from: model.initialParameters(seed: 1),
                on: records, paidBy: reservation, sampler: &other, using: &generator)
        }
    }

    @Test("progress is told each step, and stops the training by throwing")
    func cancelled() throws {
        struct Stop: Error {}
        let records = try testRecords(count: 20, inputs: 10, classes: 2, seed: 3).records
        let model = try Model.softmax(inputs: 10, classes: 2)
        var generator = SplitMix64(seed: 1)
        var seen: [Int] = []
        #expect(throws: Stop.self) {
            try Trainer.trainWithoutPrivacy(
                plan(model, steps: 10, clipNorm: 1), from: model.initialParameters(seed: 1),
                on: records, samplingRate: 0.5,
                using: &generator
            ) {
                seen.append($0)
                if $0 == 3 { throw Stop() }
            }
        }
        #expect(seen == [1, 2, 3])
    }

    @Test("training learns: without privacy well, with it better than chance")
    func learns() throws {
        let records = try testRecords(count: 2000, inputs: 30, classes: 4, seed: 4).records
        let model = try Model.multilayerPerceptron(
            inputs: 30, hidden: [16], classes: 4)
        let base = model.initialParameters(seed: 1)
        var generator = SplitMix64(seed: 1)
        var plan = TrainingPlan(
            model: model, steps: 60, expectedBatch: 200, learningRate: LearningRate(0.2),
            optimizer: .sgd(momentum: 0.9), clipping: Clipping(norm: 1))
        let plain = try Trainer.trainWithoutPrivacy(
            plan, from: base, on: records, samplingRate: 0.1, using: &generator)
        let learnt = zip(base, plain.update).map { $0 + $1 }
        #expect(model.evaluate(learnt, on: records).accuracy > 0.99)
        #expect(
            RDPAccountant().composing(plain.event).epsilon(delta: 1e-5) == .infinity)

        plan.learningRate = LearningRate(0.5)
        var sampler = try #require(
            PoissonSampler(samplingRate: 0.1, noiseMultiplier: 1.5, recordCount: 2000))
        var ledger = try ledger()
        let reservation = try ledger.reserve(
            ReleaseKey(run: [1], round: 1), for: sampler.event(afterSteps: 60))
        #expect(ledger.spent < 4)
        let result = try Trainer.train(
            plan, from: base, on: records, paidBy: reservation, sampler: &sampler,
            using: &generator)
        let noisy = zip(base, result.update).map { $0 + $1 }
        #expect(model.evaluate(noisy, on: records).accuracy > 0.9)
    }

    @Test("a learning rate that makes the model infinite is an error, not an update")
    func diverged() throws {
        let records = try testRecords(count: 20, inputs: 10, classes: 2, seed: 3).records
        let model = try Model.multilayerPerceptron(
            inputs: 10, hidden: [8], classes: 2)
        var generator = SplitMix64(seed: 1)
        let plan = TrainingPlan(
            model: model, steps: 30, expectedBatch: 1, learningRate: LearningRate(1e30),
            optimizer: .sgd(momentum: 0.9))
        #expect(throws: TrainingError.diverged(step: 1)) {
            try Trainer.trainWithoutPrivacy(
                plan, from: model.initialParameters(seed: 1), on: records, samplingRate: 1,
                using: &generator)
        }
    }
}
