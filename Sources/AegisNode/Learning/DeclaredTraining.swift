import AegisLearning
import AegisProtocol

extension TrainingPlan {
    /// One round of a run, as its specification declares it. The schedule of the learning rate
    /// spans the whole run.
    init(
        _ specification: RunSpecification, round: Int, model: Model, loss: Loss,
        privacy: PrivacyDeclaration, clipNorm: Float?, threads: Int
    ) {
        let training = specification.training
        let refinements = training.refinements
        func real(_ millionths: Int) -> Float { Float(millionths) / 1_000_000 }
        self.init(
            model: model, loss: loss, steps: training.localSteps,
            expectedBatch: training.expectedBatch,
            learningRate: LearningRate(
                real(training.learningRateMillionths), schedule: refinements.schedule.learning,
                warmUp: refinements.warmUpSteps),
            optimizer: refinements.optimizer == .adam
                ? .adam() : .sgd(momentum: real(training.momentumMillionths)),
            clipping: Clipping(
                norm: clipNorm ?? real(privacy.clipNormMillionths), rule: privacy.clipping.rule),
            proximal: real(refinements.proximalMillionths),
            averaging: refinements.averagingMillionths > 0
                ? real(refinements.averagingMillionths) : nil,
            augmentation: refinements.views > 1 || refinements.shift > 0 || refinements.mirror
                ? Augmentation(
                    views: refinements.views, shift: refinements.shift,
                    mirror: refinements.mirror)
                : nil,
            threads: threads)
        stepsBefore = (round - 1) * training.localSteps
        scheduleSteps = specification.rounds * training.localSteps
    }
}

extension TrainingRefinements.Schedule {
    fileprivate var learning: LearningRate.Schedule {
        switch self {
        case .constant: .constant
        case .linear: .linear()
        case .cosine: .cosine()
        }
    }
}

extension ClippingDeclaration {
    fileprivate var rule: Clipping.Rule {
        switch self {
        case .flat: .flat
        case .automatic: .automatic()
        case .adaptive(let quantile, let noise):
            .adaptive(
                Clipping.Adaptive(
                    quantile: Double(quantile) / 1_000_000,
                    countNoise: Double(noise) / 1_000_000))
        }
    }
}
