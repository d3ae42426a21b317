import CLearning

/// Everything that a forward and a backward pass over a micro-batch need, allocated once. Serves
/// one thread.
final class Workspace {
    let model: Model
    /// Rows of a micro-batch at most, a multiple of `views`.
    let rowsMax: Int
    let views: Int
    /// The sum of the (clipped) gradients, in the parameters' order.
    let sum: Values
    let logits: Values

    private let arena = Arena()
    private var stages: [Stage] = []
    private let input: InputKernel
    private let lossKernel: LossKernel
    private let norms: Values
    private let factors: Values

    private struct Stage {
        let kernel: any LayerKernel
        let parameters: Range<Int>
    }

    /// `norm` forces how convolutions get their norms, for tests.
    init(
        model: Model, loss: Loss, rowsMax: Int, augmentation: Augmentation? = nil,
        clips: Bool = false, norm: ConvolutionNorm? = nil
    ) {
        LinearAlgebra.prepare()
        self.model = model
        views = augmentation?.views ?? 1
        self.rowsMax = max(rowsMax / views, 1) * views
        sum = arena.floats(model.parameterCount)
        norms = arena.floats(self.rowsMax)
        factors = arena.floats(self.rowsMax)
        var builder = StageBuilder(
            model: model, rowsMax: self.rowsMax, views: views, clips: clips, norm: norm,
            sum: sum, arena: arena)
        let first = builder.values
        builder.build()
        stages = builder.stages.map { Stage(kernel: $0.0, parameters: $0.1) }
        input = InputKernel(
            shape: model.input, toImage: builder.takesImages, augmentation: augmentation,
            buffer: first, arena: arena)
        logits = builder.values
        lossKernel = LossKernel(
            loss, outputs: model.outputs, logits: builder.values, gradient: builder.gradients,
            rowsMax: self.rowsMax, arena: arena)
    }

    /// A new step: its parameters, and nothing in `sum`. `shared`: other threads read `sum`.
    func begin(_ parameters: UnsafePointer<Float>, shared: Bool) {
        if shared { aegis_fetch(parameters, model.parameterCount) }
        aegis_zero(sum, model.parameterCount, shared ? 1 : 0)
        prepare(parameters)
    }

    func prepare(_ parameters: UnsafePointer<Float>) {
        for stage in stages { stage.kernel.prepare(parameters + stage.parameters.lowerBound) }
    }

    /// The outputs of the records at `indices` are in `logits` then.
    func forward(_ records: Records, _ indices: ArraySlice<Int>, seed: UInt64 = 0) {
        let batch = MicroBatch(records: indices.count, views: views)
        precondition(batch.rows <= rowsMax)
        if case .tokens(let values, let starts) = records.features,
            let bag = stages.first?.kernel as? EmbeddingBagKernel
        {
            bag.gather(values, starts, indices)
        } else {
            input.gather(records, indices, seed: seed)
        }
        for stage in stages { stage.kernel.forward(batch) }
    }

    func loss(_ records: Records, _ indices: ArraySlice<Int>) -> LossTally {
        lossKernel.apply(records, indices, views: views)
    }

    /// Adds the gradients of the records at `indices` to `sum`, a micro-batch at a time: memory
    /// does not grow with the draw, and nothing of it is ever dropped. `collect` comes after.
    func addGradients(
        of indices: ArraySlice<Int>, _ records: Records, clip: ClipFactor?, seed: UInt64 = 0
    ) -> GradientTally {
        var tally = GradientTally(records: indices.count)
        let step = indices.count.evenStep(atMost: rowsMax / views)
        for start in stride(from: indices.startIndex, to: indices.endIndex, by: step) {
            let part = indices[start..<min(start + step, indices.endIndex)]
            let batch = MicroBatch(records: part.count, views: views)
            forward(records, part, seed: seed)
            tally.loss += loss(records, part).loss
            for index in stages.indices.reversed() {
                stages[index].kernel.backward(batch, toInput: index > 0)
            }
            if let clip { tally.unclipped += findFactors(batch, clip) }
            for stage in stages {
                stage.kernel.addGradients(batch, factors: clip == nil ? nil : factors)
            }
        }
        return tally
    }

    /// Makes `sum` whole.
    func collect() {
        for stage in stages { stage.kernel.collect(into: sum + stage.parameters.lowerBound) }
    }

    private func findFactors(_ batch: MicroBatch, _ clip: ClipFactor) -> Int {
        norms.update(repeating: 0, count: batch.records)
        for stage in stages { stage.kernel.addSquaredNorms(batch, to: norms) }
        var unclipped = 0
        for record in 0..<batch.records {
            let norm = norms[record].squareRoot()
            factors[record] = clip.factor(ofNorm: norm)
            if norm <= clip.norm { unclipped += 1 }
        }
        return unclipped
    }
}

/// What the gradients of one step say beside their sum. Of private records: it stays here.
struct GradientTally {
    var records = 0
    /// The sum of the records' losses.
    var loss = 0.0
    /// Records whose gradient is no longer than the clip norm.
    var unclipped = 0

    static func += (left: inout GradientTally, right: GradientTally) {
        left.records += right.records
        left.loss += right.loss
        left.unclipped += right.unclipped
    }
}

/// What a record's gradient is multiplied with.
struct ClipFactor {
    let norm: Float
    /// Nil for flat clipping.
    let stability: Float?

    /// Covers what single precision can lose in a norm, so that the bound holds.
    private static let margin: Float = 1 + 0x1p-18

    /// A record whose norm is no number contributes nothing.
    func factor(ofNorm length: Float) -> Float {
        guard length.isFinite else { return 0 }
        let safe = length * Self.margin
        guard safe.isFinite else { return 0 }
        if let stability { return norm / (safe + stability) }
        return safe > norm ? norm / safe : 1
    }
}

extension Int {
    /// The size of equal parts of at most `most`, as few as can be: a short last part would be
    /// dear, as a matrix product of few rows is.
    func evenStep(atMost most: Int) -> Int {
        let parts = Swift.max(1, (self + most - 1) / most)
        return Swift.max(1, (self + parts - 1) / parts)
    }
}
