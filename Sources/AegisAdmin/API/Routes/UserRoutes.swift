import AegisAPI
import AegisIdentity

/// Who may use the API, and as what.
enum UserRoutes {
    static let all: [Route] =
        users + certificates + [
            Route(
                .get, "/api/v1/roles", .readStatus, tag: "users", "What each role may do",
                answer: .init(200, Components.page("Role"), "Every role."),
                handler: { _, _ in
                    try .json(
                        Items(
                            items: AdminRole.allCases.map {
                                RoleView(role: $0.rawValue, permissions: Permission.of($0))
                            }))
                })
        ]

    private static let roles = Schema.choice(AdminRole.allCases.map(\.rawValue))
    private static let days = Schema.Field(
        "days", .integer(1...UserDesk.daysMax), "How long the certificate is good.",
        standard: .integer(365))

    private static let users: [Route] = [
        Route(
            .get, "/api/v1/users", .readUsers, tag: "users", "The users and their certificates",
            traits: .paged, query: [.init("role", roles, "Only users in this role.")],
            answer: .init(200, Components.page("User"), "A page of users."),
            handler: { desks, call in
                let role = call.query["role"]
                let users = try await desks.users.list()
                    .filter { role == nil || $0.role.rawValue == role }
                return try .json(try await call.page(users, key: \.name) { $0.view })
            }),
        Route(
            .post, "/api/v1/users", .manageUsers, tag: "users",
            "Create a user with a certificate and a .p12 file",
            details: "The only answer that ever has the private key and the passphrase. The file "
                + "is PKCS#12 with AES-256, PBKDF2 and MAC with SHA-256 and 600,000 rounds.",
            traits: [.idempotent, .sensitive, .secret],
            body: .init(
                .object([.init("name", .name), .init("role", roles), days]),
                example: .object(["name": "olga", "role": "operator", "days": .integer(365)])),
            answer: .init(201, .named("Credentials"), "The credentials, once."),
            problems: [.nameTaken],
            handler: { desks, call in
                guard let role = call.text("role").flatMap(AdminRole.init(rawValue:)) else {
                    throw Problem(.invalidRequest)
                }
                let name = call.text("name") ?? ""
                return try .json(
                    try await desks.users.create(
                        AdminUser(name: name, role: role), days: call.integer("days") ?? 365,
                        by: call.principal.name, now: call.now),
                    status: 201, location: "/api/v1/users/" + name)
            }),
        Route(
            .get, "/api/v1/users/{user}", .readUsers, tag: "users", "One user",
            answer: .init(200, .named("User"), "The user."), problems: [.notFound],
            handler: { desks, call in
                try .json(try await desks.users.stored(call.parameter("user")).view)
            }),
        Route(
            .patch, "/api/v1/users/{user}", .manageUsers, tag: "users",
            "Change a user's role, disable or enable it",
            details: "Takes effect at the next request, on connections that are open too.",
            traits: .matched,
            body: .init(
                .object([
                    .init("role", roles, required: false),
                    .init("disabled", .boolean, required: false),
                ]), example: .object(["disabled": .bool(true)])),
            answer: .init(200, .named("User"), "It is changed."),
            problems: [.notFound, .lastAdministrator],
            handler: { desks, call in
                let name = call.parameter("user")
                let user = try await desks.users.stored(name)
                try call.requireMatch(user.view)
                try await desks.users.change(
                    user, role: call.text("role").flatMap(AdminRole.init(rawValue:)),
                    disabled: call.flag("disabled"), now: call.now)
                return try .json(try await desks.users.stored(name).view)
            }),
    ]

    private static let certificates: [Route] = [
        Route(
            .post, "/api/v1/users/{user}/certificates", .manageUsers, tag: "users",
            "Another certificate for a user", traits: [.sensitive, .secret],
            body: .init(
                .object([days, revokeOthers]), example: .object(["days": .integer(90)]),
                required: false),
            answer: .init(201, .named("Credentials"), "The credentials, once."),
            problems: [.notFound],
            handler: { desks, call in try await renew(call.parameter("user"), desks, call) }),
        Route(
            .delete, "/api/v1/users/{user}/certificates/{fingerprint}", .manageUsers,
            tag: "users", "Revoke one certificate of a user",
            answer: .init(204, type: "", "It is not taken any more."), problems: [.notFound],
            handler: { desks, call in
                try await desks.users.revoke(
                    call.parameter("fingerprint"), of: call.parameter("user"), now: call.now)
                return .nothing
            }),
        Route(
            .post, "/api/v1/whoami/certificates", .renewOwnCertificate, tag: "users",
            "Renew the caller's own certificate", traits: [.sensitive, .secret],
            body: .init(
                .object([days, revokeOthers]), example: .object(["days": .integer(365)]),
                required: false),
            answer: .init(201, .named("Credentials"), "The credentials, once."),
            handler: { desks, call in try await renew(call.principal.name, desks, call) }),
    ]

    private static let revokeOthers = Schema.Field(
        "revoke_others", .boolean, "No older certificate of the user is taken any more.",
        standard: .bool(false))

    private static func renew(_ name: String, _ desks: Desks, _ call: Call) async throws -> Reply {
        try .json(
            try await desks.users.renew(
                name, days: call.integer("days") ?? 365,
                revokingOthers: call.flag("revoke_others") ?? false, by: call.principal.name,
                now: call.now), status: 201, location: "/api/v1/users/" + name)
    }
}
