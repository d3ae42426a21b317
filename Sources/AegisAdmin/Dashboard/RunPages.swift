import AegisAPI
import AegisProtocol
import AegisReport

/// Runs as a table.
enum RunList {
    static func table(_ runs: [RunView]) -> HTML {
        Parts.table(
            [
                .init("Run"), .init("State"), .init("Rounds", number: true),
                .init("Accuracy", number: true), .init("Loss", number: true),
                .init("ε", number: true), .init("Submitted"),
            ], label: "Runs",
            rows: runs.map { run in
                [
                    "<span class=\"name\"><a href=\"/runs/\(run.name)\"><b>\(run.name)</b></a>"
                        + "<small>\(run.dataset)</small></span>",
                    Parts.pill(run.state), "\(run.roundsCommitted)<small> / \(run.rounds)</small>",
                    "\(Parts.percent(run.accuracy))", "\(Parts.number(run.loss, 4))",
                    "\(Parts.number(run.epsilonMax, 2))",
                    "<span class=\"name\">\(Parts.time(run.submittedAt))"
                        + "<small>\(run.submittedBy)</small></span>",
                ]
            })
    }

    static let handler: Route.Handler = { desks, call in
        let state = call.query["state"]
        let runs = try await desks.runs.stored(state: state)
        let page = try await call.page(runs, key: { $0.specification.run.description }) {
            try await desks.runs.view(of: $0)
        }
        let tabs = [("", "All")] + RunView.State.allCases.map { ($0.rawValue, $0.rawValue) }
        let filter = tabs.map { value, label -> HTML in
            let path = value.isEmpty ? "/runs" : "/runs?state=" + value
            return value == state ?? ""
                ? "<a href=\"\(path)\" aria-current=\"true\">\(label)</a>"
                : "<a href=\"\(path)\">\(label)</a>"
        }
        let body: HTML =
            page.items.isEmpty
            ? Parts.empty(
                state == nil ? "No run yet" : "No run is \(state ?? "")",
                "Runs appear here with how far they are and what they cost in privacy.")
            : table(page.items)
        let more: HTML =
            page.next.map {
                "<p class=\"more\"><a class=\"button\" href=\"/runs?after=\($0)"
                    + "\(state.map { "&state=" + $0 } ?? "")\">Older runs</a></p>"
            } ?? ""
        return Shell(section: .runs, principal: call.principal, refresh: 3).reply(
            "Runs",
            Parts.head(
                "Runs",
                actions: call.principal.has(.submitRun)
                    ? "<a class=\"button primary\" href=\"/runs/new\">New run</a>" : "")
                + "<nav class=\"tabs\" aria-label=\"State\">\(HTML.all(filter))</nav>"
                + "<div id=\"runs\" data-live>\(body)</div>\(more)")
    }
}

/// One run while it happens and afterwards.
enum RunPage {
    static let handler: Route.Handler = { desks, call in
        let run = try await desks.runs.view(call.parameter("run"))
        let rounds = try await desks.runs.newestRounds(run.id, limit: RunDesk.newestRounds)
        let firstAccuracy = try await desks.runs.firstAccuracy(run.id)
        let progress = try await desks.runs.progress(of: run)
        let mesh = try await desks.meshView()
        let shell = Shell(section: .runs, principal: call.principal)
        return shell.reply(
            run.name,
            Parts.head(
                run.name,
                lead: "\(Parts.pill(run.state).live("state")) on <b>\(run.dataset)</b> · "
                    + "\(Parts.id(run.id)) · by \(run.submittedBy), \(Parts.time(run.submittedAt))",
                actions: "<div class=\"actions\" id=\"actions\" data-live>"
                    + "\(actions(run, call.principal))</div>")
                + reason(run)
                + Parts.vitals(vitals(run, rounds, firstAccuracy: firstAccuracy))
                + now(run, progress, sees: call.principal.has(.readParticipants))
                + charts(run)
                + Parts.panel(
                    "Rounds", id: "rounds",
                    note: rounds.isEmpty
                        ? nil
                        : "Filled: the rule used the update. Square: it left it out. "
                            + "Hollow: none took part."
                            + (rounds.count < run.roundsCommitted
                                ? " The last \(rounds.count); the evidence has all." : ""),
                    table(run, rounds, participants: progress.nodes.map(\.name)))
                + leftOut(run)
                + specification(run, mesh))
    }

    private static func actions(_ run: RunView, _ principal: Principal) -> HTML {
        var parts: [HTML] = []
        let path = "/api/v1/runs/" + run.id
        if run.state == .draft, principal.has(.submitRun) {
            parts.append(
                "<form data-api=\"DELETE \(path)\" data-done=\"/runs\" "
                    + "data-confirm=\"Discard the draft \(run.name)?\">"
                    + "<button class=\"button\">Discard</button></form>")
            parts.append(
                "<form data-api=\"POST \(path)/start\" data-done=\"reload\">"
                    + "<button class=\"button primary\">Start</button></form>")
        }
        if [.running, .submitted].contains(run.state), principal.has(.stopRun) {
            parts.append(
                "<form data-api=\"POST \(path)/stop\" data-done=\"reload\" data-ask=\"reason\" "
                    + "data-confirm=\"Stop \(run.name) after its current round? "
                    + "The reason is committed with the stop.\">"
                    + "<button class=\"button danger\">Stop</button></form>")
        }
        if run.roundsCommitted > 0, principal.has(.readModel) {
            parts.append("<a class=\"button\" href=\"\(path)/model\" download>Model</a>")
        }
        if run.roundsCommitted > 0, principal.has(.readEvidence) {
            parts.append("<a class=\"button\" href=\"\(path)/evidence\" download>Evidence</a>")
        }
        return .all(parts)
    }

    private static func reason(_ run: RunView) -> HTML {
        guard let reason = run.reason else { return "<div id=\"reason\" data-live></div>" }
        return "<div id=\"reason\" data-live><div class=\"banner warn\"><b>"
            + "\(run.state.rawValue)</b>: \(reason)</div></div>"
    }

    private static func vitals(
        _ run: RunView, _ rounds: [RoundView], firstAccuracy: Double?
    ) -> [Parts.Vital] {
        let seconds = rounds.suffix(10).compactMap(\.seconds)
        let mean = seconds.isEmpty ? nil : seconds.reduce(0, +) / Double(seconds.count)
        let gain = run.accuracy.flatMap { now in firstAccuracy.map { (now - $0) * 100 } }
        return [
            Parts.Vital(
                "Round", "\(run.roundsCommitted)<small> of \(run.rounds)</small>",
                note: Parts.meter(
                    Double(run.roundsCommitted), of: Double(run.rounds),
                    says: toGo(run.rounds - run.roundsCommitted), isBudget: false)),
            Parts.Vital(
                "Accuracy", "\(Parts.percent(run.accuracy))",
                note: gain.map { gain -> HTML in
                    "\(gain >= 0 ? "+" : "−")\(Parts.number(abs(gain), 1)) since round 1"
                } ?? "mean of the nodes"),
            Parts.Vital("Loss", "\(Parts.number(run.loss, 4))", note: "mean of the nodes"),
            Parts.Vital(
                "ε spent", "\(Parts.number(run.epsilonMax, 3))",
                note: run.delta.map { delta -> HTML in "most of any node, δ \(Parts.small(delta))" }
                    ?? "no privacy was asked for"),
            Parts.Vital(
                "Model", run.model == nil ? "–" : run.final == nil ? "committed" : "final",
                note: run.final.map { final -> HTML in
                    "\(final.signatures) of \(final.participants) co-signed, resists "
                        + "\(final.resists) traitors"
                } ?? (run.model == nil ? "no round yet" : "co-signatures are missing")),
            Parts.Vital(
                "Seconds a round", "\(Parts.number(mean, 2))", note: "slowest node, last ten"),
        ]
    }

    private static func toGo(_ rounds: Int) -> String {
        rounds == 0 ? "all committed" : "\(rounds) to go"
    }

    private static func now(_ run: RunView, _ progress: RunProgressView, sees: Bool) -> HTML {
        guard !run.state.isOver, run.state != .draft, sees else {
            return "<div id=\"now\" data-live></div>"
        }
        let nodes = progress.nodes.map { node -> HTML in
            let share = Decimal.shortest(node.progress ?? 0, placesMax: 3)
            let phase = node.reachable ? node.phase ?? node.state ?? "idle" : "silent"
            return """
                <li class="\(node.reachable ? "" : "off")"><b>\(node.name)</b>\
                <progress max="1" value="\(share)" aria-label="\(node.name)"></progress>\
                <small>\(phase)\(node.waitingFor.isEmpty ? "" : " · waits for "
                    + node.waitingFor.joined(separator: ", "))</small></li>
                """
        }
        return Parts.panel("Now", id: "now", "<ul class=\"now\">\(HTML.all(nodes))</ul>")
    }

    private static func charts(_ run: RunView) -> HTML {
        let charts = [
            ("accuracy", "Accuracy", "the nodes' mean, and each node"),
            ("loss", "Loss", "the nodes' mean, and each node"),
            ("epsilon", "Privacy spent", "ε of each node against its budget"),
            ("seconds", "Seconds a round", "the slowest node decides"),
        ]
        let figures = charts.map { key, title, note -> HTML in
            """
            <figure class="chart" data-chart="\(key)"><figcaption><b>\(title)</b> \
            <span>\(note)</span></figcaption><div class="plot">\
            <p class="waiting">Waits for the first round</p></div>\
            </figure>
            """
        }
        return
            "<section class=\"charts\" data-run=\"\(run.id)\" data-state=\"\(run.state.rawValue)\" "
            + "aria-label=\"Charts\">\(HTML.all(figures))</section>"
    }

    private static func table(
        _ run: RunView, _ rounds: [RoundView], participants: [String]
    ) -> HTML {
        guard !rounds.isEmpty else {
            return Parts.empty(
                run.state == .draft ? "Not started" : "No round is committed yet",
                run.state == .draft
                    ? "A draft costs no privacy. Start it when you are sure."
                    : "The first round ends when a quorum has voted for one model.")
        }
        return Parts.table(
            [
                .init("Round", number: true), .init("Took part"), .init("Coordinator"),
                .init("Accuracy", number: true), .init("Loss", number: true),
                .init("ε max", number: true), .init("Seconds", number: true),
                .init("Certificate"),
            ], label: "Committed rounds",
            rows: rounds.reversed().map { round in
                [
                    "\(round.round)", dots(round, participants),
                    coordinator(round),
                    "\(Parts.percent(round.accuracy))", "\(Parts.number(round.loss, 4))",
                    "\(Parts.number(round.epsilonMax, 3))", "\(Parts.number(round.seconds, 2))",
                    Parts.digest(round.certificate),
                ]
            }, scrolls: true)
    }

    private static func coordinator(_ round: RoundView) -> HTML {
        round.view > 0
            ? "\(round.coordinator)<small> view \(round.view)</small>" : "\(round.coordinator)"
    }

    private static func dots(_ round: RoundView, _ participants: [String]) -> HTML {
        let all = participants.isEmpty ? round.participants : participants
        let dropped = round.aggregation?.dropped ?? []
        let rule = round.aggregation?.rule ?? ""
        let dots = all.map { name -> HTML in
            if dropped.contains(name) {
                return "<i class=\"left\" title=\"\(name): left out by \(rule)\"></i>"
            }
            return round.participants.contains(name)
                ? "<i title=\"\(name) took part\"></i>"
                : "<i class=\"out\" title=\"\(name) did not take part\"></i>"
        }
        let left = dropped.isEmpty ? "" : ", left out: " + dropped.joined(separator: ", ")
        return "<span class=\"dots\" role=\"img\" aria-label=\"\(round.participants.count) of "
            + "\(all.count)\(left)\">\(HTML.all(dots))</span>"
            + "<small>\(round.participants.count)</small>"
    }

    /// Whose updates the rule keeps leaving out.
    private static func leftOut(_ run: RunView) -> HTML {
        let counts = run.dropped.filter { $0.dropped > 0 }
        guard !counts.isEmpty else { return "<div id=\"left-out\" data-live></div>" }
        let table = Parts.table(
            [.init("Participant"), .init("Left out", number: true), .init("Of", number: true)],
            label: "Left out by the rule",
            rows: counts.sorted { $0.dropped > $1.dropped }.map { count in
                ["\(count.peer)", "\(count.dropped)", "\(count.judged)"]
            })
        return "<div id=\"left-out\" data-live>"
            + Parts.panel(
                "Left out by the rule", note: "Rounds in which it gave an update.", table)
            + "</div>"
    }

    private static func specification(_ run: RunView, _ mesh: MeshView) -> HTML {
        let json =
            (try? AegisAPI.encode(run.specification, pretty: true))
            .map { String(decoding: $0, as: UTF8.self) } ?? ""
        var facts: [(String, String)] = [
            ("Data set", run.dataset), ("Rounds", "\(run.rounds)"),
            ("Noise multiplier σ", Parts.number(run.noiseMultiplier, 4)),
            ("δ", run.delta.map(Parts.small) ?? "–"), ("Id", run.id),
        ]
        if let model = run.model {
            facts.append(("Model", model))
            facts.append(("Stands", run.final?.words ?? FinalityView.committed))
        }
        let items = facts.map { "<dt>\($0)</dt><dd>\($1)</dd>" as HTML }
        return Parts.panel(
            "Specification",
            "<dl class=\"facts\">\(HTML.all(items))</dl><details><summary>As it was submitted"
                + "</summary><pre>\(json)</pre></details>")
    }
}

extension HTML {
    /// A piece that is replaced while its page is open.
    func live(_ id: String) -> HTML { "<span id=\"\(id)\" data-live>\(self)</span>" }
}
