import AegisAPI

/// Who takes part, and how others get in.
enum ParticipantsPage {
    static let handler: Route.Handler = { desks, call in
        let mesh = try await desks.meshView()
        let nodes = try await desks.participantViews()
        let tokens = try await desks.tokenViews(now: call.now)
        let principal = call.principal
        let open = mesh.state == .open
        return Shell(section: .participants, principal: principal, refresh: 3).reply(
            "Participants",
            Parts.head(
                "Participants",
                lead: open
                    ? "The founding is open: whoever has a token can join."
                    : "The roster is committed; its members vouch for each other.")
                + Parts.panel(
                    "Nodes", id: "nodes",
                    NodeTable.html(
                        nodes, mesh: mesh, acts: principal.has(.manageMembers)))
                + (open ? "" : motions(mesh.motions))
                + (mesh.state != .signing && principal.has(.manageTokens)
                    ? create(isFounded: !open) : "")
                + Parts.panel(
                    "Join tokens", id: "tokens", note: "Only their public keys are kept here",
                    list(tokens, principal)))
    }

    private static func motions(_ motions: [MotionView]) -> HTML {
        let rows = motions.map { motion -> [HTML] in
            [
                "\(motion.motion)", "\(motion.words.joined(separator: ", "))",
                "\(motion.words.count) of \(motion.quorum)", "<code>\(motion.id)</code>",
            ]
        }
        return Parts.panel(
            "Motions", id: "motions",
            note: "What owners decide by their nodes' words, without the admin",
            rows.isEmpty
                ? "<p class=\"muted\">None is open: <code>aegis-node motion --help</code></p>"
                : Parts.table(
                    [.init("Motion"), .init("For it"), .init("Words", number: true), .init("Id")],
                    label: "Motions", rows: rows))
    }

    /// Who joins a founded mesh does so through a member, and is promoted when it is ready.
    private static func create(isFounded: Bool) -> HTML {
        let through: HTML =
            isFounded
            ? "--peer <span data-is=\"peers\"></span>" : "--admin <span data-is=\"admin\"></span>"
        let kinds =
            [("participant", "take part")]
            + (isFounded
                ? [("observer", "watch only"), ("replacement", "replace a lost key")] : [])
        return Parts.panel(
            "Make a token",
            """
            <form class="row" data-api="POST /api/v1/join-tokens" data-idempotent data-show="token">
            \(Parts.field("name", "Member", hint: "its name; empty if several",
            "<input id=\"f-name\" name=\"name\" maxlength=\"64\" autocomplete=\"off\">"))
            \(Parts.field("kind", "To", Parts.select("kind", Parts.options(kinds))))
            \(Parts.field("uses", "For so many nodes",
            "<input id=\"f-uses\" name=\"uses\" type=\"number\" min=\"1\" max=\"32\" "
                + "value=\"1\" data-number>"))
            \(Parts.field("expires_seconds", "Can be used for",
            Parts.select("expires_seconds", Parts.options([
                ("3600", "an hour"), ("14400", "four hours"), ("86400", "a day"),
            ]), "data-number")))
            \(Parts.field("purpose", "Purpose", hint: "for people; may be empty",
            "<input id=\"f-purpose\" name=\"purpose\" maxlength=\"200\">"))
            <button class="button primary">Make token</button>
            </form>
            <template data-secret="token"><div class="secret"><h3>For \
            <span data-is="name"></span>, shown once</h3><pre data-is="token"></pre>\
            <button class="button" type="button" data-copy>Copy\
            </button><p>On its machine (without a name, give one: <code>--name</code>):</p>\
            <pre>aegis-node join --token TOKEN \
            \(through) --dir <span data-is="name"></span> --listen HOST:PORT\
            </pre><p>To replace a lost key, <code>--admin</code> <span data-is="admin"></span> \
            <code>--replaces</code> <span data-is="name"></span> instead of \
            <code>--peer</code>.</p></div></template>
            """)
    }

    private static func list(_ tokens: [JoinTokenView], _ principal: Principal) -> HTML {
        guard !tokens.isEmpty else {
            return Parts.empty(
                "No token yet", "Each is for one node, or for several that name themselves.")
        }
        return Parts.table(
            [.init("For"), .init("State"), .init("Expires"), .init("Made"), .init("")],
            label: "Join tokens",
            rows: tokens.reversed().map { token in
                [
                    Self.name(of: token),
                    Parts.pill(
                        token.usesMax == 1
                            ? token.state.rawValue
                            : "\(token.state.rawValue) \(token.uses)/\(token.usesMax)",
                        token.state == .used
                            ? "good" : [.unused, .partlyUsed].contains(token.state) ? "live" : ""),
                    Parts.time(token.expiresAt),
                    "<span class=\"name\">\(Parts.time(token.createdAt))"
                        + "<small>\(token.createdBy)</small></span>",
                    [.unused, .partlyUsed].contains(token.state) && principal.has(.manageTokens)
                        ? revoke(token) : "",
                ]
            })
    }

    private static func name(of token: JoinTokenView) -> HTML {
        let purpose = token.purpose ?? ""
        let who = token.name.isEmpty ? "several" : token.name
        let kind = token.kind == .participant ? "" : token.kind.rawValue + " "
        return """
            <span class="name"><b>\(who)</b>\(Parts.id(token.id))\
            <small>\(kind)\(purpose)</small></span>
            """
    }

    private static func revoke(_ token: JoinTokenView) -> HTML {
        """
        <form data-api="DELETE /api/v1/join-tokens/\(token.id)" data-done="reload" \
        data-confirm="Revoke the token for \(token.name)?"><button class="button small">Revoke\
        </button></form>
        """
    }
}

/// The catalogue and what is left of its budgets.
enum DatasetsPage {
    static let handler: Route.Handler = { desks, call in
        let datasets = try await desks.datasets.list()
        let manages = call.principal.has(.manageDatasets)
        let body: HTML =
            datasets.isEmpty
            ? Parts.empty(
                "No data set yet",
                "Nodes declare theirs with <code>aegis-node dataset add</code>; register one here "
                    + "to describe it for everybody.")
            : .all(datasets.map { panel($0, manages: manages) })
        return Shell(section: .datasets, principal: call.principal, refresh: 5).reply(
            "Data sets",
            Parts.head(
                "Data sets",
                lead: "What they are called and what is spent. The rows stay with their owners.")
                + "<div id=\"datasets\" data-live>\(body)</div>" + (manages ? register : ""))
    }

    private static func panel(_ dataset: DatasetView, manages: Bool) -> HTML {
        let facts = [
            dataset.features.map { "\($0) features" }, dataset.classes.map { "\($0) classes" },
            dataset.registeredBy.map { "registered by \($0)" },
        ].compactMap(\.self).joined(separator: " · ")
        let holders = dataset.holders.map { holder -> HTML in
            let says =
                "ε \(Parts.number(holder.epsilon, 3)) of "
                + "\(Parts.number(holder.budgetEpsilon, 2))"
            return """
                <li><b>\(holder.participant)</b>\
                \(Parts.meter(holder.epsilon, of: holder.budgetEpsilon, says: says))</li>
                """
        }
        let retire: HTML =
            manages && dataset.state == .registered
            ? """
            <form data-api="PATCH /api/v1/datasets/\(dataset.name)" data-match data-done="reload" \
            data-confirm="Retire \(dataset.name)? No new run can use it."><input type="hidden" \
            name="retired" value="true" data-flag>\
            <button class="button small">Retire</button></form>
            """ : ""
        return """
            <section class="panel"><div class="panel-head"><h2>\(dataset.name)</h2>\
            \(Parts.pill(dataset.state.rawValue, dataset.state == .registered ? "good" : ""))\
            <span class="push">\(retire)</span></div>\
            <p class="muted">\(dataset.description ?? "")</p><p class="muted">\(facts)</p>\
            \(holders.isEmpty ? "<p class=\"muted\">No node reports it.</p>" as HTML
                : "<ul class=\"after\">\(HTML.all(holders))</ul>")</section>
            """
    }

    private static let register: HTML = Parts.panel(
        "Register a data set",
        """
        <form class="row" data-api="POST /api/v1/datasets" data-idempotent data-done="reload">
        \(Parts.field("name", "Name", hint: "as nodes and runs call it",
            Parts.nameInput()))
        \(Parts.field("description", "Description", hint: "what a record is",
            "<input id=\"f-description\" name=\"description\" maxlength=\"500\">"))
        <button class="button primary">Register</button>
        </form>
        """)
}
