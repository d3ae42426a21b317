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
        let model = fields.value("model", ModelReader.expected)
            .flatMap(ModelReader(faults: faults).read)
        let dataset = fields.text("dataset", Self.nameRule, where: Names.isValid)
        let records = records(fields.optional("records"))
        let rounds = fields.integer("rounds", in: 1...Limits.roundsMax)
        let trains = model.map(Self.trains) ?? true
        let reader = TrainingReader(faults: faults)
        let training = reader.training(
            fields.optional("training"), model: model, trains: trains,
            samplingRate: Self.samplingRate(in: body))
        let server = reader.server(fields.optional("server"))
        let privacy = privacy(
            &fields, trains: trains, batch: training?.expectedBatch,
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
        guard faults.faults.isEmpty, let name, let model, let dataset, let records, let rounds,
            let training,
            let server, let aggregation, let deadlines, let participantsMin
        else {
            throw Self.problem(faults.faults, body)
        }
        // What the document doesn't have, nobody is to rely on.
        let undocumented = RunSchema.request.faults(body)
        guard undocumented.isEmpty else { throw Problem(.invalidRequest, faults: undocumented) }
        return RunSpecification(
            run: run, name: name, model: model, dataset: dataset, records: records, rounds: rounds,
            training: training, privacy: privacy, aggregation: aggregation, server: server,
            deadlines: deadlines, participantsMin: participantsMin)
    }

    /// A run whose form is right can still contradict itself, or ask for more than this mesh has.
    private static func problem(_ faults: [FieldFault], _ body: JSONValue) -> Problem {
        Problem(RunSchema.request.faults(body).isEmpty ? .unfit : .invalidRequest, faults: faults)
    }

    private static let nameRule =
        "1 to 64 of a-z, 0-9, - _ and . beginning with a letter or digit"

    private static func trains(_ model: ModelDeclaration) -> Bool {
        switch model {
        case .softmax, .multilayerPerceptron, .convolutional, .scatterLinear, .layers: true
        case .none: false
        }
    }

    /// Absent means images of 28 × 28 in ten classes.
    private func records(_ value: JSONValue?) -> RecordDeclaration? {
        guard let value else { return .images }
        var fields = FieldReader(value, path: "records", faults: faults)
        let expected = "text, or a list of one to three whole numbers"
        let shape = fields.value("shape", expected)
        let classes = classes(&fields)
        fields.finish()
        guard let shape, let classes else { return nil }
        if shape == .text("text") { return RecordDeclaration(shape: [], classes: classes) }
        guard case .array(let list) = shape else {
            fields.fault("shape", "must be \(expected), is \(FieldReader.shown(shape))")
            return nil
        }
        let extents = list.compactMap { element -> Int? in
            guard case .integer(let extent) = element else { return nil }
            return Int(extent)
        }
        guard extents.count == list.count, !extents.isEmpty,
            let records = RecordDeclaration(shape: extents, classes: classes)
        else {
            fields.fault("shape", "must be \(expected), a million values at most")
            return nil
        }
        return records
    }

    /// 1 stands for a number.
    private func classes(_ fields: inout FieldReader) -> Int? {
        guard let target = fields.optional("target") else {
            return fields.integer("classes", in: 2...RecordDeclaration.classesMax)
        }
        if fields.optional("classes") != nil {
            fields.fault("target", "excludes classes; give one of them")
            return nil
        }
        guard target == .text("number") else {
            fields.fault("target", "must be number, is \(FieldReader.shown(target))")
            return nil
        }
        return 1
    }

    /// As it is given; whether it is right is found out where the privacy is read.
    private static func samplingRate(in body: JSONValue) -> Double? {
        guard case .object(let object) = body, case .object(let privacy)? = object["privacy"]
        else { return nil }
        return switch privacy["sampling_rate"] {
        case .integer(let whole): Double(whole)
        case .number(let number) where (0...1).contains(number):
            Double(millionths(number)) / 1e6
        default: nil
        }
    }

    /// Absent is no answer: a run without privacy says so.
    private func privacy(
        _ fields: inout FieldReader, trains: Bool, batch: Int?, steps: Int?
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
        let clipping = TrainingReader(faults: faults).clipping(
            &fields, batch: batch, noiseMillionths: noise)
        fields.finish()
        guard let rate, let clip, let delta, let noise, let clipping else { return nil }
        return PrivacyDeclaration(
            samplingRateMillionths: Self.millionths(rate),
            noiseMultiplierMillionths: noise, clipNormMillionths: Self.millionths(clip),
            deltaTrillionths: Int((delta * 1e12).rounded()), clipping: clipping)
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
        if case .text("adaptive")? = fields.optional("soft") {
            return adaptiveDeadlines(&fields)
        }
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

    /// The first round waits until the hard deadline, later ones for as long as they took.
    private func adaptiveDeadlines(_ fields: inout FieldReader) -> Deadlines? {
        let minimum = fields.number("minimum", in: 0.1...86_400, default: 5)
        let hard = fields.number("hard", in: 0.1...604_800, default: 600)
        fields.finish()
        guard let minimum, let hard else { return nil }
        guard minimum <= hard else {
            fields.fault("hard", "must be at least minimum, \(minimum) s; is \(hard) s")
            return nil
        }
        let milliseconds = Int((hard * 1_000).rounded())
        return Deadlines(
            softMilliseconds: milliseconds, hardMilliseconds: milliseconds,
            adaptiveMinimumMilliseconds: Int((minimum * 1_000).rounded()))
    }

    private static func millionths(_ value: Double) -> Int { TrainingReader.millionths(value) }
}
