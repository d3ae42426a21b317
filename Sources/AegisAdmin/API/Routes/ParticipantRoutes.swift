import AegisAPI
import AegisCore

/// With whom the admin has to do.
enum ParticipantRoutes {
    static let changes: [Route] = [
        change(
            "suspend", to: .suspended, "Have nothing to do with a participant for now",
            details: "The admin doesn't ask it, hands it no command and refuses its calls."),
        change(
            "revoke", to: .revoked, "Have nothing to do with a participant any more",
            details: "As suspending, for good."),
        Route(
            .post, "/api/v1/participants/{participant}/reinstate", .manageParticipants,
            tag: "mesh", "End a suspension",
            body: .init(.object([]), example: .object([:]), required: false),
            answer: .init(200, .named("Participant"), "It is active."),
            problems: [.notFound, .participantRevoked],
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
            problems: [.notFound, .participantRevoked],
            handler: { desks, call in
                try await set(standing, reason: call.text("reason") ?? "", desks, call)
            })
    }

    private static func set(
        _ standing: ParticipantView.Standing, reason: String, _ desks: Desks, _ call: Call
    ) async throws -> Reply {
        let view = try await desks.participantView(call.parameter("participant"))
        guard let node = NodeID(text: view.node) else { throw Problem(.notFound) }
        let isSet = try await desks.database.setStanding(
            of: node, standing, reason: reason, by: call.principal.name, at: call.now)
        guard isSet else {
            throw Problem(.participantRevoked, detail: "\(view.name) was revoked")
        }
        await desks.observer.forget(node)
        desks.closeLinks(node)
        return try .json(try await desks.participantView(view.node))
    }
}
