import AegisAPI
import AegisReport

/// The mesh at one glance: is it healthy, what does it do, who is missing.
enum OverviewPage {
    static let handler: Route.Handler = { desks, call in
        let mesh = try await desks.meshView()
        let seesNodes = call.principal.has(.readParticipants)
        let nodes = seesNodes ? try await desks.participantViews() : []
        let active = try await desks.runs.active()
        var latest: [RunView] = []
        for run in try await desks.runs.stored().prefix(6) {
            latest.append(try await desks.runs.view(of: run))
        }
        let shell = Shell(section: .overview, principal: call.principal, refresh: 2)
        let title = mesh.name
        let lead: HTML = "Mesh \(Parts.id(mesh.mesh, 12)) · \(state(mesh))"
        if mesh.state != .founded {
            return shell.reply(
                title,
                Parts.head(title, lead: lead)
                    + FoundingPart.html(mesh, nodes, principal: call.principal))
        }
        return shell.reply(
            title,
            Parts.head(title, lead: lead, actions: actions(call.principal))
                + alarm(mesh)
                + Parts.vitals(vitals(mesh, nodes, active, seesNodes: seesNodes))
                + (seesNodes
                    ? Parts.panel("Nodes", id: "nodes", NodeTable.html(nodes, mesh: mesh)) : "")
                + Parts.panel(
                    "Latest runs", id: "latest",
                    latest.isEmpty
                        ? Parts.empty(
                            "No run yet",
                            "A run trains one model on every node's own data. "
                                + "Start with <a href=\"/runs/new\">a new run</a>.")
                        : RunList.table(latest))
                + (seesNodes ? refusals(nodes) : ""))
    }

    private static func state(_ mesh: MeshView) -> HTML {
        switch mesh.state {
        case .open: "open: participants are joining"
        case .signing: "being founded"
        case .founded:
            "founded, height \(mesh.height), "
                + (mesh.final.map { final -> HTML in
                    final.height < mesh.height
                        ? "final up to \(final.height)" : "\(final.words)"
                } ?? "nothing final yet")
        }
    }

    private static func actions(_ principal: Principal) -> HTML {
        principal.has(.submitRun)
            ? "<a class=\"button primary\" href=\"/runs/new\">New run</a>" : ""
    }

    private static func alarm(_ mesh: MeshView) -> HTML {
        guard let fork = mesh.fork else { return "" }
        return """
            <div class="banner bad" role="alert"><b>Fork.</b> \(fork). More nodes than the mesh \
            withstands have signed two values: stop the run and compare their evidence.</div>
            """
    }

    private static func vitals(
        _ mesh: MeshView, _ nodes: [ParticipantView], _ active: RunView?, seesNodes: Bool
    ) -> [Parts.Vital] {
        var vitals: [Parts.Vital] = []
        let up = nodes.filter(\.reachable).count
        let quorum = mesh.quorum ?? 0
        if seesNodes {
            let missing = nodes.filter { !$0.reachable }.map(\.name)
            vitals.append(
                Parts.Vital(
                    "Nodes up", "\(up)<small> of \(mesh.participants)</small>",
                    note: missing.isEmpty
                        ? "all answer" : "\(missing.joined(separator: ", ")) silent",
                    tone: up < quorum ? "bad" : up < mesh.participants ? "warn" : ""))
        }
        vitals.append(
            Parts.Vital(
                "Quorum", "\(quorum)<small> of \(mesh.participants)</small>",
                note: "\(mesh.participants - quorum) may be down, "
                    + "\(mesh.faultTolerance ?? 0) may lie"))
        if let active {
            vitals.append(
                Parts.Vital(
                    "Active run",
                    "<a href=\"/runs/\(active.name)\">\(active.name)</a>",
                    note: Parts.meter(
                        Double(active.roundsCommitted), of: Double(active.rounds),
                        says: "round \(active.roundsCommitted) of \(active.rounds)",
                        isBudget: false)))
        } else {
            vitals.append(Parts.Vital("Active run", "none", note: "the mesh is idle"))
        }
        let most = nodes.flatMap { node in
            (node.status?.privacy ?? []).map { (node.name, $0) }
        }.max { $0.1.epsilon / $0.1.budgetEpsilon < $1.1.epsilon / $1.1.budgetEpsilon }
        if let (name, data) = most {
            let share = data.epsilon / max(data.budgetEpsilon, .leastNonzeroMagnitude)
            vitals.append(
                Parts.Vital(
                    "Most spent budget", "\(Parts.number(share * 100, 0))<small> %</small>",
                    note: "ε \(Parts.number(data.epsilon, 2)) of "
                        + "\(Parts.number(data.budgetEpsilon, 2)) at \(name)",
                    tone: share >= 0.9 ? "bad" : share >= 0.7 ? "warn" : ""))
        }
        return vitals
    }

    private static func refusals(_ nodes: [ParticipantView]) -> HTML {
        let rows = nodes.flatMap { node in
            (node.status?.refusals ?? []).map { refusal -> [HTML] in
                ["\(node.name)", "\(refusal.peer)", "\(refusal.reason)", "\(refusal.count)"]
            }
        }
        guard !rows.isEmpty else { return "" }
        return Parts.panel(
            "Refusals", id: "refusals", note: "What nodes did not take from each other",
            Parts.table(
                [
                    .init("Node"), .init("Refused"), .init("Because"), .init("Times", number: true),
                ], label: "What nodes refused", rows: rows))
    }
}

/// The nodes with all that matters of them.
enum NodeTable {
    /// `acts`: with buttons that end what the admin has to do with a node.
    static func html(_ nodes: [ParticipantView], mesh: MeshView, acts: Bool = false) -> HTML {
        guard !nodes.isEmpty else {
            return Parts.empty("Nobody has joined", "Make a token for each participant.")
        }
        return Parts.table(
            [
                .init("Node"), .init("State"), .init("Works on"), .init("Height", number: true),
                .init("Memory", number: true), .init("Privacy budget"),
            ] + (acts ? [.init("")] : []), label: "Nodes",
            rows: nodes.map { row($0, height: mesh.height) + (acts ? [Self.acts($0)] : []) })
    }

    private static func row(_ node: ParticipantView, height: UInt64) -> [HTML] {
        let status = node.status
        let behind = status.map { height > $0.height ? height - $0.height : 0 } ?? 0
        let last = node.lastSeen.map { "last seen " + Parts.time($0) } ?? "not seen yet"
        return [
            "<span class=\"name\"><b>\(node.name)</b>\(Parts.id(node.node))</span>",
            node.standing.map { $0 != .participant } ?? false
                ? Parts.pill(node.standing?.rawValue ?? "", "warn")
                : node.reachable
                    ? Parts.pill(status?.state.rawValue ?? "up", tone(status?.state))
                    : Parts.pill("silent", "bad") + "<small>\(last)</small>",
            work(status?.run),
            behind > 1
                ? "\(status?.height ?? 0)<small class=\"warn-text\"> −\(behind)</small>"
                : "\(status.map { "\($0.height)" } ?? "–")",
            "\(Parts.number(status?.peakResidentMegabytes, 0))<small> MB</small>",
            budgets(status?.privacy ?? []),
        ]
    }

    private static func acts(_ node: ParticipantView) -> HTML {
        func act(_ verb: String, _ label: String, _ question: String, asks: Bool = true) -> HTML {
            """
            <form data-api="POST /api/v1/members/\(node.name)/\(verb)" data-done="reload" \
            data-confirm="\(question)"\(asks ? " data-ask=\"reason\"" as HTML : "")>\
            <button class="button small">\(label)</button></form>
            """
        }
        let first: HTML
        switch node.standing {
        case nil: return ""
        case .participant: first = act("suspend", "Suspend", "Let the vote of \(node.name) rest?")
        case .suspended:
            first = act("resume", "Resume", "Give \(node.name) its vote back?", asks: false)
        case .ready: first = act("promote", "Promote", "Give \(node.name) a vote?", asks: false)
        case .learner, .observer: first = ""
        }
        let evict = act(
            "evict", "Evict", "Take \(node.name) out of the mesh, for good? It can never come back."
        )
        return "<span class=\"row-acts\">\(first)\(evict)</span>"
    }

    private static func tone(_ state: NodeStatus.State?) -> String {
        switch state {
        case .training, .agreeing: "live"
        case .syncing: "warn"
        case .stopped: "bad"
        case .idle, nil: "good"
        }
    }

    private static func work(_ run: NodeStatus.RunProgress?) -> HTML {
        guard let run else { return "<span class=\"muted\">–</span>" }
        let waits =
            run.waitingFor.isEmpty
            ? "" : "waits for " + run.waitingFor.joined(separator: ", ")
        return """
            <span class="work">\(run.name), round \(run.round) · \(run.phase)\
            \(run.progress > 0 && run.progress < 1 ? bar(run.progress) : "")\
            <small>\(waits)</small></span>
            """
    }

    private static func bar(_ progress: Double) -> HTML {
        let share = Decimal.shortest(progress, placesMax: 3)
        return "<progress max=\"1\" value=\"\(share)\" aria-label=\"training\"></progress>"
    }

    static func budgets(_ privacy: [NodeStatus.DatasetPrivacy]) -> HTML {
        guard !privacy.isEmpty else { return "<span class=\"muted\">none declared</span>" }
        return .all(
            privacy.map { data in
                Parts.meter(
                    data.epsilon, of: data.budgetEpsilon,
                    says: "\(data.dataset): ε \(Parts.number(data.epsilon, 2)) of "
                        + Parts.number(data.budgetEpsilon, 2))
            })
    }
}

/// What there is to do before a mesh can work.
enum FoundingPart {
    static func html(
        _ mesh: MeshView, _ nodes: [ParticipantView], principal: Principal
    ) -> HTML {
        let joined = mesh.participants
        let signing = mesh.state == .signing
        let names: HTML =
            nodes.isEmpty
            ? "" : "<p class=\"names\">\(nodes.map(\.name).joined(separator: " · "))</p>"
        let waiting: HTML =
            signing ? " Waiting for \(mesh.waitingFor.joined(separator: ", "))." : ""
        let found: HTML =
            principal.has(.foundMesh)
            ? """
            <form data-api="POST /api/v1/mesh/found" data-done="reload" \
            data-confirm="Close the founding with \(joined) participants? Nobody can join after \
            it.">\
            <button class="button primary"\(joined == 0 ? " disabled" as HTML : "")>\
            \(signing ? "Ask again" as HTML : "Close the founding")</button></form>
            """ : ""
        return """
            <ol class="steps" id="steps" data-live>
            <li class="\(joined > 0 ? "done" : "now")"><h3>Invite</h3><p>Make a single-use token \
            for each organisation and send it over a channel you trust.</p>\
            <a class="button" href="/participants">Join tokens</a></li>
            <li class="\(signing ? "done" : joined > 0 ? "now" : "")"><h3>Join</h3>\
            <p>\(joined == 0 ? "Nobody has joined yet." as HTML : "\(joined) joined.") Each runs \
            <code>aegis-node join</code>; its key never leaves its machine.</p>\(names)</li>
            <li class="\(signing ? "now" : "")"><h3>Found</h3><p>Everyone who joined signs the \
            first roster. From then on it is the mesh's trust root.\
            \(waiting)</p>\
            \(found)</li>
            </ol>
            """
    }
}
