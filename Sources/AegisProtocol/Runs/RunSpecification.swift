package import AegisCore

/// What a run is to do. Reals are whole millionths, so that the signed bytes have no floats.
package struct RunSpecification: Hashable, Sendable {
    package var run: RunID
    package var name: String
    package var model: ModelDeclaration
    /// The data set's name; each node maps it to its own records.
    package var dataset: String
    package var records: RecordDeclaration
    package var rounds: Int
    package var training: TrainingDeclaration
    package var privacy: PrivacyDeclaration?
    package var aggregation: AggregationDeclaration
    package var server: ServerDeclaration
    package var deadlines: Deadlines
    /// m: the fewest updates a round may have (§2.5).
    package var participantsMin: Int

    package init(
        run: RunID, name: String, model: ModelDeclaration, dataset: String,
        records: RecordDeclaration = .images, rounds: Int, training: TrainingDeclaration,
        privacy: PrivacyDeclaration?,
        aggregation: AggregationDeclaration, server: ServerDeclaration = .plain,
        deadlines: Deadlines, participantsMin: Int
    ) {
        self.run = run
        self.name = name
        self.model = model
        self.dataset = dataset
        self.records = records
        self.rounds = rounds
        self.training = training
        self.privacy = privacy
        self.aggregation = aggregation
        self.server = server
        self.deadlines = deadlines
        self.participantsMin = participantsMin
    }

    package var cbor: CBOR {
        var fields: [Int64: CBOR] = [
            1: .bytes(run.bytes), 2: .text(name), 3: model.cbor, 4: .text(dataset),
            5: .integer(Int64(rounds)), 6: training.cbor, 7: privacy?.cbor ?? .null,
            8: aggregation.cbor, 9: deadlines.cbor, 10: .integer(Int64(participantsMin)),
        ]
        if server != .plain { fields[12] = server.cbor }
        if records != .images { fields[13] = records.cbor }
        return .map(CBORMap(fields.map { ($0.key, $0.value) }))
    }

    package init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        guard let run = RunID(try fields.bytes(1)) else { throw .outOfRange(field: 1) }
        self.run = run
        name = try fields.text(2)
        model = try ModelDeclaration(try fields.value(3))
        dataset = try fields.text(4)
        rounds = try fields.count(5, in: 1...Limits.roundsMax)
        training = try TrainingDeclaration(try fields.value(6))
        let declared = try fields.value(7)
        privacy = declared == .null ? nil : try PrivacyDeclaration(declared)
        aggregation = try AggregationDeclaration(try fields.value(8))
        deadlines = try Deadlines(try fields.value(9))
        participantsMin = try fields.count(10, in: 1...Limits.participantsMax)
        server = try fields.optional(12).map(ServerDeclaration.init) ?? .plain
        records = try fields.optional(13).map(RecordDeclaration.init) ?? .images
        try fields.finish()
    }
}

/// Which model the run trains.
package enum ModelDeclaration: Hashable, Sendable {
    /// Multinomial logistic regression on flattened inputs.
    case softmax
    /// Fully connected ReLU layers with these widths between input and classes.
    case multilayerPerceptron(hidden: [Int])
    /// The tanh network of 26,010 parameters for images of 28 × 28 (Papernot et al. 2020).
    case convolutional
    /// Wavelet scattering features of images of 28 × 28, then a dense layer (Tramèr, Boneh 2021).
    case scatterLinear
    /// These layers; the last has an output for each class, or one.
    case layers([LayerDeclaration])
    /// No training: each update is a fixed vector of so many parameters. Measures the mesh alone.
    case none(parameters: Int)

    package var cbor: CBOR {
        switch self {
        case .softmax: .fields([1: "softmax"])
        case .multilayerPerceptron(let hidden):
            .fields([1: "mlp", 2: .array(hidden.map { .integer(Int64($0)) })])
        case .convolutional: .fields([1: "cnn"])
        case .scatterLinear: .fields([1: "scatter-linear"])
        case .layers(let layers): .fields([1: "layers", 4: .array(layers.map(\.cbor))])
        case .none(let parameters): .fields([1: "none", 3: .integer(Int64(parameters))])
        }
    }

    package init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        switch try fields.text(1) {
        case "softmax": self = .softmax
        case "mlp":
            var hidden: [Int] = []
            for width in try fields.array(2, max: 16) {
                guard case .unsigned(let width) = width, (1...65_536).contains(width) else {
                    throw .outOfRange(field: 2)
                }
                hidden.append(Int(width))
            }
            self = .multilayerPerceptron(hidden: hidden)
        case "cnn": self = .convolutional
        case "scatter-linear": self = .scatterLinear
        case "layers":
            var layers: [LayerDeclaration] = []
            for layer in try fields.array(4, max: LayerDeclaration.countMax) {
                layers.append(try LayerDeclaration(layer))
            }
            self = .layers(layers)
        case "none":
            self = .none(parameters: try fields.count(3, in: 1...Limits.parametersMax))
        default: throw .outOfRange(field: 1)
        }
        try fields.finish()
    }
}

/// Local training in one round.
package struct TrainingDeclaration: Hashable, Sendable {
    /// Gradient steps each node makes in a round.
    package var localSteps: Int
    /// B: the public divisor of the summed gradients, and of `samplingRate` × records its nominal
    /// value.
    package var expectedBatch: Int
    package var learningRateMillionths: Int
    package var momentumMillionths: Int
    /// Of the initial model; public.
    package var seed: UInt64
    package var refinements: TrainingRefinements

    package init(
        localSteps: Int, expectedBatch: Int, learningRateMillionths: Int,
        momentumMillionths: Int, seed: UInt64, refinements: TrainingRefinements = .none
    ) {
        self.localSteps = localSteps
        self.expectedBatch = expectedBatch
        self.learningRateMillionths = learningRateMillionths
        self.momentumMillionths = momentumMillionths
        self.seed = seed
        self.refinements = refinements
    }

    var cbor: CBOR {
        var fields: [Int64: CBOR] = [
            1: .integer(Int64(localSteps)), 2: .integer(Int64(expectedBatch)),
            3: .integer(Int64(learningRateMillionths)),
            4: .integer(Int64(momentumMillionths)), 5: .unsigned(seed),
        ]
        if refinements != .none { fields[6] = refinements.cbor }
        return .map(CBORMap(fields.map { ($0.key, $0.value) }))
    }

    init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        localSteps = try fields.count(1, in: 1...Limits.localStepsMax)
        expectedBatch = try fields.count(2, in: 1...10_000_000)
        learningRateMillionths = try fields.count(3, in: 1...1_000_000_000)
        momentumMillionths = try fields.count(4, in: 0...999_999)
        seed = try fields.unsigned(5)
        refinements = try fields.optional(6).map(TrainingRefinements.init) ?? .none
        try fields.finish()
    }
}

/// Record-level DP-SGD. Absent only in runs without training or with an explicit "no privacy".
package struct PrivacyDeclaration: Hashable, Sendable {
    /// q: each record takes part in a step with this probability, independently.
    package var samplingRateMillionths: Int
    /// σ: the noise's standard deviation over the clip norm.
    package var noiseMultiplierMillionths: Int
    package var clipNormMillionths: Int
    /// δ as its negative decimal exponent and mantissa would be overkill: δ in 10⁻¹² units.
    package var deltaTrillionths: Int
    package var clipping: ClippingDeclaration

    package init(
        samplingRateMillionths: Int, noiseMultiplierMillionths: Int, clipNormMillionths: Int,
        deltaTrillionths: Int, clipping: ClippingDeclaration = .flat
    ) {
        self.samplingRateMillionths = samplingRateMillionths
        self.noiseMultiplierMillionths = noiseMultiplierMillionths
        self.clipNormMillionths = clipNormMillionths
        self.deltaTrillionths = deltaTrillionths
        self.clipping = clipping
    }

    var cbor: CBOR {
        var fields: [Int64: CBOR] = [
            1: .integer(Int64(samplingRateMillionths)),
            2: .integer(Int64(noiseMultiplierMillionths)),
            3: .integer(Int64(clipNormMillionths)), 4: .integer(Int64(deltaTrillionths)),
        ]
        if clipping != .flat { fields[5] = clipping.cbor }
        return .map(CBORMap(fields.map { ($0.key, $0.value) }))
    }

    init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        samplingRateMillionths = try fields.count(1, in: 1...1_000_000)
        noiseMultiplierMillionths = try fields.count(2, in: 1...1_000_000_000)
        clipNormMillionths = try fields.count(3, in: 1...1_000_000_000)
        deltaTrillionths = try fields.count(4, in: 1...100_000_000_000)
        clipping = try fields.optional(5).map(ClippingDeclaration.init) ?? .flat
        try fields.finish()
    }
}
