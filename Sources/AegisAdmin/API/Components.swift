import AegisAPI
import AegisIdentity

/// The shapes that answers share, by the name they have in the OpenAPI document.
package enum Components {
    package static let schemas: [String: Schema] = answers.merging(RunSchema.components) { $1 }

    private static let answers: [String: Schema] = [
        "Health": .object([.init("status", .choice(["up"]))]),
        "Version": .object([.init("version", .text()), .init("api", .text())]),
        "Principal": principal, "Role": role, "User": user, "UserCertificate": userCertificate,
        "Credentials": credentials, "Mesh": mesh, "Participant": participant,
        "NodeStatus": nodeStatus, "NodeRun": nodeRun, "NodeBudget": nodeBudget,
        "NodeRound": nodeRound, "JoinToken": joinToken, "JoinTokenCreated": joinTokenCreated,
        "Member": member,
        "Dataset": dataset, "Budget": budget, "Calibration": calibration,
        "AggregationRule": aggregationRule, "Run": run, "Round": round,
        "Certificate": certificate, "AuditRecord": auditRecord, "AuditHead": auditHead,
        "AuditVerification": auditVerification, "AuditWitness": auditWitness, "Problem": problem,
    ]

    package static func page(_ name: String) -> Schema {
        .object([
            .init("items", .list(.named(name))),
            .init(
                "next", .text(), "`after` of the next page; absent on the last.", required: false),
        ])
    }

    private static let count = Schema.integer(0...Int(Int32.max))
    private static let height = Schema.integer(0...Int.max)
    private static let real = Schema.number(-1e300...1e300)
    private static let roles = Schema.choice(AdminRole.allCases.map(\.rawValue))
    private static let permissions = Schema.list(.choice(Permission.allCases.map(\.rawValue)))

    private static let member = Schema.object([
        .init("node", .text()), .init("name", .name), .init("address", .text()),
        .init(
            "standing", .choice(MemberView.Standing.allCases.map(\.rawValue))),
    ])

    private static let principal = Schema.object([
        .init("name", .name), .init("role", roles), .init("permissions", permissions),
        .init("fingerprint", .digest), .init("expires_at", .time),
    ])

    private static let role = Schema.object([
        .init("role", roles), .init("permissions", permissions),
    ])

    private static let user = Schema.object([
        .init("name", .name), .init("role", roles), .init("disabled", .boolean),
        .init("created_at", .time), .init("created_by", .text()),
        .init("certificates", .list(.named("UserCertificate"))),
    ])

    private static let userCertificate = Schema.object([
        .init("fingerprint", .digest), .init("serial", .text()), .init("issued_at", .time),
        .init("issued_by", .text()), .init("expires_at", .time), .init("revoked", .boolean),
    ])

    private static let credentials = Schema.object([
        .init("user", .name), .init("role", roles), .init("fingerprint", .digest),
        .init("expires_at", .time),
        .init("certificate_pem", .document), .init("private_key_pem", .document),
        .init("authority_pem", .document),
        .init("pkcs12", .document, "PKCS#12 in base64, for a browser."),
        .init("passphrase", .text(), "Of the PKCS#12 file. Shown once, kept nowhere."),
    ])

    private static let mesh = Schema.object([
        .init("mesh", .text()), .init("name", .name),
        .init("state", .choice(["open", "signing", "founded"])), .init("admin", .text()),
        .init("participants", count), .init("waiting_for", .list(.text())),
        .init("quorum", count, required: false), .init("fault_tolerance", count, required: false),
        .init("strict_three", .boolean), .init("view_timeout_milliseconds", count),
        .init("height", height), .init("genesis_digest", .digest, required: false),
        .init("fork", .text(), "Two certified values of one height: proof.", required: false),
        .init("final", finality, "The last final height.", required: false),
        .init("motions", .list(motion), "What participants want without the admin."),
    ])

    private static let motion = Schema.object([
        .init("id", .text()), .init("motion", .text(), "What it would do."),
        .init("words", .list(.text()), "Who is for it."),
        .init("quorum", count, "The words that carry it."),
    ])

    private static let finality = Schema.object([
        .init("height", height, "It and all before it are final."), .init("signatures", count),
        .init("participants", count),
        .init("resists", count, "With so many traitors there is still no other value."),
    ])

    private static let participant = Schema.object([
        .init("node", .text()), .init("name", .name), .init("address", .text()),
        .init("joined_at", .time),
        .init(
            "standing", .choice(MemberView.Standing.allCases.map(\.rawValue)),
            "In the mesh's roster; absent for who is no member.", required: false),
        .init("reachable", .boolean),
        .init("last_seen", .time, required: false),
        .init("status", .named("NodeStatus"), "As the node tells it.", required: false),
    ])

    private static let nodeStatus = Schema.object([
        .init("node", .text()), .init("name", .text()), .init("version", .text()),
        .init("state", .choice(NodeStatus.State.allCases.map(\.rawValue))),
        .init("height", height), .init("view", count), .init("peak_resident_megabytes", real),
        .init("run", .named("NodeRun"), "The run it works on.", required: false),
        .init("privacy", .list(.named("NodeBudget"))),
        .init(
            "refusals",
            .list(
                .object([
                    .init("peer", .text()), .init("reason", .text()), .init("count", count),
                ]))),
        .init("rounds", .list(.named("NodeRound")), "The last ones."),
        .init("dropped", dropped, "Whose updates the rule left out."),
        .init("final", finality, "The last final height.", required: false),
        .init(
            "not_co_signed", .list(.text()),
            "Whose co-signatures of the last height are missing, where it isn't final.",
            required: false),
        .init(
            "fork_height", height, "Two values were certified there: the node has stopped.",
            required: false),
        .init(
            "not_ready", .list(.text()), "Why it can't take part in a decision; none where it can.",
            required: false),
        .init(
            "peers",
            .list(
                .object([
                    .init("name", .text()),
                    .init("away", .text(), "Absent where it answers.", required: false),
                    .init("protocol_version", count, required: false),
                    .init("program", .text(), required: false),
                ])), "The other members, as it finds them.", required: false),
    ])

    private static let nodeRun = Schema.object([
        .init("id", .text()), .init("name", .text()), .init("round", count),
        .init("rounds", count), .init("phase", .text()), .init("progress", .number(0...1)),
        .init("coordinator", .text()), .init("waiting_for", .list(.text())),
    ])

    private static let nodeBudget = Schema.object([
        .init("dataset", .text()), .init("epsilon", real), .init("delta", real),
        .init("budget_epsilon", real), .init("noise", .text(), "fast or exact", required: false),
    ])

    private static let nodeRound = Schema.object([
        .init("run", .text()), .init("round", count), .init("height", height),
        .init("view", count), .init("coordinator", .text()),
        .init("participants", .list(.text())), .init("seconds", real),
        .init("loss", real, required: false), .init("accuracy", real, required: false),
        .init("epsilon", real, required: false), .init("model", .text()),
        .init("aggregation", explanation, required: false),
    ])

    private static let dropped = Schema.list(
        .object([.init("peer", .text()), .init("dropped", count), .init("judged", count)]))

    private static let joinToken = Schema.object([
        .init("id", .text()),
        .init("name", .text(), "Empty where each node gives its own."),
        .init("kind", .choice(JoinTokenView.Kind.allCases.map(\.rawValue))),
        .init("uses_max", count, "How many nodes may use it."),
        .init("uses", count, "How many have."),
        .init("state", .choice(JoinTokenView.State.allCases.map(\.rawValue))),
        .init("created_at", .time), .init("created_by", .text()), .init("expires_at", .time),
        .init("used_by", .text(), "The first.", required: false),
        .init("purpose", .text(), required: false),
    ])

    private static let joinTokenCreated = Schema.object([
        .init("id", .text()),
        .init("name", .text(), "Empty where each node gives its own."),
        .init("kind", .choice(JoinTokenView.Kind.allCases.map(\.rawValue))),
        .init("uses_max", count), .init("token", .text(), "Shown once, kept nowhere."),
        .init("expires_at", .time),
        .init("admin", .text(), "host:port of the admin's mesh listener."),
        .init(
            "peers", .list(.text()),
            "host:port of members' mesh listeners, where the mesh is founded.", required: false),
    ])

    private static let dataset = Schema.object([
        .init("name", .text()), .init("state", .choice(DatasetView.State.allCases.map(\.rawValue))),
        .init("description", .text(), required: false),
        .init("features", count, required: false), .init("classes", count, required: false),
        .init("registered_at", .time, required: false),
        .init("registered_by", .text(), required: false),
        .init("holders", .list(.named("Budget"))),
    ])

    private static let budget = Schema.object([
        .init("participant", .name), .init("dataset", .text()), .init("epsilon", real),
        .init("delta", real), .init("budget_epsilon", real),
    ])

    private static let calibration = Schema.object([
        .init("epsilon", real), .init("delta", real), .init("noise_multiplier", real),
        .init("sampling_rate", real), .init("steps", height), .init("accountant", .text()),
        .init("course", .list(real), "ε after a tenth, two tenths … all of the steps."),
    ])

    private static let aggregationRule = Schema.object([
        .init("rule", .text()), .init("byzantine_max", count), .init("updates_min", .list(count)),
    ])

    private static let run = Schema.object([
        .init("id", .text()), .init("name", .name),
        .init("state", .choice(RunView.State.allCases.map(\.rawValue))),
        .init("reason", .text(), required: false), .init("submitted_at", .time),
        .init("submitted_by", .text()), .init("rounds", count), .init("rounds_committed", count),
        .init("dataset", .name), .init("loss", real, required: false),
        .init("accuracy", real, required: false), .init("epsilon_max", real, required: false),
        .init("delta", real, required: false), .init("noise_multiplier", real, required: false),
        .init("model", .digest, required: false),
        .init("model_height", height, "Of the commit that names the model.", required: false),
        .init(
            "final", finality, "What makes the model final; absent while it is only committed.",
            required: false),
        .init(
            "noise_to_signal", real,
            "Of one step: above 1 a robust rule sees mostly noise.", required: false),
        .init("warnings", .list(.text()), "What is allowed but unwise."),
        .init("dropped", dropped, "How often the rule left out whom."),
        .init("specification", .named("RunRequest"), "What was submitted."),
    ])

    private static let round = Schema.object([
        .init("round", count), .init("height", height), .init("view", count),
        .init("coordinator", .text()), .init("participants", .list(.text())),
        .init("model", .digest, required: false), .init("certificate", .digest, required: false),
        .init(
            "measures",
            .list(
                .object([
                    .init("node", .text()), .init("name", .text()), .init("seconds", real),
                    .init("loss", real, required: false), .init("accuracy", real, required: false),
                    .init("epsilon", real, required: false),
                    .init("quality", quality, required: false),
                ]))),
        .init("aggregation", explanation, "Whom the rule heard.", required: false),
        .init("quality", quality, "Of the federation.", required: false),
    ])

    private static let quality = Schema.object(
        [.init("records", count), .init("loss", real)]
            + ["accuracy", "auc", "f1", "calibration_error", "rmse", "mae", "r2"].map {
                .init($0, real, required: false)
            })

    private static let explanation = Schema.object([
        .init("rule", .text()), .init("score_meaning", .text()),
        .init(
            "verdicts",
            .list(
                .object([
                    .init("node", .text()), .init("is_kept", .boolean), .init("share", real),
                    .init("score", real),
                ]))),
    ])

    private static let certificate = Schema.object([
        .init("height", height), .init("digest", .digest), .init("run", .text(), required: false),
        .init("round", count, required: false),
        .init("bytes", .text(), "The commit record in base64."),
    ])

    private static let auditRecord = Schema.object([
        .init("sequence", height), .init("time", .time), .init("actor", .text()),
        .init("action", .text()), .init("parameters", .digest), .init("outcome", .text()),
        .init("request", .text()), .init("previous", .digest), .init("digest", .digest),
    ])

    private static let auditHead = Schema.object([
        .init("sequence", height), .init("digest", .digest),
        .init(
            "witnessed", .named("AuditWitness"), "The newest that the mesh signed.",
            required: false),
    ])

    private static let auditWitness = Schema.object([
        .init("sequence", height), .init("digest", .digest),
        .init("height", height, "Of the commit with the signatures."),
    ])

    private static let auditVerification = Schema.object([
        .init("intact", .boolean), .init("records", height), .init("head", .digest),
        .init(
            "witnessed", .named("AuditWitness"),
            "The newest head signed by the mesh that the log was compared with.", required: false),
        .init("fault", .text(), required: false),
    ])

    private static let problem = Schema.object([
        .init("type", .text(), "Stable; programs decide by it."), .init("title", .text()),
        .init("status", .integer(400...599)), .init("detail", .text(), required: false),
        .init("hint", .text(), "What the caller can do about it.", required: false),
        .init(
            "faults",
            .list(.object([.init("field", .text()), .init("message", .text())])),
            "Every field at fault.", required: false),
        .init("request_id", .text()), .init("retry_after", count, required: false),
    ])
}
