import AegisAPI
import AegisCore

/// With whom the admin has to do.
enum ParticipantRoutes {
    static let changes: [Route] = [
        change(
            "suspend", to: .suspended, "Have nothing to do with a participant for now",
            details: "At once the admin doesn't ask it, hands it no command and refuses its calls; "
                + "when a quorum has committed it, its vote rests and its updates don't count."),
        change(
            "revoke", to: .revoked, "Have nothing to do with a participant any more",
            details: "As suspending, but for good: the mesh removes it from its roster."),
        Route(
            .post, "/api/v1/participants/{participant}/reinstate", .manageParticipants,
            tag: "mesh", "End a suspension",
            body: .init(.object([]), example: .object([:]), required: false),
            answer: .init(200, .named("Participant"), "It is active."),
            problems: [.notFound, .participantRevoked, .refusedByMesh],
            handler: { desks, call in try await set(.active, reason: "", desks, call) }),
    ]

    private static func change(
        _ verb: String, to standing: ParticipantView.Standing, _ summary: String, details: String
    ) -> Route {
        Route(
            .post, "/api/v1/participants/{participant}/\(verb)", .manageParticipants, tag: "mesh",
            summary, details: details,
            body: .init(
                .object([
                    .init(
                        "reason", .text(length: 1...Limits.nameBytesMax),
                        "Shown beside the participant.")
                ]), example: .object(["reason": "its key may be lost"])),
            answer: .init(200, .named("Participant"), "It is \(standing.rawValue)."),
            problems: [.notFound, .participantRevoked, .refusedByMesh],
            handler: { desks, call in
                try await set(standing, reason: call.text("reason") ?? "", desks, call)
            })
    }

    private static func set(
        _ standing: ParticipantView.Standing, reason: String, _ desks: Desks, _ call: Call
    ) async throws -> Reply {
        let view = try await desks.participantView(call.parameter("participant"))
        guard let node = NodeID(text: view.node) else { throw Problem(.notFound) }
        try await desks.membership.set(
            standing, of: node, name: view.name, reason: reason, by: call.principal.name,
            now: call.now)
        return try .json(try await desks.participantView(view.node))
    }
}
