package import AegisAPI
package import ArgumentParser
import Foundation

package struct UserCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Lists, creates, changes and disables the admin's users.",
        subcommands: [
            UserList.self, UserShow.self, UserCreate.self, UserSet.self, UserDisable.self,
            UserEnable.self, UserRenew.self, UserRevoke.self, RoleList.self,
        ])

    package init() {}

    static func path(_ user: String) throws(Failure) -> String {
        "/users/" + (try PathSegment.of(user, "user"))
    }
}

package struct UserList: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists the users and until when their certificates are good.",
        discussion: "Example:\n  aegis user list")

    @Option(help: "Only users in this role.") package var role: String?
    @OptionGroup package var watch: WatchOptions
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        let path = "/users" + PathSegment.query([("role", role)])
        try await common.show(
            watch: watch, { try await $0.sendAll(path) }, as: Items<UserView>.self
        ) { Self.text($0.items) }
    }

    package static func text(_ users: [UserView]) -> String {
        guard !users.isEmpty else { return "no such user\n" }
        return Table(
            [
                .init("USER", cutTo: 16), .init("ROLE"), .init("STATE"), .init("CERTIFICATE"),
                .init("EXPIRES"),
            ],
            rows: users.map { user in
                let newest = user.certificates.filter { !$0.revoked }
                    .max { $0.expiresAt < $1.expiresAt }
                return [
                    user.name, user.role, user.disabled ? "disabled" : "enabled",
                    newest.map { String($0.fingerprint.dropFirst(7).prefix(12)) } ?? "-",
                    newest.map { Output.time($0.expiresAt) } ?? "-",
                ]
            }
        ).text(width: Console.columns)
    }
}

package struct UserShow: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows one user and all its certificates.",
        discussion: "Example:\n  aegis user show olga")

    @Argument(help: "The user's name.") package var user: String
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        let path = try UserCommand.path(user)
        try await common.show({ try await $0.send(.get(path)) }, as: UserView.self, Self.text)
    }

    package static func text(_ user: UserView) -> String {
        let head =
            "user \(user.name)  \(user.role)  \(user.disabled ? "disabled" : "enabled")\n"
            + "created \(Output.time(user.createdAt)) by \(user.createdBy)\n\n"
        return head
            + Table(
                [
                    .init("CERTIFICATE", cutTo: 20), .init("ISSUED"), .init("EXPIRES"),
                    .init("TAKEN"),
                ],
                rows: user.certificates.map {
                    [
                        $0.fingerprint, Output.time($0.issuedAt), Output.time($0.expiresAt),
                        $0.revoked ? "revoked" : "yes",
                    ]
                }
            ).text(width: Console.columns)
    }
}

package struct UserCreate: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Creates a user and writes its credentials to a folder.",
        discussion: """
            The folder gets certificate, key, the authority's certificate, a .p12 for browsers and \
            a context.json. The key is made by the admin and kept nowhere else.

            Example:
              aegis user create olga --role operator --to olga-credentials
            """)

    @Argument(help: "The user's name.") package var user: String
    @Option(help: "admin, operator, auditor or viewer.") package var role: String
    @Option(help: "Days that the certificate is good for, 1 to 365.") package var days: Int = 365
    @Option(help: "The folder to make.", completion: .directory) package var to: String
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func request() -> APIRequest {
        .post(
            "/users",
            .object(["name": .text(user), "role": .text(role), "days": .integer(Int64(days))]),
            key: UUID().uuidString)
    }

    package func run() async throws {
        try await Credentials.issue(request(), to: to, common)
    }
}

package struct UserRenew: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "renew",
        abstract: "Issues another certificate for a user, by default for oneself.",
        discussion: """
            Without USER it renews the context's own certificate, which every role may.

            Example:
              aegis user renew --to new-credentials --revoke-others
            """)

    @Argument(help: "The user's name; oneself where it is not given.") package var user: String?
    @Option(help: "Days that the certificate is good for, 1 to 365.") package var days: Int = 365
    @Flag(help: "Take none of the user's older certificates any more.")
    package var revokeOthers = false
    @Option(help: "The folder to make.", completion: .directory) package var to: String
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func request() throws(Failure) -> APIRequest {
        let whose = try user.map { user throws(Failure) in try UserCommand.path(user) } ?? "/whoami"
        return .post(
            whose + "/certificates",
            .object(["days": .integer(Int64(days)), "revoke_others": .bool(revokeOthers)]))
    }

    package func run() async throws {
        try await Credentials.issue(try request(), to: to, common)
    }
}

/// A change of one user.
private func change(
    _ user: String, _ body: JSONValue, _ common: CommonOptions
) async throws {
    let path = try UserCommand.path(user)
    try await common.show({ try await $0.change(path, body) }, as: UserView.self, UserShow.text)
}

package struct UserSet: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Gives a user another role, from the next request on.",
        discussion: "Example:\n  aegis user set olga --role auditor")

    @Argument(help: "The user's name.") package var user: String
    @Option(help: "admin, operator, auditor or viewer.") package var role: String
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        try await change(user, .object(["role": .text(role)]), common)
    }
}

package struct UserDisable: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "disable", abstract: "Shuts a user out, from the next request on.",
        discussion: "Example:\n  aegis user disable olga")

    @Argument(help: "The user's name.") package var user: String
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        try await change(user, .object(["disabled": .bool(true)]), common)
    }
}

package struct UserEnable: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "enable", abstract: "Lets a disabled user in again.",
        discussion: "Example:\n  aegis user enable olga")

    @Argument(help: "The user's name.") package var user: String
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        try await change(user, .object(["disabled": .bool(false)]), common)
    }
}

package struct UserRevoke: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Revokes one certificate of a user.",
        discussion: "Example:\n  aegis user revoke olga sha256:6a5e…")

    @Argument(help: "The user's name.") package var user: String
    @Argument(help: "The certificate's fingerprint, as `user show` has it.")
    package var fingerprint: String
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        let path = try UserCommand.path(user)
        let certificate = try PathSegment.of(fingerprint, "certificate")
        try await common.withClient { client in
            _ = try await client.send(.delete(path + "/certificates/" + certificate))
        }
        if common.output == .text { Console.write("certificate \(fingerprint) is revoked\n") }
    }
}

package struct RoleList: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "roles", abstract: "Shows what each role may do.",
        discussion: "Example:\n  aegis user roles")

    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        try await common.show({ try await $0.send(.get("/roles")) }, as: Items<RoleView>.self) {
            Self.text($0.items)
        }
    }

    package static func text(_ roles: [RoleView]) -> String {
        var permissions: [String] = []
        for permission in roles.flatMap(\.permissions) where !permissions.contains(permission) {
            permissions.append(permission)
        }
        return Table(
            [.init("PERMISSION")] + roles.map { .init($0.role.uppercased()) },
            rows: permissions.map { permission in
                [permission] + roles.map { $0.permissions.contains(permission) ? "yes" : "-" }
            }
        ).text(width: Console.columns)
    }
}

package struct WhoAmI: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "whoami", abstract: "Shows who the context is, in which role, until when.",
        discussion: "Example:\n  aegis whoami")

    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        try await common.show(
            { try await $0.send(.get("/whoami")) }, as: PrincipalView.self
        ) { me in
            "\(me.name)  \(me.role)\ncertificate \(me.fingerprint)\n"
                + "good until \(Output.time(me.expiresAt))\n"
        }
    }
}
