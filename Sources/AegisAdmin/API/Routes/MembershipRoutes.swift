import AegisAPI
import AegisCore
import AegisProtocol

/// Changes of the members of a founded mesh. Each is a signed command that a quorum decides.
enum MembershipRoutes {
    static let all: [Route] = [
        Route(
            .get, "/api/v1/members", .readParticipants, tag: "mesh",
            "Everybody in the roster that decides next, and their standing",
            traits: .paged, answer: .init(200, Components.page("Member"), "A page of members."),
            problems: [.meshOpen],
            handler: { desks, call in
                try .json(try await call.page(try await desks.memberViews(), key: \.name) { $0 })
            }),
        change("promote", "Give a learner that follows the chain a vote") { node, _ in
            .promote(node)
        },
        change("suspend", "Let a participant's vote rest", hasReason: true) {
            .suspend($0, reason: $1)
        },
        change("resume", "Give a suspended participant its vote back") { node, _ in
            .resume(node)
        },
        change("evict", "Take a member out, for good", hasReason: true) {
            .evict($0, reason: $1)
        },
    ]

    private static func change(
        _ verb: String, _ summary: String, hasReason: Bool = false,
        _ make: @escaping @Sendable (NodeID, String) -> MembershipChange
    ) -> Route {
        Route(
            .post, "/api/v1/members/{member}/\(verb)", .manageMembers, tag: "mesh", summary,
            details: "By name or id. It takes effect once a quorum has decided it.",
            body: .init(
                .object(
                    hasReason
                        ? [.init("reason", .text(length: 0...256), "Why.", standard: "")]
                        : []),
                example: .object([:]), required: false),
            answer: .init(202, type: "", "The mesh is being asked."),
            problems: [.meshOpen, .notFound, .notReady, .notTheAdmin],
            handler: { desks, call in
                let node = try await desks.runs.member(call.parameter("member"))
                try await desks.runs.ask(
                    make(node, call.text("reason") ?? ""), now: call.now)
                return .accepted
            })
    }
}

extension Desks {
    func memberViews() async throws -> [MemberView] {
        guard let roster = try await observer.chain()?.roster else { throw Problem(.meshOpen) }
        return roster.entries.map {
            MemberView(
                node: $0.node.text, name: $0.name, address: $0.address, standing: .participant)
        }
            + roster.associates.map {
                MemberView(
                    node: $0.entry.node.text, name: $0.entry.name, address: $0.entry.address,
                    standing: MemberView.Standing($0.standing))
            }
    }
}

extension MemberView.Standing {
    init(_ standing: Associate.Standing) {
        self =
            switch standing {
            case .learner: .learner
            case .ready: .ready
            case .observer: .observer
            case .suspended: .suspended
            }
    }

    /// Nil for who is no member.
    init?(of node: NodeID, in roster: Roster) {
        if roster.contains(node) {
            self = .participant
        } else if let associate = roster.associate(node) {
            self.init(associate.standing)
        } else {
            return nil
        }
    }
}
