package import AegisAPI
import AegisCore
import AegisProtocol

/// What a run may be by its form, field by field. What of it contradicts itself or this mesh is
/// found out by `RunRequestReader`.
package enum RunSchema {
    package static let example: JSONValue = .object([
        "name": "readmission", "dataset": "fashion-mnist", "rounds": .integer(10),
        "model": .object(["kind": "mlp", "hidden": .array([.integer(64)])]),
        "training": .object([
            "local_steps": .integer(30), "expected_batch": .integer(512),
            "learning_rate": .number(0.5),
        ]),
        "privacy": .object([
            "epsilon": .integer(3), "delta": .number(1e-5), "sampling_rate": .number(0.042667),
            "clip_norm": .number(1),
        ]),
        "aggregation": .object(["rule": "mean", "update_norm_max": .integer(100)]),
    ])

    /// The components of the document.
    package static let components: [String: Schema] = [
        "RunRequest": .either([.named("TrainingRun"), .named("BareRun")]),
        "TrainingRun": trainingRun, "BareRun": bareRun, "Model": model, "Layer": layer,
        "Records": records, "Training": training, "Server": server, "Privacy": privacy,
        "Aggregation": aggregation, "Deadlines": deadlines,
    ]

    package static let request = Schema.named("RunRequest")

    private static let real = 0.000001...1_000.0
    private static let share = 0.0...0.999999

    private static let common: [Schema.Field] = [
        .init("name", .name, "Unique in the mesh."),
        .init("dataset", .name, "Each node maps it to its own records."),
        .init("rounds", .integer(1...Limits.roundsMax)),
        .init(
            "participants_min", .integer(1...Limits.participantsMax),
            "The fewest updates a round may have; n / 2 + 1 if absent.", required: false),
        .init("records", .named("Records"), "Images of 28 × 28 if absent.", required: false),
        .init("server", .named("Server"), required: false),
        .init("aggregation", .named("Aggregation"), "The mean if absent.", required: false),
        .init("deadlines", .named("Deadlines"), required: false),
    ]

    private static let trainingRun = Schema.object(
        common + [
            .init("model", .named("Model")), .init("training", .named("Training")),
            .init(
                "privacy", .either([.choice(["none"]), .named("Privacy")]),
                "A run without privacy says so."),
        ])

    /// To measure the mesh.
    private static let bareRun = Schema.object(
        common + [
            .init(
                "model",
                .object([
                    .init("kind", .choice(["none"])),
                    .init("parameters", .integer(1...Limits.parametersMax)),
                ]), "A fixed update of this size."),
            .init(
                "training",
                .either([.named("Training"), .object(refinements + steps(required: false))]),
                "Costs nothing.", required: false),
            .init("privacy", .choice(["none"]), required: false),
        ])

    private static let model = Schema.either([
        .choice(["softmax", "cnn", "scatter-linear"]),
        .object([.init("kind", .choice(["softmax", "cnn", "scatter-linear"]))]),
        .object([
            .init("kind", .choice(["mlp"])),
            .init(
                "hidden", .list(.integer(1...65_536), min: 1, max: 16),
                "Widths of the ReLU layers."),
        ]),
        .object([
            .init("kind", .choice(["layers"])),
            .init("layers", .list(.named("Layer"), min: 1, max: LayerDeclaration.countMax)),
        ]),
    ])

    /// Pools move by their own size, convolutions by one, where nothing else is said.
    private static let layer = Schema.either(
        LayerDeclaration.Kind.allCases.map { kind in
            .object(
                [.init("type", .choice([kind.rawValue]))]
                    + kind.sizes.map { size in
                        let isOptional =
                            size.name == "padding" || size.name == "stride"
                        return .init(size.name, .integer(size.range), required: !isOptional)
                    })
        })

    private static let records: Schema = {
        let shape = Schema.Field(
            "shape", .either([.list(.integer(1...1_000_000), min: 1, max: 3), .choice(["text"])]),
            "Features, or channels, rows, columns, a million values at most; or text.")
        return .either([
            .object([shape, .init("classes", .integer(2...RecordDeclaration.classesMax))]),
            .object([shape, .init("target", .choice(["number"]), "A number is predicted.")]),
        ])
    }()

    private static let training = Schema.either([
        .object(refinements + steps(required: true) + sizes(required: true)),
        .object(
            refinements + sizes(required: true) + [
                .init(
                    "local_epochs", .number(0.001...10_000),
                    "As many steps as draw each record so often on average.")
            ]),
    ])

    private static func steps(required: Bool) -> [Schema.Field] {
        [
            .init(
                "local_steps", .integer(1...Limits.localStepsMax), "Of each node in a round.",
                required: required)
        ] + (required ? [] : sizes(required: false))
    }

    private static func sizes(required: Bool) -> [Schema.Field] {
        [
            .init(
                "expected_batch", .integer(1...10_000_000),
                "Public divisor of the summed gradients.", required: required),
            .init("learning_rate", .number(real), required: required),
        ]
    }

    private static let refinements: [Schema.Field] = [
        .init("momentum", .number(share), required: false),
        .init("seed", .integer(0...Int.max), "Of the first model; public.", required: false),
        .init(
            "optimizer", .choice(TrainingRefinements.Optimizer.allCases.map(\.rawValue)),
            required: false),
        .init(
            "schedule", .choice(TrainingRefinements.Schedule.allCases.map(\.rawValue)),
            required: false),
        .init("warm_up", .integer(0...1_000_000), "Steps.", required: false),
        .init("proximal", .number(0...1_000), "μ of FedProx.", required: false),
        .init("averaging", .number(share), required: false),
        .init("views", .integer(1...64), "Of each record; for images.", required: false),
        .init("shift", .integer(0...64), "Pixels; for images.", required: false),
        .init("mirror", .boolean, "For images.", required: false),
    ]

    private static let server = Schema.either(
        ServerDeclaration.Optimizer.allCases.map { optimizer in
            var fields: [Schema.Field] = [
                .init(
                    "optimizer", .choice([optimizer.rawValue]), required: optimizer != .average),
                .init("learning_rate", .number(real), required: false),
            ]
            if optimizer != .average {
                fields.append(.init("momentum", .number(share), required: false))
            }
            if optimizer == .adam || optimizer == .yogi {
                fields += [
                    .init("decay", .number(share), required: false),
                    .init("adaptivity", .number(real), required: false),
                ]
            }
            return .object(fields)
        })

    private static let privacyCommon: [Schema.Field] = [
        .init("sampling_rate", .number(0.000001...1), "Chance of each record to be in a step."),
        .init("clip_norm", .number(real), "Bound on one record's gradient."),
        .init("delta", .number(1e-12...0.1)),
        .init(
            "clipping",
            .either([
                .choice(["flat", "automatic"]),
                .object([
                    .init("quantile", .number(0.000001...0.999999), required: false),
                    .init("count_noise", .number(0.000001...1_000_000), required: false),
                ]),
            ]), required: false),
    ]

    private static let privacy = Schema.either([
        .object(
            privacyCommon + [
                .init("epsilon", .number(0.001...1_000), "Of the whole run; σ is calibrated.")
            ]),
        .object(privacyCommon + [.init("noise_multiplier", .number(real), "σ.")]),
    ])

    /// Which of the parameters a rule needs is in docs/RUN.md.
    private static let aggregation = Schema.object(
        [
            .init("rule", rule, "A rule, after up to three pre-steps and a + each."),
            .init(
                "byzantine", .integer(0...Limits.participantsMax),
                "f: updates that may be hostile.", required: false),
            .init("update_norm_max", .number(0.000001...1_000_000), required: false),
            .init(
                "weight_max", .integer(1...Int(AggregationDeclaration.weightMaxLargest)),
                required: false),
        ]
            + AggregationDeclaration.Parameter.allCases.map { parameter in
                let range = parameter.range
                return .init(
                    parameter.name,
                    parameter.isLength
                        ? .number(Double(range.lowerBound) / 1e6...Double(range.upperBound) / 1e6)
                        : .integer(range), required: false)
            })

    private static let rule: Schema = {
        let rules = AggregationDeclaration.Rule.allCases.map(\.rawValue)
        let steps = AggregationDeclaration.PreStep.allCases.map(\.rawValue)
        let most = AggregationDeclaration.preStepsMax
        return .word(
            pattern: "^((\(steps.joined(separator: "|")))\\+){0,\(most)}"
                + "(\(rules.joined(separator: "|")))$",
            says: "one of \(rules.joined(separator: ", ")), after pre-steps of "
                + "\(steps.joined(separator: ", ")) and a + each"
        ) { text in
            let parts = text.split(separator: "+", omittingEmptySubsequences: false).map(
                String.init)
            return parts.count <= most + 1 && rules.contains(parts.last ?? "")
                && parts.dropLast().allSatisfy(steps.contains)
        }
    }()

    private static let deadlines = Schema.object([
        .init(
            "soft", .either([.number(0.1...86_400), .choice(["adaptive"])]),
            "Seconds; then without who is silent. `adaptive` follows what the rounds before took.",
            required: false),
        .init(
            "minimum", .number(0.1...86_400), "Seconds; the shortest adaptive deadline, 5.",
            required: false),
        .init(
            "hard", .number(0.1...604_800),
            "Seconds; 5 × soft if absent, 600 where it is adaptive.",
            required: false),
    ])
}
