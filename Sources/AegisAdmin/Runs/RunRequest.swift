package import AegisAPI
import AegisCore
import AegisIdentity
import AegisPrivacy
package import AegisProtocol

/// Turns the JSON of a run into the statement the nodes get, or into all its faults.
package struct RunRequestReader {
    private let faults = FaultList()
    private let participants: Int
    private let faultTolerance: Int

    /// Of the mesh's roster: no run can need more updates than n − f, or one fault would stop
    /// every round (PROTOCOL.md §2.5).
    package init(participants: Int, faultTolerance: Int) {
        self.participants = participants
        self.faultTolerance = faultTolerance
    }

    package func read(_ body: JSONValue, run: RunID) throws(Problem) -> RunSpecification {
        var fields = FieldReader(body, faults: faults)
        let name = fields.text("name", Self.nameRule) {
            Names.isValid($0) && RunID(text: $0) == nil
        }
        let model = fields.value(
            "model",
            "softmax, {kind: mlp, hidden: [128]} or "
                + "{kind: none, parameters: 1000000}"
        ).flatMap(self.model)
        let dataset = fields.text("dataset", Self.nameRule, where: Names.isValid)
        let rounds = fields.integer("rounds", in: 1...Limits.roundsMax)
        let trains = model.map(Self.trains) ?? true
        let training = training(&fields, trains: trains)
        let privacy = privacy(
            &fields, trains: trains,
            steps: rounds.flatMap { rounds in
                training.map { rounds * $0.localSteps }
            })
        let participantsMin = fields.integer(
            "participants_min", in: 1...max(1, participants - faultTolerance),
            default: participants / 2 + 1)
        let aggregation = AggregationReader(faults: faults).read(
            fields.optional("aggregation") ?? AggregationReader.standard,
            participants: participants, participantsMin: participantsMin)
        let deadlines = deadlines(&fields)
        fields.finish()
        guard faults.faults.isEmpty, let name, let model, let dataset, let rounds, let training,
            let aggregation, let deadlines, let participantsMin
        else {
            throw Problem(.invalidRequest, faults: faults.faults)
        }
        return RunSpecification(
            run: run, name: name, model: model, dataset: dataset, rounds: rounds,
            training: training, privacy: privacy, aggregation: aggregation,
            deadlines: deadlines, participantsMin: participantsMin)
    }

    private static let nameRule =
        "1 to 64 of a-z, 0-9, - _ and . beginning with a letter or digit"

    private static func trains(_ model: ModelDeclaration) -> Bool {
        switch model {
        case .softmax, .multilayerPerceptron: true
        case .none: false
        }
    }

    private func model(_ value: JSONValue) -> ModelDeclaration? {
        if value == .text("softmax") { return .softmax }
        var fields = FieldReader(value, path: "model", faults: faults)
        let kinds = ["softmax", "mlp", "none"]
        guard case .object = value,
            let kind = fields.text("kind", "softmax, mlp or none", where: kinds.contains)
        else { return nil }
        var model: ModelDeclaration?
        switch kind {
        case "softmax": model = .softmax
        case "mlp": model = hidden(&fields).map { .multilayerPerceptron(hidden: $0) }
        default:
            model = fields.integer("parameters", in: 1...Limits.parametersMax)
                .map { .none(parameters: $0) }
        }
        fields.finish()
        return model
    }

    private func hidden(_ fields: inout FieldReader) -> [Int]? {
        let expected = "a list of 1 to 16 widths"
        guard let value = fields.value("hidden", expected) else { return nil }
        guard case .array(let list) = value, (1...16).contains(list.count) else {
            fields.fault("hidden", "must be \(expected), is \(FieldReader.shown(value))")
            return nil
        }
        var widths: [Int] = []
        for (index, element) in list.enumerated() {
            guard case .integer(let width) = element, (1...65_536).contains(width) else {
                fields.fault(
                    "hidden[\(index)]",
                    "must be a whole number from 1 to 65536, is \(FieldReader.shown(element))")
                continue
            }
            widths.append(Int(width))
        }
        return widths.count == list.count ? widths : nil
    }

    /// A run without training still names a step and a batch; they cost nothing.
    private func training(
        _ fields: inout FieldReader, trains: Bool
    ) -> TrainingDeclaration? {
        let value = fields.optional("training")
        if value == nil, trains {
            fields.fault("training", "is missing; must be an object")
            return nil
        }
        var fields = FieldReader(value ?? .object([:]), path: "training", faults: faults)
        let standard: Int? = trains ? nil : 1
        let localSteps = fields.integer(
            "local_steps", in: 1...Limits.localStepsMax, default: standard)
        let batch = fields.integer("expected_batch", in: 1...10_000_000, default: standard)
        let rate = fields.number(
            "learning_rate", in: 0.000001...1_000, default: standard.map(Double.init))
        let momentum = fields.number("momentum", in: 0...0.999999, default: 0)
        let seed = fields.integer("seed", in: 0...Int.max, default: 1)
        fields.finish()
        guard let localSteps, let batch, let rate, let momentum, let seed else { return nil }
        return TrainingDeclaration(
            localSteps: localSteps, expectedBatch: batch,
            learningRateMillionths: Self.millionths(rate),
            momentumMillionths: Self.millionths(momentum), seed: UInt64(seed))
    }

    /// Absent is no answer: a run without privacy says so.
    private func privacy(
        _ fields: inout FieldReader, trains: Bool, steps: Int?
    ) -> PrivacyDeclaration? {
        let expected = "none or an object with epsilon or noise_multiplier"
        let given = fields.optional("privacy")
        guard let value = given ?? (trains ? nil : .text("none")) else {
            fields.fault("privacy", "is missing; must be \(expected)")
            return nil
        }
        if value == .text("none") { return nil }
        guard case .object = value else {
            fields.fault("privacy", "must be \(expected), is \(FieldReader.shown(value))")
            return nil
        }
        guard trains else {
            fields.fault("privacy", "must be none where the model is none")
            return nil
        }
        var fields = FieldReader(value, path: "privacy", faults: faults)
        let rate = fields.number("sampling_rate", in: 0.000001...1)
        let clip = fields.number("clip_norm", in: 0.000001...1_000)
        let delta = fields.number("delta", in: 1e-12...0.1)
        let noise = noiseMultiplier(&fields, rate: rate, delta: delta, steps: steps)
        fields.finish()
        guard let rate, let clip, let delta, let noise else { return nil }
        return PrivacyDeclaration(
            samplingRateMillionths: Self.millionths(rate),
            noiseMultiplierMillionths: noise, clipNormMillionths: Self.millionths(clip),
            deltaTrillionths: Int((delta * 1e12).rounded()))
    }

    /// In millionths. Given, or the least whose ε over all steps of the run is at most what was
    /// asked for.
    private func noiseMultiplier(
        _ fields: inout FieldReader, rate: Double?, delta: Double?, steps: Int?
    ) -> Int? {
        let hasEpsilon = fields.optional("epsilon") != nil
        let hasNoise = fields.optional("noise_multiplier") != nil
        guard hasEpsilon != hasNoise else {
            fields.fault(
                "epsilon",
                hasNoise
                    ? "excludes noise_multiplier; give one of them"
                    : "is missing; give epsilon or noise_multiplier")
            return nil
        }
        if hasNoise {
            return fields.number("noise_multiplier", in: 0.000001...1_000)
                .map(Self.millionths)
        }
        guard let epsilon = fields.number("epsilon", in: 0.001...1_000), let rate, let delta,
            let steps
        else { return nil }
        do {
            // As the nodes will account it: with the rate they are told, in whole millionths.
            let sigma = try Calibration.noiseMultiplier(
                epsilon: epsilon, delta: delta,
                samplingRate: Double(Self.millionths(rate)) / 1e6, steps: steps)
            let millionths = Int((sigma * 1e6).rounded(.up))
            guard (1...1_000_000_000).contains(millionths) else {
                fields.fault("epsilon", "needs a noise multiplier of \(sigma), beyond 1000")
                return nil
            }
            return millionths
        } catch {
            fields.fault("epsilon", "can't be reached in \(steps) steps at this sampling rate")
            return nil
        }
    }

    private func deadlines(_ fields: inout FieldReader) -> Deadlines? {
        let value = fields.optional("deadlines") ?? .object([:])
        var fields = FieldReader(value, path: "deadlines", faults: faults)
        let soft = fields.number("soft", in: 0.1...86_400, default: 60)
        let hard = fields.number("hard", in: 0.1...604_800, default: soft.map { $0 * 5 })
        fields.finish()
        guard let soft, let hard else { return nil }
        guard soft <= hard else {
            fields.fault("hard", "must be at least soft, \(soft) s; is \(hard) s")
            return nil
        }
        return Deadlines(
            softMilliseconds: Int((soft * 1_000).rounded()),
            hardMilliseconds: Int((hard * 1_000).rounded()))
    }

    private static func millionths(_ value: Double) -> Int { Int((value * 1e6).rounded()) }
}
