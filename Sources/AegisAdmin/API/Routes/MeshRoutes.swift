import AegisAPI
import AegisCore
import AegisIdentity
import AegisProtocol
import AegisTelemetry

/// The mesh, who takes part in it, and how they get in.
enum MeshRoutes {
    static let all: [Route] = mesh + participants + tokens

    private static let mesh: [Route] = [
        Route(
            .get, "/api/v1/mesh", .readMesh, tag: "mesh", "The mesh: members, quorum, height",
            traits: .shared, answer: .init(200, .named("Mesh"), "The mesh."),
            handler: { desks, _ in try .json(try await desks.meshView()) }),
        Route(
            .get, "/api/v1/mesh/genesis", .readMesh, tag: "mesh",
            "The trust root that every founder signed",
            answer: .init(200, type: "application/cbor", "The genesis document."),
            problems: [.meshOpen],
            handler: { desks, _ in
                guard let document = try await desks.database.genesis()?.document else {
                    throw Problem(.meshOpen)
                }
                return .bytes(document, type: "application/cbor", fileName: "genesis.cbor")
            }),
        Route(
            .get, "/api/v1/mesh/certificates", .readEvidence, tag: "mesh",
            "Every commit record from the founding on",
            query: [
                .init("limit", .integer(1...500), "How many at most; 100 if absent."),
                .init("after", .integer(0...Int.max), "`next` of the page before."),
            ],
            answer: .init(200, Components.page("Certificate"), "A page of records."),
            handler: { desks, call in
                let limit = call.query["limit"].flatMap { Int($0) } ?? 100
                let after = call.query["after"].flatMap { UInt64($0) } ?? 0
                let (last, isOver) = after.addingReportingOverflow(UInt64(limit) + 1)
                let found = try await desks.database.commits(
                    from: after + 1, through: isOver ? .max : last)
                let page = found.prefix(limit)
                return try .json(
                    Items(
                        items: page.map(CertificateView.init),
                        next: found.count > limit ? page.last.map { "\($0.height)" } : nil))
            }),
        Route(
            .post, "/api/v1/mesh/found", .foundMesh, tag: "mesh",
            "Close the founding: everyone who joined signs the first roster",
            details: "Can be repeated until all have signed.",
            body: .init(.object([]), example: .object([:]), required: false),
            answer: .init(202, .named("Mesh"), "The founders are being asked."),
            problems: [.noParticipants],
            handler: { desks, _ in
                try await desks.founding.found()
                return try .json(try await desks.meshView(), status: 202)
            }),
    ]

    private static let participants: [Route] = [
        Route(
            .get, "/api/v1/participants", .readParticipants, tag: "mesh",
            "Every node: state, height, memory, spent budget, what it refused",
            traits: [.paged, .shared],
            query: [
                .init("reachable", .boolean, "Only nodes that answer, or that don't."),
                .init(
                    "standing", .choice(MemberView.Standing.allCases.map(\.rawValue)),
                    "Only nodes that stand so."),
            ],
            answer: .init(200, Components.page("Participant"), "A page of nodes."),
            handler: { desks, call in
                let wanted = call.query["reachable"]
                let standing = call.query["standing"]
                let items = try await desks.participantViews().filter {
                    (wanted == nil || wanted == "\($0.reachable)")
                        && (standing == nil || standing == $0.standing?.rawValue)
                }
                return try .json(try await call.page(items, key: \.name) { $0 })
            }),
        Route(
            .get, "/api/v1/participants/{participant}", .readParticipants, tag: "mesh",
            "One node, by name or id", traits: .shared,
            answer: .init(200, .named("Participant"), "The node."), problems: [.notFound],
            handler: { desks, call in
                try .json(try await desks.participantView(call.parameter("participant")))
            }),
    ]

    private static let tokens: [Route] = [
        Route(
            .get, "/api/v1/join-tokens", .readTokens, tag: "join tokens",
            "The tokens, never the secret in them", traits: .paged,
            query: [
                .init(
                    "state", .choice(JoinTokenView.State.allCases.map(\.rawValue)),
                    "Only tokens in this state.")
            ],
            answer: .init(200, Components.page("JoinToken"), "A page of tokens."),
            handler: { desks, call in
                let state = call.query["state"]
                let items = try await desks.tokenViews(now: call.now)
                    .filter { state == nil || $0.state.rawValue == state }
                return try .json(try await call.page(items, key: \.id) { $0 })
            }),
        Route(
            .post, "/api/v1/join-tokens", .manageTokens, tag: "join tokens",
            "Make a token that lets nodes join, or one come back under a new key",
            details: "The only answer that ever has the token. A name makes it a token for one; "
                + "without a name each node gives its own. A replacement needs the name of a "
                + "member whose key is lost.",
            traits: [.idempotent, .sensitive, .secret],
            body: .init(
                .object([
                    .init(
                        "name", .name,
                        "The member's name in the mesh; needed unless `uses` is "
                            + "more than 1.", required: false),
                    .init(
                        "kind", .choice(JoinTokenView.Kind.allCases.map(\.rawValue)),
                        "What a node becomes with it.", standard: "participant"),
                    .init(
                        "uses", .integer(1...Limits.participantsMax),
                        "How many nodes may use it, each once.", standard: .integer(1)),
                    .init(
                        "expires_seconds", .integer(1...FoundingDesk.tokenSecondsMax),
                        "How long it can be used.", standard: .integer(3_600)),
                    .init(
                        "purpose", .text(length: 0...200), "What it was made for; for people.",
                        standard: ""),
                ]), example: .object(["name": "north", "expires_seconds": .integer(3_600)])),
            answer: .init(201, .named("JoinTokenCreated"), "The token."),
            problems: [
                .nameTaken, .meshFounded, .meshOpen, .notFound, .notReady, .notTheAdmin, .unfit,
            ],
            handler: create),
        Route(
            .get, "/api/v1/join-tokens/{token}", .readTokens, tag: "join tokens",
            "One token, by id", answer: .init(200, .named("JoinToken"), "The token."),
            problems: [.notFound],
            handler: { desks, call in
                try .json(try await desks.tokenView(call.parameter("token"), now: call.now))
            }),
        Route(
            .delete, "/api/v1/join-tokens/{token}", .manageTokens, tag: "join tokens",
            "Revoke a token that is not used up",
            answer: .init(204, type: "", "It can't be used any more."),
            problems: [.notFound, .notTheAdmin, .tokenUsed],
            handler: { desks, call in
                let token = try await desks.tokenView(call.parameter("token"), now: call.now)
                guard token.state != .used, let id = Hexadecimal.decode(token.id),
                    try await desks.database.revokeGrant(id, at: call.now)
                else {
                    throw Problem(
                        .tokenUsed, detail: "\(token.name) has joined with it")
                }
                // A mesh that runs keeps the grant itself.
                if try await desks.observer.chain()?.state.granted(id) != nil {
                    try await desks.runs.ask(.revokeToken(id), now: call.now)
                }
                return .nothing
            }),
    ]

    private static let create: Route.Handler = { desks, call in
        let name = call.text("name") ?? ""
        let limits = TokenLimits(
            kind: call.text("kind").flatMap(TokenLimits.Kind.init(rawValue:)) ?? .participant,
            uses: call.integer("uses") ?? 1)
        try check(name, limits)
        let seconds = call.integer("expires_seconds") ?? 3_600
        let purpose = call.text("purpose") ?? ""
        let token: JoinToken
        var peers: [String]?
        if try await desks.founding.genesis() != nil {
            let (live, addresses) = try await desks.runs.createLiveToken(
                name: name, seconds: seconds, limits: limits, purpose: purpose,
                by: call.principal.name, now: call.now)
            token = live
            peers = limits.kind == .replacement ? nil : addresses
        } else {
            token = try await desks.founding.createToken(
                name: name, seconds: seconds, limits: limits, purpose: purpose,
                by: call.principal.name, now: call.now)
        }
        return try .json(
            JoinTokenCreated(
                id: token.idText, name: name, token: token.secretText,
                expiresAt: Timestamp.text(token.notAfter * 1_000), admin: desks.listen,
                peers: peers, kind: limits.kind, usesMax: limits.uses),
            status: 201, location: "/api/v1/join-tokens/" + token.idText)
    }

    private static func check(_ name: String, _ limits: TokenLimits) throws(Problem) {
        let fault: String? =
            switch (name.isEmpty, limits.uses) {
            case (true, 1): "a token for one node needs its name"
            case (false, 2...): "a token for several nodes has no name: each gives its own"
            case (_, 2...) where limits.kind == .replacement: "a replacement is for one node"
            default: nil
            }
        guard let fault else { return }
        throw Problem(.unfit, detail: fault)
    }
}

extension Desks {
    func tokenViews(now: UInt64) async throws -> [JoinTokenView] {
        try await database.grants().map { stored in
            let grant = stored.grant
            let state: JoinTokenView.State =
                stored.users.count >= stored.limits.uses
                ? .used
                : stored.revokedAt != nil
                    ? .revoked
                    : now / 1_000 > grant.notAfter
                        ? .expired : stored.users.isEmpty ? .unused : .partlyUsed
            return JoinTokenView(
                id: Hexadecimal.encode(grant.tokenID), name: grant.name, state: state,
                createdAt: Timestamp.text(stored.createdAt), createdBy: stored.createdBy,
                expiresAt: Timestamp.text(grant.notAfter * 1_000),
                usedBy: stored.users.first?.text,
                purpose: stored.purpose.isEmpty ? nil : stored.purpose,
                kind: stored.limits.kind, usesMax: stored.limits.uses, uses: stored.users.count)
        }
    }

    func tokenView(_ id: String, now: UInt64) async throws -> JoinTokenView {
        guard let token = try await tokenViews(now: now).first(where: { $0.id == id }) else {
            throw Problem(.notFound, detail: "there is no token \(id.prefix(64))")
        }
        return token
    }

    func participantViews() async throws -> [ParticipantView] {
        let seen = await observer.nodes()
        let roster = try await observer.chain()?.roster
        return try await database.participants().map { participant in
            let node = seen[participant.entry.node]
            return ParticipantView(
                node: participant.entry.node.text, name: participant.entry.name,
                address: participant.entry.address,
                joinedAt: Timestamp.text(participant.joinedAt),
                standing: roster.flatMap {
                    MemberView.Standing(of: participant.entry.node, in: $0)
                },
                reachable: node?.reachable ?? false,
                lastSeen: node?.lastSeen.flatMap { $0 == 0 ? nil : Timestamp.text($0) },
                status: node?.status)
        }
    }

    /// By name or id.
    func participantView(_ name: String) async throws -> ParticipantView {
        let found = try await participantViews().first { $0.name == name || $0.node == name }
        guard let found else {
            throw Problem(.notFound, detail: "there is no participant \(name.prefix(64))")
        }
        return found
    }

    func meshView() async throws -> MeshView {
        let statement = founding.founding.statement
        let participants = try await database.participants()
        let progress = try await database.genesis()
        let waiting = participants.filter { progress?.signed.contains($0.entry.node) == false }
        let roster = try progress.map { try GenesisStatement(payload: $0.payload).roster }
        let chain = try await observer.chain()
        let now = chain?.roster ?? roster
        let policy = chain?.state.policy ?? statement.policy
        return MeshView(
            mesh: statement.mesh.description, name: statement.name,
            state: progress == nil ? .open : progress?.document == nil ? .signing : .founded,
            admin: (chain?.state.admin ?? statement.admin).text,
            participants: now?.count ?? participants.count,
            waitingFor: progress?.document == nil ? waiting.map(\.entry.name) : [],
            quorum: now?.quorum, faultTolerance: now?.faultTolerance,
            strictThree: policy.strictThree,
            viewTimeoutMilliseconds: policy.viewTimeoutMilliseconds,
            height: chain?.state.height ?? 0, genesisDigest: chain?.genesis.description,
            fork: chain?.fork, final: chain?.final, motions: try await motions(chain?.state))
    }

    private func motions(_ state: ChainState?) async throws -> [MotionView] {
        guard let state, let rules = try await observer.meshRules() else { return [] }
        return rules.openMotions(in: state).map {
            MotionView(id: $0.id, motion: $0.text, words: $0.words, quorum: $0.quorum)
        }
    }
}
