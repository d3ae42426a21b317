import AegisCore
import AegisLearning
import AegisPrivacy
import Testing

@Suite("Optimisers, schedules, clipping rules")
struct OptimizerTests {
    private let model: Model
    private let records: Records

    init() throws {
        model = try Model.softmax(inputs: 6, classes: 3)
        records = try testRecords(count: 30, inputs: 6, classes: 3, seed: 4).records
    }

    private func plan(_ optimizer: Optimizer, steps: Int = 5) -> TrainingPlan {
        TrainingPlan(
            model: model, steps: steps, expectedBatch: 30, learningRate: LearningRate(0.1),
            optimizer: optimizer)
    }

    /// The parameters after each of a plain trainer's steps on all records.
    private func trace(_ plan: TrainingPlan) throws -> [[Float]] {
        var generator = SplitMix64(seed: 1)
        var trainer = try Trainer(
            plan, from: model.initialParameters(seed: 1), on: records, using: &generator)
        return try (0..<plan.steps).map { _ in
            try trainer.stepWithoutPrivacy(on: Array(0..<30))
            return trainer.parameters
        }
    }

    private func gradient(_ parameters: [Float]) -> [Double] {
        model.gradientSum(of: Array(0..<30), in: records, at: parameters, clipNorm: nil)
            .map { Double($0) / 30 }
    }

    private func isClose(_ ours: [Float], _ expected: [Double]) -> Bool {
        zip(ours, expected).allSatisfy { abs(Double($0) - $1) < 2e-6 }
    }

    @Test("SGD with momentum, as its formula says")
    func momentum() throws {
        var w = model.initialParameters(seed: 1).map(Double.init)
        var v = [Double](repeating: 0, count: w.count)
        for parameters in try trace(plan(.sgd(momentum: 0.9))) {
            for (index, slope) in gradient(w.map { Float($0) }).enumerated() {
                v[index] = 0.9 * v[index] + slope
                w[index] -= 0.1 * v[index]
            }
            #expect(isClose(parameters, w))
        }
    }

    @Test("Adam, as its Algorithm 1 says (Kingma and Ba 2015)")
    func adam() throws {
        var w = model.initialParameters(seed: 1).map(Double.init)
        var (m, v) = (w.map { _ in 0.0 }, w.map { _ in 0.0 })
        var (one, two) = (1.0, 1.0)
        for parameters in try trace(plan(.adam())) {
            (one, two) = (one * 0.9, two * 0.999)
            for (index, slope) in gradient(w.map { Float($0) }).enumerated() {
                m[index] = 0.9 * m[index] + 0.1 * slope
                v[index] = 0.999 * v[index] + 0.001 * slope * slope
                w[index] -=
                    0.1 * m[index] / (1 - one) / ((v[index] / (1 - two)).squareRoot() + 1e-8)
            }
            #expect(isClose(parameters, w))
        }
    }

    @Test("the proximal term pulls towards the base (Li et al. 2020)")
    func proximal() throws {
        var plan = plan(.sgd())
        plan.proximal = 0.5
        let base = model.initialParameters(seed: 1).map(Double.init)
        var w = base
        for parameters in try trace(plan) {
            for (index, slope) in gradient(w.map { Float($0) }).enumerated() {
                w[index] -= 0.1 * (slope + 0.5 * (w[index] - base[index]))
            }
            #expect(isClose(parameters, w))
        }
    }

    @Test("the running mean starts quickly and is what is given back")
    func averaging() throws {
        var plan = plan(.sgd(), steps: 4)
        plan.averaging = 0.3
        let raw = try trace(plan)
        var average = model.initialParameters(seed: 1)
        for (step, parameters) in zip(1..., raw) {
            let decay = min(0.3, Float(1 + step) / Float(10 + step))
            for index in average.indices {
                average[index] = decay * average[index] + (1 - decay) * parameters[index]
            }
        }
        var generator = SplitMix64(seed: 1)
        let base = model.initialParameters(seed: 1)
        let result = try Trainer.trainWithoutPrivacy(
            plan, from: base, on: records, samplingRate: 1, using: &generator)
        for (index, value) in result.update.enumerated() {
            #expect(abs(value - (average[index] - base[index])) < 1e-6)
        }
    }

    @Test("schedules go where they say")
    func schedules() {
        func values(_ schedule: LearningRate.Schedule, warmUp: Int = 0) -> [Float] {
            let rate = LearningRate(2, schedule: schedule, warmUp: warmUp)
            return (1...5).map { rate.value(at: $0, of: 4) }
        }
        #expect(values(.constant) == [2, 2, 2, 2, 2])
        #expect(values(.linear(final: 0.5)) == [2, 1.75, 1.5, 1.25, 1])
        #expect(values(.staircase(every: 2, factor: 0.5)) == [2, 2, 1, 1, 0.5])
        let cosine = values(.cosine())
        #expect(cosine[0] == 2 && abs(cosine[2] - 1) < 1e-6 && abs(cosine[4]) < 1e-6)
        #expect(values(.constant, warmUp: 4) == [0.5, 1, 1.5, 2, 2])
    }

    private func reservation(
        _ sampler: PoissonSampler, steps: Int, _ ledger: inout PrivacyLedger
    ) throws -> Reservation {
        try ledger.reserve(ReleaseKey(run: [1], round: 1), for: sampler.event(afterSteps: steps))
    }

    private func ledger() throws -> PrivacyLedger {
        let budget = try #require(PrivacyBudget(epsilon: 1e6, delta: 1e-5))
        return PrivacyLedger.open(dataset: "test", budget: budget) { _ in .zero }.ledger
    }

    @Test("automatic clipping gives every record C / (norm + stability) (Bu et al. 2023)")
    func automatic() {
        let base = model.initialParameters(seed: 1)
        var expected = [Double](repeating: 0, count: base.count)
        for record in 0..<30 {
            let own = model.gradientSum(of: [record], in: records, at: base, clipNorm: nil)
            let norm = own.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            for index in expected.indices {
                expected[index] += Double(own[index]) * 0.25 / (norm + 0.01)
            }
        }
        let ours = model.gradientSum(
            of: Array(0..<30), in: records, at: base, loss: .crossEntropy, clipNorm: 0.25,
            stability: 0.01, norm: nil)
        #expect(GradientTests.distance(ours, expected) < 1e-5)
    }

    @Test("adaptive clipping finds the quantile, and its noise is what was charged")
    func adaptive() throws {
        let adaptive = Clipping.Adaptive(countNoise: 2)
        // Both queries together: 1/z² = 1/z_Δ² + 1/(2σ_b)² (Andrew et al. 2021, Theorem 1).
        let sum = try #require(adaptive.sumNoise(charged: 1))
        #expect(abs(1 / (sum * sum) + 1 / 16.0 - 1) < 1e-12)
        #expect(Clipping.Adaptive(countNoise: 0.5).sumNoise(charged: 1) == nil)

        let records = try testRecords(count: 2000, inputs: 6, classes: 3, seed: 5).records
        var plan = plan(.sgd(), steps: 200)
        plan.learningRate = LearningRate(0)
        plan.expectedBatch = 1000
        plan.clipping = Clipping(norm: 100, rule: .adaptive(.init(countNoise: 20)))
        var sampler = try #require(
            PoissonSampler(samplingRate: 0.5, noiseMultiplier: 1, recordCount: 2000))
        var ledger = try ledger()
        let reservation = try reservation(sampler, steps: 200, &ledger)
        var generator = SplitMix64(seed: 1)
        let base = model.initialParameters(seed: 1)
        var trainer = try Trainer(plan, from: base, on: records, using: &generator)
        for _ in 0..<200 {
            try trainer.step(paidBy: reservation, sampler: &sampler)
        }
        let norms = (0..<2000).map { record in
            model.gradientSum(of: [record], in: records, at: base, clipNorm: nil)
                .reduce(0) { $0 + $1 * $1 }.squareRoot()
        }.sorted()
        let clip = trainer.clipNorm ?? 0
        #expect(clip > norms[800] && clip < norms[1200])
    }

    @Test("two threads and small micro-batches make the same step, to rounding")
    func threads() throws {
        let records = try testRecords(count: 500, inputs: 40, classes: 5, seed: 5).records
        let model = try Model.multilayerPerceptron(inputs: 40, hidden: [24, 20], classes: 5)
        let base = model.initialParameters(seed: 1)
        func parameters(threads: Int, microBatch: Int? = nil) throws -> [Float] {
            let plan = TrainingPlan(
                model: model, steps: 5, expectedBatch: 500, learningRate: LearningRate(0.5),
                optimizer: .sgd(momentum: 0.5), microBatch: microBatch, threads: threads)
            var generator = SplitMix64(seed: 7)
            var trainer = try Trainer(plan, from: base, on: records, using: &generator)
            for _ in 0..<5 {
                try trainer.stepWithoutPrivacy(on: Array(0..<500))
            }
            return trainer.parameters
        }
        let one = try parameters(threads: 1).map(Double.init)
        #expect(GradientTests.distance(try parameters(threads: 2), one) < 1e-5)
        #expect(GradientTests.distance(try parameters(threads: 3, microBatch: 7), one) < 1e-5)
    }

    @Test("equal seeds and threads give equal bits", arguments: [1, 2], NoiseGenerator.allCases)
    func deterministic(threads: Int, noise: NoiseGenerator) throws {
        func update(seed: UInt64) throws -> [Float] {
            var plan = plan(.sgd())
            plan.clipping = Clipping(norm: 1)
            plan.threads = threads
            plan.noise = noise
            var sampler = try #require(
                PoissonSampler(samplingRate: 0.5, noiseMultiplier: 1, recordCount: 30))
            var ledger = try ledger()
            let reservation = try reservation(sampler, steps: 5, &ledger)
            var generator = SplitMix64(seed: seed)
            return try Trainer.train(
                plan, from: model.initialParameters(seed: 1), on: records, paidBy: reservation,
                sampler: &sampler, using: &generator
            ).update
        }
        #expect(try update(seed: 3) == update(seed: 3))
        #expect(try update(seed: 3) != update(seed: 4))
    }

    @Test("plans that can't be are refused")
    func refused() throws {
        let base = model.initialParameters(seed: 1)
        var views = plan(.sgd())
        views.augmentation = Augmentation(views: 2)
        #expect(throws: TrainingError.invalidPlan) {
            try views.check(from: base, on: records)
        }
        var clip = plan(.sgd())
        clip.clipping = Clipping(norm: .infinity)
        #expect(throws: TrainingError.invalidClipNorm) {
            try clip.check(from: base, on: records)
        }
        #expect(throws: TrainingError.wrongShape(expected: 21, actual: 2)) {
            try plan(.sgd()).check(from: [1, 2], on: records)
        }
        var loss = plan(.sgd())
        loss.loss = .binaryCrossEntropy
        #expect(throws: TrainingError.recordsDoNotFit) {
            try loss.check(from: base, on: records)
        }
    }
}
