import AegisAPI
import AegisAdmin
import AegisCore
import AegisPrivacy
import AegisProtocol
import Foundation
import Testing

@Suite("Run requests") struct RunRequestTests {
    private static let id = RunID([UInt8](repeating: 7, count: 16))

    private func read(
        _ json: String, participants: Int = 5, faultTolerance: Int = 1
    ) throws -> RunSpecification {
        try RunRequestReader(participants: participants, faultTolerance: faultTolerance)
            .read(try AegisAPI.document(Array(json.utf8)), run: try unwrap(Self.id))
    }

    private func faults(_ json: String) throws -> [String: String] {
        do {
            _ = try read(json)
            return [:]
        } catch let problem as Problem {
            return Dictionary(
                uniqueKeysWithValues: (problem.faults ?? []).map { ($0.field, $0.message) })
        }
    }

    private static let demo = """
        {"name": "demo", "dataset": "fashion-mnist", "rounds": 10,
         "model": {"kind": "mlp", "hidden": [64]}, "participants_min": 4,
         "training": {"local_steps": 30, "expected_batch": 512, "learning_rate": 0.5, "seed": 1},
         "privacy": {"epsilon": 3, "delta": 1e-5, "sampling_rate": 0.042667, "clip_norm": 1.0},
         "aggregation": {"rule": "trimmed-mean", "byzantine": 1, "update_norm_max": 100},
         "deadlines": {"soft": 10, "hard": 60}}
        """

    @Test("a request becomes a specification of whole numbers")
    func specification() throws {
        let run = try read(Self.demo)
        #expect(run.name == "demo")
        #expect(run.model == .multilayerPerceptron(hidden: [64]))
        #expect(run.rounds == 10)
        #expect(run.participantsMin == 4)
        #expect(run.training.learningRateMillionths == 500_000)
        #expect(run.training.momentumMillionths == 0)
        #expect(run.privacy?.samplingRateMillionths == 42_667)
        #expect(run.privacy?.deltaTrillionths == 10_000_000)
        #expect(run.aggregation.rule == .trimmedMean)
        #expect(run.deadlines == Deadlines(softMilliseconds: 10_000, hardMilliseconds: 60_000))
        // Nodes decode what the admin encodes.
        #expect(try RunSpecification(run.cbor) == run)
    }

    @Test("the noise for an ε keeps it over all steps, and by less than 0.1 %")
    func calibration() throws {
        let privacy = try #require(try read(Self.demo).privacy)
        let phase = try PrivacyPhase(
            samplingRate: 0.042667,
            noiseMultiplier: Double(privacy.noiseMultiplierMillionths) / 1e6, steps: 300)
        let epsilon = PrivacyAccountant([phase]).epsilon(atDelta: 1e-5)
        #expect(epsilon <= 3)
        #expect(epsilon > 2.997)
    }

    @Test("a noise multiplier is taken as it is given")
    func noiseMultiplier() throws {
        let json = Self.demo.replacing("\"epsilon\": 3", with: "\"noise_multiplier\": 1.25")
        #expect(try read(json).privacy?.noiseMultiplierMillionths == 1_250_000)
    }

    @Test("a run without training needs little more than a size")
    func noTraining() throws {
        let run = try read(
            """
            {"name": "bare", "dataset": "none", "rounds": 3,
             "model": {"kind": "none", "parameters": 1000000}}
            """, participants: 3, faultTolerance: 0)
        #expect(run.model == .none(parameters: 1_000_000))
        #expect(run.privacy == nil)
        #expect(run.participantsMin == 2)
        #expect(run.aggregation.rule == .mean)
    }

    private static let full = """
        {"name": "full", "dataset": "fashion-mnist", "rounds": 10,
         "model": {"kind": "layers", "layers": [
           {"type": "convolution", "channels": 8, "kernel": 5, "padding": 2},
           {"type": "group-norm", "groups": 4}, {"type": "relu"},
           {"type": "max-pool", "size": 2}, {"type": "dense", "outputs": 10}]},
         "training": {"local_epochs": 1.5, "expected_batch": 512, "learning_rate": 0.5,
           "optimizer": "adam", "schedule": "cosine", "warm_up": 5, "proximal": 0.01,
           "averaging": 0.99, "views": 4, "shift": 2, "mirror": true},
         "privacy": {"noise_multiplier": 1.2, "delta": 1e-5, "sampling_rate": 0.05,
           "clip_norm": 1.0, "clipping": {"quantile": 0.6}},
         "server": {"optimizer": "fedadam", "learning_rate": 0.1}}
        """

    @Test("adaptive deadlines start at the hard one, and have a minimum")
    func adaptive() throws {
        func deadlines(_ given: String) throws -> Deadlines {
            let text = Self.demo.replacing("{\"soft\": 10, \"hard\": 60}", with: given)
            return try read(text).deadlines
        }
        #expect(
            try deadlines("{\"soft\": \"adaptive\", \"minimum\": 2, \"hard\": 90}")
                == Deadlines(
                    softMilliseconds: 90_000, hardMilliseconds: 90_000,
                    adaptiveMinimumMilliseconds: 2_000))
        #expect(
            try deadlines("{\"soft\": \"adaptive\"}")
                == Deadlines(
                    softMilliseconds: 600_000, hardMilliseconds: 600_000,
                    adaptiveMinimumMilliseconds: 5_000))
        #expect(throws: Problem.self) {
            try deadlines("{\"soft\": \"adaptive\", \"minimum\": 20, \"hard\": 10}")
        }
        #expect(throws: Problem.self) { try deadlines("{\"soft\": 10, \"minimum\": 2}") }
        #expect(throws: Problem.self) { try deadlines("{\"soft\": \"often\"}") }
    }

    @Test("models of layers, optimisers, clipping and the server's part are read")
    func everything() throws {
        let run = try read(Self.full)
        #expect(
            run.model
                == .layers(
                    [
                        LayerDeclaration(.convolution, [8, 5, 1, 2]),
                        LayerDeclaration(.groupNorm, [4]), LayerDeclaration(.relu),
                        LayerDeclaration(.maxPool, [2, 2]), LayerDeclaration(.dense, [10]),
                    ].compactMap(\.self)))
        #expect(run.training.localSteps == 30)
        #expect(
            run.training.refinements
                == TrainingRefinements(
                    optimizer: .adam, schedule: .cosine, warmUpSteps: 5,
                    proximalMillionths: 10_000, averagingMillionths: 990_000, views: 4, shift: 2,
                    mirror: true))
        #expect(
            run.privacy?.clipping
                == .adaptive(quantileMillionths: 600_000, countNoiseMillionths: 25_600_000))
        #expect(
            run.server
                == ServerDeclaration(
                    optimizer: .adam, learningRateMillionths: 100_000,
                    momentumMillionths: 900_000, decayMillionths: 990_000,
                    adaptivityMillionths: 1_000))
        #expect(try RunSpecification(run.cbor) == run)
        #expect(try read(Self.demo).server == .plain)
        let cnn = try read(
            Self.demo.replacing("{\"kind\": \"mlp\", \"hidden\": [64]}", with: "\"cnn\""))
        #expect(cnn.model == .convolutional)
    }

    private func read(records: String, model: String) throws -> RunSpecification {
        try read(
            Self.demo.replacing("{\"kind\": \"mlp\", \"hidden\": [64]}", with: model)
                .replacing("\"rounds\"", with: "\"records\": \(records), \"rounds\""))
    }

    @Test("numbers, texts and wavelet features are declared")
    func recordsOfAllKinds() throws {
        let number = try read(
            records: "{\"shape\": [5], \"target\": \"number\"}", model: "\"softmax\"")
        #expect(number.records == RecordDeclaration(shape: [5], classes: 1))
        let text = try read(
            records: "{\"shape\": \"text\", \"classes\": 2}",
            model: """
                {"kind": "layers", "layers": [
                  {"type": "embedding-bag", "vocabulary": 4096, "width": 8},
                  {"type": "dense", "outputs": 2}]}
                """)
        #expect(text.records == RecordDeclaration(shape: [], classes: 2))
        #expect(
            text.model
                == .layers(
                    [
                        LayerDeclaration(.embeddingBag, [4096, 8]), LayerDeclaration(.dense, [2]),
                    ].compactMap(\.self)))
        let scattered = try read(
            records: "{\"shape\": [1, 28, 28], \"classes\": 10}", model: "\"scatter-linear\"")
        #expect(scattered.model == .scatterLinear)
        for run in [number, text, scattered] { #expect(try RunSpecification(run.cbor) == run) }
        for records in [
            "{\"shape\": [5], \"target\": \"number\", \"classes\": 2}",
            "{\"shape\": [5], \"target\": \"word\"}", "{\"shape\": \"words\", \"classes\": 2}",
            "{\"shape\": [], \"classes\": 2}", "{\"shape\": [5]}",
        ] {
            #expect(throws: Problem.self) { try read(records: records, model: "\"softmax\"") }
        }
    }

    @Test(
        "what can't be trained is a fault with its field",
        arguments: [
            ("\"group-norm\", \"groups\": 4", "\"batch-norm\"", "model.layers[1].type"),
            ("\"kernel\": 5", "\"kernel\": 0", "model.layers[0].kernel"),
            ("\"type\": \"relu\"", "\"kind\": \"relu\"", "model.layers[2].type"),
            (
                "\"local_epochs\": 1.5", "\"local_epochs\": 1, \"local_steps\": 2",
                "training.local_epochs"
            ),
            ("\"adam\", \"schedule\"", "\"sgdm\", \"schedule\"", "training.optimizer"),
            ("\"mirror\": true", "\"mirror\": 1", "training.mirror"),
            ("\"quantile\": 0.6", "\"count_noise\": 0.5", "privacy.clipping.count_noise"),
            ("{\"quantile\": 0.6}", "\"none\"", "privacy.clipping"),
            ("\"fedadam\"", "\"fedsgd\"", "server.optimizer"),
            ("\"learning_rate\": 0.1", "\"tau\": 0.1", "server.tau"),
        ])
    func notTrainable(old: String, new: String, field: String) throws {
        #expect(try faults(Self.full.replacing(old, with: new))[field] != nil)
    }

    @Test("views need images")
    func views() throws {
        let json = Self.demo.replacing("\"seed\": 1", with: "\"views\": 2")
        #expect(try faults(json)["training.views"] != nil)
    }

    @Test("all faults are named at once, each with its field and its range")
    func allFaults() throws {
        let faults = try faults(
            """
            {"name": "De mo", "dataset": "", "rounds": 0, "color": "red",
             "model": {"kind": "mlp", "hidden": [64, 0]}, "participants_min": 5,
             "training": {"local_steps": 1.5, "expected_batch": 10, "learning_rate": "fast",
               "warmup": 1},
             "privacy": {"epsilon": 3, "noise_multiplier": 1, "delta": 2, "sampling_rate": 0.1,
               "clip_norm": 1},
             "aggregation": {"rule": "middle"}, "deadlines": {"soft": 10, "hard": 5}}
            """)
        #expect(faults["rounds"] == "must be a whole number from 1 to 100000, is 0")
        #expect(faults["model.hidden[1]"] == "must be a whole number from 1 to 65536, is 0")
        #expect(faults["training.learning_rate"]?.hasSuffix("is \"fast\"") == true)
        #expect(faults["training.local_steps"]?.hasSuffix("is 1.5") == true)
        #expect(faults["participants_min"] == "must be a whole number from 1 to 4, is 5")
        #expect(faults["aggregation.rule"]?.hasPrefix("must be one of mean, weighted-") == true)
        #expect(faults["aggregation.rule"]?.hasSuffix(", is \"middle\"") == true)
        #expect(faults["deadlines.hard"] == "must be at least soft, 10.0 s; is 5.0 s")
        #expect(faults["color"]?.hasPrefix("is not a field here; there is name,") == true)
        let others = [
            "name", "dataset", "training.warmup", "privacy.delta", "privacy.epsilon",
        ]
        for field in others { #expect(faults[field] != nil, "\(field)") }
    }

    @Test("privacy is never left out by accident")
    func privacyIsExplicit() throws {
        let start = try #require(Self.demo.range(of: "\"privacy\""))
        let end = try #require(Self.demo.range(of: "\"aggregation\""))
        var json = Self.demo
        json.removeSubrange(start.lowerBound..<end.lowerBound)
        #expect(try faults(json)["privacy"]?.hasPrefix("is missing") == true)
        json.insert(contentsOf: "\"privacy\": \"none\", ", at: start.lowerBound)
        #expect(try read(json).privacy == nil)
        #expect(try faults(json.replacing("\"none\"", with: "\"off\""))["privacy"] != nil)
    }

    @Test(
        "a rule that can't work with so few updates is a fault",
        arguments: [("\"byzantine\": 1", "\"byzantine\": 2", "aggregation.byzantine")])
    func rule(old: String, new: String, field: String) throws {
        #expect(try faults(Self.demo.replacing(old, with: new))[field] != nil)
    }

    @Test(
        "anything but an object is a fault, not a crash", arguments: ["[]", "3", "null", "\"x\""])
    func notAnObject(json: String) throws {
        #expect(try faults(json)["body"]?.hasPrefix("must be an object") == true)
    }

    private static func demo(aggregation: String) -> String {
        demo.replacing(
            "\"aggregation\": {\"rule\": \"trimmed-mean\", \"byzantine\": 1, "
                + "\"update_norm_max\": 100}",
            with: "\"aggregation\": " + aggregation)
    }

    @Test("a rule with pre-steps and parameters becomes its declaration")
    func composed() throws {
        let mixed = try read(
            Self.demo(aggregation: #"{"rule": "nnm+trimmed-mean", "byzantine": 1}"#)
        ).aggregation
        #expect(mixed.preSteps == [.mixing] && mixed.rule == .trimmedMean)
        #expect(mixed.updateNormMaxMillionths == 100_000_000 && mixed.parameters.isEmpty)
        let clipped = try read(
            Self.demo(
                aggregation: #"""
                    {"rule": "clip+centered-clipping", "byzantine": 1, "radius": 0.5,
                     "steps": 3, "clip_radius": 2}
                    """#)
        ).aggregation
        #expect(
            clipped.parameters == [.radius: 500_000, .steps: 3, .clipRadius: 2_000_000])
        let weighted = try read(
            Self.demo(
                aggregation: #"{"rule": "weighted-median", "byzantine": 1, "weight_max": 20}"#)
        ).aggregation
        #expect(weighted.weightMax == 20)
    }

    @Test(
        "what a rule misses, can't use or can't bear is a fault of its field",
        arguments: [
            (#"{"rule": "centered-clipping", "byzantine": 1}"#, "aggregation.radius"),
            (#"{"rule": "weighted-mean"}"#, "aggregation.weight_max"),
            (#"{"rule": "median", "byzantine": 1, "weight_max": 3}"#, "aggregation.weight_max"),
            (#"{"rule": "median", "byzantine": 1, "steps": 3}"#, "aggregation.steps"),
            (#"{"rule": "krum", "byzantine": 1}"#, "aggregation.byzantine"),
            (#"{"rule": "mean", "byzantine": 1}"#, "aggregation.byzantine"),
            (#"{"rule": "fltrust"}"#, "aggregation.rule"),
            (#"{"rule": "nnm+monna", "byzantine": 1}"#, "aggregation.rule"),
            (#"{"rule": "nnm", "byzantine": 1}"#, "aggregation.rule"),
            (#"{"rule": 7}"#, "aggregation.rule"),
            (
                #"{"rule": "median", "byzantine": 1, "update_norm_max": 0}"#,
                "aggregation.update_norm_max"
            ),
        ])
    func unfit(aggregation: String, field: String) throws {
        let faults = try faults(Self.demo(aggregation: aggregation))
        #expect(faults[field] != nil, "\(faults)")
    }

    @Test("Multi-Krum keeps at most what the fewest updates leave")
    func kept() throws {
        func faults(kept: Int) throws -> [String: String] {
            let json = Self.demo(
                aggregation: #"{"rule": "multi-krum", "byzantine": 1, "kept": \#(kept)}"#
            ).replacing("\"participants_min\": 4", with: "\"participants_min\": 5")
            do {
                _ = try read(json, participants: 7, faultTolerance: 2)
                return [:]
            } catch let problem as Problem {
                return Dictionary(
                    uniqueKeysWithValues: (problem.faults ?? []).map { ($0.field, $0.message) })
            }
        }
        #expect(try faults(kept: 4).isEmpty)
        #expect(try faults(kept: 5)["aggregation.kept"]?.contains("at most") == true)
    }

    @Test("noise that hides what the rule looks for is warned of, with the batch that helps")
    func noiseToSignal() throws {
        let noisy = Self.demo.replacing("\"epsilon\": 3", with: "\"noise_multiplier\": 4")
        let run = try read(noisy)
        let warnings = RunWarnings(run, faultTolerance: 1)
        // d = 785·64 + 65·10 = 50,890; (4 / 512)² · d.
        let expected = 50_890.0 * 16 / (512 * 512)
        #expect(((warnings.noiseToSignal ?? 0) - expected).magnitude < 1e-9)
        #expect(warnings.texts.count == 1)
        #expect(warnings.texts[0].hasPrefix("noise to signal is 3.11 in each step"))
        #expect(warnings.texts[0].contains("expected_batch of 903 on"))
        // Just above that batch there is nothing to say.
        let larger = try read(
            noisy.replacing("\"expected_batch\": 512", with: "\"expected_batch\": 903"))
        #expect(RunWarnings(larger, faultTolerance: 1).texts.isEmpty)
        // The mean looks for nothing.
        let mean = try read(
            noisy.replacing("\"trimmed-mean\", \"byzantine\": 1", with: "\"mean\""))
        #expect(RunWarnings(mean, faultTolerance: 1).texts.isEmpty)
        #expect(RunWarnings(mean, faultTolerance: 1).noiseToSignal != nil)
        #expect(
            RunWarnings(larger, faultTolerance: 0).texts.first?.hasPrefix("byzantine is 1") == true)
    }
}
