package import AegisPrivacy

/// What a training does. Everything here is public.
package struct TrainingPlan: Hashable, Sendable {
    package var model: Model
    package var loss: Loss
    /// Steps that the learning rate's schedule spans and `train` makes.
    package var steps: Int
    /// B: what the summed gradients are divided by. A constant, never a count of private records
    /// nor the size of a drawn batch.
    package var expectedBatch: Int
    package var learningRate: LearningRate
    package var optimizer: Optimizer
    /// Nil only without privacy.
    package var clipping: Clipping?
    /// Which generator makes the noise.
    package var noise: NoiseGenerator
    /// The pull towards the base, μ/2 · ‖w − base‖² (Li et al. 2020, FedProx). It needs no data,
    /// so it comes after the noise.
    package var proximal: Float
    /// Decay of the running mean of the parameters, with its warm-up of (1 + t)/(10 + t) (De et
    /// al. 2022). Post-processing: costs no privacy. Nil for none.
    package var averaging: Float?
    package var augmentation: Augmentation?
    /// Rows that are processed at once by one thread; bounds memory whatever a draw's size is.
    /// Nil: as many as suit the cache.
    package var microBatch: Int?
    /// Where this training's steps lie in a longer one, for the learning rate: the steps made
    /// before, and those of the whole; nil where this is the whole.
    package var stepsBefore = 0
    package var scheduleSteps: Int?
    /// Threads that share a step. They sleep when they wait.
    package var threads: Int

    package init(
        model: Model, loss: Loss = .crossEntropy, steps: Int, expectedBatch: Int,
        learningRate: LearningRate, optimizer: Optimizer = .sgd(), clipping: Clipping? = nil,
        noise: NoiseGenerator = .fast, proximal: Float = 0, averaging: Float? = nil,
        augmentation: Augmentation? = nil,
        microBatch: Int? = nil, threads: Int = 1
    ) {
        precondition(steps >= 0 && expectedBatch > 0 && threads > 0 && microBatch ?? 1 > 0)
        self.model = model
        self.loss = loss
        self.steps = steps
        self.expectedBatch = expectedBatch
        self.learningRate = learningRate
        self.optimizer = optimizer
        self.clipping = clipping
        self.noise = noise
        self.proximal = proximal
        self.averaging = averaging
        self.augmentation = augmentation
        self.microBatch = microBatch
        self.threads = threads
    }
}

extension TrainingPlan {
    /// What would keep the plan from running, before anything is paid for it. `noiseMultiplier` is
    /// what its steps will be charged with.
    package func check(
        from base: [Float], on records: Records, noiseMultiplier: Double? = nil
    ) throws(TrainingError) {
        guard base.count == model.parameterCount else {
            throw .wrongShape(expected: model.parameterCount, actual: base.count)
        }
        guard model.fits(records, loss: loss) else { throw .recordsDoNotFit }
        if let clipping, !(clipping.norm > 0 && clipping.norm.isFinite) {
            throw .invalidClipNorm
        }
        guard isValid else { throw .invalidPlan }
        if let noiseMultiplier, case .adaptive(let adaptive)? = clipping?.rule,
            adaptive.sumNoise(charged: noiseMultiplier) == nil
        {
            throw .countNoiseTooSmall
        }
    }

    private var isValid: Bool {
        if let averaging, !(averaging >= 0 && averaging < 1) { return false }
        guard proximal >= 0, learningRate.base.isFinite else { return false }
        guard augmentation != nil else { return true }
        if case .image = model.input { return true }
        return false
    }
}

/// Several views of each record, whose gradients are averaged before they are clipped (De et al.
/// 2022, §3.2, "augmentation multiplicity"): a record still has one bounded part in the sum.
package struct Augmentation: Hashable, Sendable {
    /// K
    package var views: Int
    /// Images move up to so many pixels along each axis; what enters is the edge's value.
    package var shift: Int
    /// Images are mirrored left to right half of the time.
    package var mirror: Bool

    package init(views: Int, shift: Int = 0, mirror: Bool = false) {
        precondition(views > 0 && shift >= 0)
        self.views = views
        self.shift = shift
        self.mirror = mirror
    }
}

/// What a training gives back.
package struct TrainingResult: Hashable, Sendable {
    /// trained − base: what is released. Of the running mean where the plan has one.
    package let update: [Float]
    /// The sampler's account of what was drawn, for the ledger.
    package let event: MechanismEvent
    /// C after the last step: where adaptive clipping left it, from noised counts alone. Nil
    /// without clipping.
    package let clipNorm: Float?
}

/// Why a training did not run, or has no result. Its reservation stays spent.
package enum TrainingError: Error, Hashable, Sendable {
    case wrongShape(expected: Int, actual: Int)
    /// The records' width, kind or targets are not the model's and the loss's, or the sampler's
    /// count not theirs.
    case recordsDoNotFit
    /// The reservation does not cover what the sampler is about to draw.
    case notPaid(needed: MechanismEvent, reserved: MechanismEvent)
    /// Private training needs a finite clip norm above 0.
    case invalidClipNorm
    /// Adaptive clipping's count has too little noise for what is charged.
    case countNoiseTooSmall
    /// The noise generator can't make this noise: exact noise needs σ > 0 and a grid that is fine
    /// enough for so many parameters.
    case noiseNotPossible
    /// Views of records that are no images, or an averaging decay that is none.
    case invalidPlan
    /// A parameter is infinite or not a number: the learning rate is too high.
    case diverged(step: Int)
}
