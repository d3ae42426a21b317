import AegisAPI
import AegisPrivacy
import AegisProtocol

/// The catalogue of data sets, their budgets, and what a run would cost them.
enum DatasetRoutes {
    static let all: [Route] = datasets + privacy

    private static let description = Schema.text(length: 0...500)

    private static let datasets: [Route] = [
        Route(
            .get, "/api/v1/datasets", .readDatasets, tag: "data sets",
            "Registered and reported data sets, who holds them, what is spent", traits: .paged,
            query: [
                .init(
                    "state", .choice(DatasetView.State.allCases.map(\.rawValue)),
                    "Only data sets in this state.")
            ],
            answer: .init(200, Components.page("Dataset"), "A page of data sets."),
            handler: { desks, call in
                let state = call.query["state"]
                let items = try await desks.datasets.list()
                    .filter { state == nil || $0.state.rawValue == state }
                return try .json(try await call.page(items, key: \.name) { $0 })
            }),
        Route(
            .post, "/api/v1/datasets", .manageDatasets, tag: "data sets",
            "Register a data set: what it is called and looks like, never a row",
            traits: .idempotent,
            body: .init(
                .object([
                    .init("name", .name, "As runs and nodes call it."),
                    .init("description", description, standard: ""),
                    .init(
                        "features", .integer(1...10_000_000), "Numbers in a record.",
                        required: false),
                    .init("classes", .integer(2...100_000), required: false),
                ]),
                example: .object([
                    "name": "readmissions", "description": "Discharges, one record each",
                    "features": .integer(48), "classes": .integer(2),
                ])),
            answer: .init(201, .named("Dataset"), "It is registered."),
            problems: [.nameTaken],
            handler: { desks, call in
                let name = call.text("name") ?? ""
                let view = try await desks.datasets.register(
                    name: name, description: call.text("description") ?? "",
                    features: call.integer("features"), classes: call.integer("classes"),
                    by: call.principal.name, now: call.now)
                return try .json(view, status: 201, location: "/api/v1/datasets/" + name)
            }),
        Route(
            .get, "/api/v1/datasets/{dataset}", .readDatasets, tag: "data sets",
            "One data set", answer: .init(200, .named("Dataset"), "The data set."),
            problems: [.notFound],
            handler: { desks, call in
                try .json(try await desks.datasets.view(call.parameter("dataset")))
            }),
        Route(
            .patch, "/api/v1/datasets/{dataset}", .manageDatasets, tag: "data sets",
            "Describe or retire a data set",
            details: "A retired data set can be in no new run; its history stays.",
            traits: .matched,
            body: .init(
                .object([
                    .init("description", description, required: false),
                    .init("retired", .boolean, required: false),
                ]), example: .object(["retired": .bool(true)])),
            answer: .init(200, .named("Dataset"), "It is changed."), problems: [.notFound],
            handler: { desks, call in
                let name = call.parameter("dataset")
                try call.requireMatch(try await desks.datasets.view(name))
                return try .json(
                    try await desks.datasets.change(
                        name, description: call.text("description"), retired: call.flag("retired"),
                        now: call.now))
            }),
    ]

    private static let privacy: [Route] = [
        Route(
            .get, "/api/v1/privacy/budgets", .readBudgets, tag: "privacy",
            "What each participant's ledger says was spent", traits: .paged,
            query: [
                .init("dataset", .name, "Only of this data set."),
                .init("participant", .name, "Only of this participant."),
            ],
            answer: .init(200, Components.page("Budget"), "A page of budgets."),
            handler: { desks, call in
                let items = try await desks.datasets.budgets().filter { budget in
                    call.query["dataset"].map { $0 == budget.dataset } ?? true
                        && call.query["participant"].map { $0 == budget.participant } ?? true
                }
                return try .json(
                    try await call.page(items, key: { $0.participant + "/" + $0.dataset }) { $0 })
            }),
        Route(
            .post, "/api/v1/privacy/calibrate", .calibrate, tag: "privacy",
            "The noise for an ε, or the ε of a noise",
            details: "Give `epsilon` or `noise_multiplier`; the other is computed.",
            traits: [.safe, .costly],
            body: .init(
                .either([calibration("epsilon"), calibration("noise_multiplier")]),
                example: .object([
                    "epsilon": .integer(3), "delta": .number(1e-5),
                    "sampling_rate": .number(0.042667), "steps": .integer(300),
                ])),
            answer: .init(200, .named("Calibration"), "Both."), problems: [.notReady],
            handler: { _, call in try .json(try CalibrationDesk.answer(call)) }),
        Route(
            .get, "/api/v1/aggregation/rules", .readMesh, tag: "privacy",
            "The rules by which updates become one, and what they need in this mesh",
            answer: .init(200, Components.page("AggregationRule"), "Every rule."),
            handler: { desks, _ in
                let count = try await desks.database.participants().count
                return try .json(Items(items: AggregationRules.views(participants: count)))
            }),
    ]

    private static func calibration(_ given: String) -> Schema {
        .object([
            .init(given, .number(0.001...1_000)),
            .init("delta", .number(1e-12...0.1), "Chance that the promise fails."),
            .init("sampling_rate", .number(0.000001...1), "Of each record, at each step."),
            .init("steps", .integer(1...1_000_000_000), "Rounds times local steps."),
        ])
    }
}

/// The rules, and how many updates each needs.
enum AggregationRules {
    static func views(participants: Int) -> [AggregationRuleView] {
        AggregationDeclaration.Rule.allCases.map { rule in
            let counts = (0...max(0, participants)).map { byzantine in
                AggregationDeclaration(
                    rule: rule, byzantine: byzantine, updateNormMaxMillionths: 1
                ).updatesMin
            }
            // The means withstand none, whatever they are told.
            let most =
                rule.isRobust ? counts.lastIndex { $0 <= max(1, participants) } ?? 0 : 0
            return AggregationRuleView(
                rule: rule.rawValue, byzantineMax: most, updatesMin: Array(counts[0...most]))
        }
    }
}
