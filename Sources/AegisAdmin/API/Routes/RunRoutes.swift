import AegisAPI
import AegisCore
import AegisProtocol
import AegisTelemetry

/// Runs from their submission to the evidence of them.
enum RunRoutes {
    static let all: [Route] = lifecycle + results

    private static let cache = SnapshotCache<RunSnapshot>()

    private static let lifecycle: [Route] = [
        Route(
            .get, "/api/v1/runs", .readRuns, tag: "runs", "The runs, the newest first",
            traits: [.paged, .shared],
            query: [
                .init(
                    "state", .choice(RunView.State.allCases.map(\.rawValue)),
                    "Only runs in this state."),
                .init("dataset", .name, "Only runs on this data set."),
            ],
            answer: .init(200, Components.page("Run"), "A page of runs."),
            handler: { desks, call in
                let runs = try await desks.runs.stored(
                    state: call.query["state"], dataset: call.query["dataset"])
                return try .json(
                    try await call.page(runs, key: { $0.specification.run.description }) {
                        try await desks.runs.view(of: $0)
                    })
            }),
        Route(
            .post, "/api/v1/runs", .submitRun, tag: "runs", "Submit a run",
            details: "The mesh starts it when a quorum has committed it. With `start=false` it "
                + "stays here as a draft.",
            traits: [.idempotent, .checksBody],
            query: [.init("start", .boolean, "false keeps it as a draft.")],
            body: .init(RunSchema.request, example: RunSchema.example),
            answer: .init(201, .named("Run"), "It is submitted."),
            problems: [.unfit, .nameTaken, .meshOpen, .notTheAdmin, .runActive, .datasetRetired],
            handler: { desks, call in
                let run = try await desks.runs.submit(
                    call.body, asDraft: call.query["start"] == "false", by: call.principal.name,
                    now: call.now)
                return try .json(run, status: 201, location: "/api/v1/runs/" + run.id)
            }),
        Route(
            .get, "/api/v1/runs/{run}", .readRuns, tag: "runs", "One run, by name or id",
            traits: .shared, answer: .init(200, .named("Run"), "The run."), problems: [.notFound],
            handler: { desks, call in
                try .json(try await desks.runs.view(call.parameter("run")))
            }),
        Route(
            .delete, "/api/v1/runs/{run}", .submitRun, tag: "runs", "Discard a draft",
            answer: .init(204, type: "", "It is gone."), problems: [.notFound, .runStarted],
            handler: { desks, call in
                try await desks.runs.discard(call.parameter("run"))
                return .nothing
            }),
        Route(
            .post, "/api/v1/runs/{run}/start", .submitRun, tag: "runs", "Start a draft",
            body: .init(.object([]), example: .object([:]), required: false),
            answer: .init(202, .named("Run"), "The mesh is being asked."),
            problems: [.notFound, .notTheAdmin, .runStarted, .runActive, .meshOpen],
            handler: { desks, call in
                try .json(
                    try await desks.runs.start(call.parameter("run"), now: call.now), status: 202)
            }),
        Route(
            .post, "/api/v1/runs/{run}/stop", .stopRun, tag: "runs",
            "Ask the mesh to end a run after its current round",
            body: .init(
                .object([
                    .init(
                        "reason", .text(length: 1...Limits.nameBytesMax, says: reasonRule),
                        "Committed with the stop.")
                ]), example: .object(["reason": "wrong data set"])),
            answer: .init(202, .named("Run"), "The mesh is being asked."),
            problems: [.notFound, .notTheAdmin, .runEnded, .notReady],
            handler: { desks, call in
                let reason = call.text("reason") ?? ""
                guard reason.utf8.count <= Limits.nameBytesMax else {
                    throw Problem(
                        .invalidRequest,
                        faults: [FieldFault(field: "reason", message: "must be " + reasonRule)])
                }
                return try .json(
                    try await desks.runs.stop(
                        call.parameter("run"), reason: reason, by: call.principal.name,
                        now: call.now), status: 202)
            }),
    ]

    private static let reasonRule = "text of 1 to \(Limits.nameBytesMax) bytes"

    private static let results: [Route] = [
        Route(
            .get, "/api/v1/runs/{run}/rounds", .readRuns, tag: "runs",
            "The committed rounds, as the mesh decided and the nodes measured them",
            traits: [.paged, .shared],
            answer: .init(200, Components.page("Round"), "A page of rounds."),
            problems: [.notFound],
            handler: { desks, call in
                let run = call.parameter("run")
                return try .json(
                    try await call.page(number: \RoundView.round) {
                        try await desks.runs.rounds(run, after: $0, limit: $1)
                    })
            }),
        Route(
            .get, "/api/v1/runs/{run}/events", .readRuns, tag: "runs",
            "What happens in a run, as it happens (server-sent events)",
            details:
                "`run`, `round`, `progress` and, when it is over, `end`. A round's event id is "
                + "its number; with `Last-Event-ID` a client gets the rounds after it.",
            traits: .stream,
            answer: .init(200, type: "text/event-stream", "The stream."), problems: [.notFound],
            handler: { desks, call in
                let name = try await desks.runs.view(call.parameter("run")).id
                let events = RunEvents(name, desk: desks.runs, cache: cache)
                let last = call.lastEventID.flatMap { Int($0) } ?? 0
                return EventStream.reply(
                    desks, state: RunEvents.Position(round: max(0, last))
                ) { try await events.news(&$0, at: $1) }
            }),
        Route(
            .get, "/api/v1/runs/{run}/certificates", .readEvidence, tag: "runs",
            "Every commit record from the founding to the run's last", traits: .paged,
            answer: .init(200, Components.page("Certificate"), "A page of records."),
            problems: [.notFound],
            handler: { desks, call in
                let run = call.parameter("run")
                return try .json(
                    try await call.page(number: { Int($0.height) }) {
                        try await desks.runs.certificates(run, after: UInt64($0), limit: $1)
                    })
            }),
        Route(
            .get, "/api/v1/runs/{run}/final", .readEvidence, tag: "runs",
            "The co-signatures that make the run's last commit final",
            answer: .init(200, .named("Certificate"), "The certificate, in base64."),
            problems: [.notFound, .notFinal],
            handler: { desks, call in
                guard let final = try await desks.runs.finalCertificate(call.parameter("run"))
                else { throw Problem(.notFinal) }
                return try .json(final)
            }),
        Route(
            .get, "/api/v1/runs/{run}/model", .readModel, tag: "runs",
            "The newest model (safetensors)",
            details: "It must be final: waits for that up to three seconds. A model that is only "
                + "committed may, with more traitors than the mesh bears, still turn out to be "
                + "another; `provisional=true` takes it all the same.",
            query: [
                .init("provisional", .boolean, "true takes a model that isn't final yet.")
            ],
            answer: .init(200, type: "application/octet-stream", "The model."),
            problems: [.notFound, .notReady, .notFinal],
            handler: { desks, call in
                .stream(
                    try await desks.runs.model(
                        call.parameter("run"), provisional: call.query["provisional"] == "true"
                    ).body,
                    type: "application/octet-stream", fileName: "model.safetensors")
            }),
        Route(
            .get, "/api/v1/runs/{run}/evidence", .readEvidence, tag: "runs",
            "All that proves a run, in one tar file",
            answer: .init(200, type: "application/x-tar", "The file."),
            problems: [.notFound, .notReady, .meshOpen],
            handler: { desks, call in
                let run = try await desks.runs.view(call.parameter("run"))
                return .stream(
                    try await desks.runs.evidence(run.id), type: "application/x-tar",
                    fileName: run.name + ".tar")
            }),
    ]
}
