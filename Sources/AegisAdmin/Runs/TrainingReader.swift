import AegisAPI
import AegisCore
import AegisProtocol

/// Reads how the nodes train, and how the model follows from the round's aggregate.
struct TrainingReader {
    let faults: FaultList

    static func millionths(_ value: Double) -> Int { Int((value * 1e6).rounded()) }

    /// A run without training still names a step and a batch; they cost nothing. `samplingRate`
    /// turns epochs into steps.
    func training(
        _ value: JSONValue?, model: ModelDeclaration?, trains: Bool, samplingRate: Double?
    ) -> TrainingDeclaration? {
        if value == nil, trains {
            faults.add("training", "is missing; must be an object")
            return nil
        }
        var fields = FieldReader(value ?? .object([:]), path: "training", faults: faults)
        let standard: Int? = trains ? nil : 1
        let localSteps = steps(&fields, default: standard, samplingRate: samplingRate)
        let batch = fields.integer("expected_batch", in: 1...10_000_000, default: standard)
        let rate = fields.number(
            "learning_rate", in: 0.000001...1_000, default: standard.map(Double.init))
        let momentum = fields.number("momentum", in: 0...0.999999, default: 0)
        let seed = fields.integer("seed", in: 0...Int.max, default: 1)
        let refinements = refinements(&fields, model: model)
        fields.finish()
        guard let localSteps, let batch, let rate, let momentum, let seed, let refinements else {
            return nil
        }
        return TrainingDeclaration(
            localSteps: localSteps, expectedBatch: batch,
            learningRateMillionths: Self.millionths(rate),
            momentumMillionths: Self.millionths(momentum), seed: UInt64(seed),
            refinements: refinements)
    }

    /// Local steps, or local epochs: as many steps as draw each record so often on average. Both
    /// are public, and do not depend on how many records a node has.
    private func steps(
        _ fields: inout FieldReader, default standard: Int?, samplingRate: Double?
    ) -> Int? {
        guard fields.optional("local_epochs") != nil else {
            return fields.integer(
                "local_steps", in: 1...Limits.localStepsMax, default: standard)
        }
        if fields.optional("local_steps") != nil {
            fields.fault("local_epochs", "excludes local_steps; give one of them")
            return nil
        }
        guard let epochs = fields.number("local_epochs", in: 0.001...10_000) else { return nil }
        guard let samplingRate, samplingRate > 0 else {
            fields.fault("local_epochs", "needs privacy.sampling_rate; or give local_steps")
            return nil
        }
        let steps = max(1, (epochs / samplingRate).rounded())
        guard steps <= Double(Limits.localStepsMax) else {
            fields.fault("local_epochs", "is more than \(Limits.localStepsMax) steps a round")
            return nil
        }
        return Int(steps)
    }

    private func refinements(
        _ fields: inout FieldReader, model: ModelDeclaration?
    ) -> TrainingRefinements? {
        let optimizer = choice(&fields, "optimizer", TrainingRefinements.Optimizer.sgd)
        let schedule = choice(&fields, "schedule", TrainingRefinements.Schedule.constant)
        let warmUp = fields.integer("warm_up", in: 0...1_000_000, default: 0)
        let proximal = fields.number("proximal", in: 0...1_000, default: 0)
        let averaging = fields.number("averaging", in: 0...0.999999, default: 0)
        let views = fields.integer("views", in: 1...64, default: 1)
        let shift = fields.integer("shift", in: 0...64, default: 0)
        let mirror = fields.boolean("mirror", default: false)
        guard let optimizer, let schedule, let warmUp, let proximal, let averaging, let views,
            let shift, let mirror
        else { return nil }
        let refinements = TrainingRefinements(
            optimizer: optimizer, schedule: schedule, warmUpSteps: warmUp,
            proximalMillionths: Self.millionths(proximal),
            averagingMillionths: Self.millionths(averaging), views: views, shift: shift,
            mirror: mirror)
        switch model {
        case .softmax, .multilayerPerceptron, .scatterLinear:
            if views > 1 || shift > 0 || mirror {
                fields.fault("views", "needs a model of images: cnn or layers")
            }
        case .convolutional, .layers, .some(.none), nil: break
        }
        return refinements
    }

    private func choice<Choice: RawRepresentable & CaseIterable>(
        _ fields: inout FieldReader, _ field: String, _ standard: Choice
    ) -> Choice? where Choice.RawValue == String {
        guard fields.optional(field) != nil else { return standard }
        let names = Choice.allCases.map(\.rawValue)
        return fields.text(field, names.joined(separator: " or "), where: names.contains)
            .flatMap(Choice.init(rawValue:))
    }

    func server(_ value: JSONValue?) -> ServerDeclaration? {
        guard let value else { return .plain }
        var fields = FieldReader(value, path: "server", faults: faults)
        let optimizer = choice(&fields, "optimizer", ServerDeclaration.Optimizer.average)
        let rate = fields.number("learning_rate", in: 0.000001...1_000, default: 1)
        var (momentum, decay, adaptivity): (Double?, Double?, Double?) = (0, 0, 0)
        switch optimizer {
        case .average, nil: break
        case .momentum: momentum = fields.number("momentum", in: 0...0.999999, default: 0.9)
        case .adam, .yogi:
            momentum = fields.number("momentum", in: 0...0.999999, default: 0.9)
            decay = fields.number("decay", in: 0...0.999999, default: 0.99)
            adaptivity = fields.number("adaptivity", in: 0.000001...1_000, default: 0.001)
        }
        fields.finish()
        guard let optimizer, let rate, let momentum, let decay, let adaptivity else { return nil }
        return ServerDeclaration(
            optimizer: optimizer, learningRateMillionths: Self.millionths(rate),
            momentumMillionths: Self.millionths(momentum),
            decayMillionths: Self.millionths(decay),
            adaptivityMillionths: Self.millionths(adaptivity))
    }

    /// `clipping` of the privacy object. The count's noise must be more than half the multiplier,
    /// or both together would cost more than is charged.
    func clipping(
        _ fields: inout FieldReader, batch: Int?, noiseMillionths: Int?
    ) -> ClippingDeclaration? {
        guard let value = fields.optional("clipping") else { return .flat }
        if value == .text("flat") { return .flat }
        if value == .text("automatic") { return .automatic }
        guard case .object = value else {
            fields.fault(
                "clipping",
                "must be flat, automatic or {quantile: 0.5, count_noise: 25.6}, is "
                    + FieldReader.shown(value))
            return nil
        }
        var adaptive = FieldReader(value, path: fields.name(of: "clipping"), faults: faults)
        let quantile = adaptive.number("quantile", in: 0.000001...0.999999, default: 0.5)
        let noise = adaptive.number(
            "count_noise", in: 0.000001...1_000_000, default: batch.map { Double($0) / 20 })
        adaptive.finish()
        guard let quantile, let noise else { return nil }
        let millionths = Self.millionths(noise)
        if let noiseMillionths, 2 * millionths <= noiseMillionths {
            adaptive.fault(
                "count_noise",
                "must be more than half the noise multiplier, "
                    + "\(Double(noiseMillionths) / 2e6); is \(noise)")
            return nil
        }
        return .adaptive(
            quantileMillionths: Self.millionths(quantile), countNoiseMillionths: millionths)
    }
}
