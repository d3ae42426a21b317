import AegisAPI
import AegisIdentity

/// Who may use the admin, and with which certificates.
enum UsersPage {
    static let handler: Route.Handler = { desks, call in
        let users = try await desks.users.list().map(\.view)
        let manages = call.principal.has(.manageUsers)
        return Shell(section: .users, principal: call.principal, refresh: 5).reply(
            "Users",
            Parts.head(
                "Users",
                lead: "A change of role and a disabling take effect at the next request.")
                + Parts.panel(
                    "Users", id: "users",
                    Parts.table(
                        [
                            .init("User"), .init("Role"), .init("Certificate"), .init("State"),
                            .init(""),
                        ], label: "Users",
                        rows: users.map {
                            row($0, manages: manages && $0.name != call.principal.name)
                        }))
                + (manages ? create : "") + roles)
    }

    private static func row(_ user: UserView, manages: Bool) -> [HTML] {
        let good = user.certificates.filter { !$0.revoked }
        let newest = good.max { $0.expiresAt < $1.expiresAt }
        return [
            "<span class=\"name\"><b>\(user.name)</b><small>by \(user.createdBy), "
                + "\(Parts.time(user.createdAt))</small></span>",
            manages ? roleForm(user) : "\(user.role)",
            newest.map { newest in
                "<span class=\"name\">\(Parts.digest(newest.fingerprint))<small>until "
                    + "\(Parts.time(newest.expiresAt))</small></span>"
            } ?? "none that is taken",
            user.disabled ? Parts.pill("disabled", "bad") : Parts.pill("enabled", "good"),
            manages ? toggle(user) : "",
        ]
    }

    private static func roleForm(_ user: UserView) -> HTML {
        """
        <form data-api="PATCH /api/v1/users/\(user.name)" data-match data-done="reload" \
        data-on-change><select name="role" aria-label="Role of \(user.name)">\
        \(roleOptions(selected: user.role))\
        </select></form>
        """
    }

    private static func roleOptions(selected: String) -> HTML {
        Parts.options(AdminRole.allCases.map { ($0.rawValue, $0.rawValue) }, selected: selected)
    }

    private static func toggle(_ user: UserView) -> HTML {
        let word = user.disabled ? "Enable" : "Disable"
        return """
            <form data-api="PATCH /api/v1/users/\(user.name)" data-match data-done="reload" \
            data-confirm="\(word) \(user.name)?"><input type="hidden" name="disabled" \
            value="\(user.disabled ? "false" : "true")" data-flag>\
            <button class="button small">\(word)</button></form>
            """
    }

    private static let create: HTML = Parts.panel(
        "New user", note: "The private key is made here and kept nowhere",
        """
        <form class="row" data-api="POST /api/v1/users" data-idempotent data-show="user">
        \(Parts.field("name", "Name",
            Parts.nameInput()))
        \(Parts.field("role", "Role",
            Parts.select("role", roleOptions(selected: "viewer"))))
        <button class="button primary">Create</button>
        </form>
        <template data-secret="user"><div class="secret"><h3><span data-is="user"></span>, \
        shown once</h3><p>Import the file into the browser with this passphrase, and delete it:</p>\
        <pre data-is="passphrase"></pre><button class="button" type="button" data-copy>\
        Copy</button> \
        <a class="button primary" data-download="pkcs12" data-file="user">Download .p12</a>\
        </div></template>
        """)

    private static let roles: HTML = Parts.panel(
        "What each role may do", note: "The table that the server decides by",
        Parts.table(
            [.init("Permission")] + AdminRole.allCases.map { .init($0.rawValue) },
            label: "Permissions of the roles",
            rows: Permission.allCases.map { permission in
                ["<code>\(permission.rawValue)</code>"]
                    + AdminRole.allCases.map {
                        permission.roles.contains($0)
                            ? "<span class=\"yes\" aria-label=\"yes\">●</span>"
                            : "<span class=\"no\" aria-label=\"no\">·</span>"
                    }
            }))
}
