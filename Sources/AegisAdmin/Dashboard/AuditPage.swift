import AegisAPI

/// What was done, by whom, and how it ended.
enum AuditPage {
    static let handler: Route.Handler = { desks, call in
        var query = AuditQuery()
        query.actor = call.query["actor"].flatMap { $0.isEmpty ? nil : $0 }
        query.action = call.query["action"].flatMap { $0.isEmpty ? nil : $0 }
        query.outcome = call.query["outcome"].flatMap { $0.isEmpty ? nil : $0 }
        query.before = call.query["after"].flatMap { Int64($0) }
        query.limit = 51
        let found = try await desks.database.audit(query)
        let records = Array(found.prefix(50))
        let head = try await desks.database.witnessedHead()
        let actions: HTML = """
            <button class="button" type="button" data-verify>Verify the chain</button>\
            <a class="button" href="/api/v1/audit/export" download>Export</a>
            """
        return Shell(section: .audit, principal: call.principal).reply(
            "Audit",
            Parts.head(
                "Audit",
                lead: "\(Int(head.sequence)) records, each chained to the one before · head "
                    + "\(Parts.digest(head.digest)) · \(witnessed(head.witnessed))",
                actions: actions)
                + filter(call) + list(records)
                + more(found.count > 50 ? records.last?.sequence : nil, call))
    }

    private static func witnessed(_ witness: AuditWitnessView?) -> HTML {
        guard let witness else { return "not yet signed by the mesh" }
        return "signed by the mesh up to \(Int(witness.sequence)), at height \(witness.height)"
    }

    private static func filter(_ call: Call) -> HTML {
        func value(_ name: String) -> String { call.query[name] ?? "" }
        let outcomes = [("", "any")] + ["done", "refused", "failed", "replayed"].map { ($0, $0) }
        return """
            <form class="row panel" method="get" action="/audit">
            \(Parts.field("actor", "Who", Parts.input("actor", "value=\"\(value("actor"))\"")))
            \(Parts.field("action", "What", hint: "in method or path",
                "<input id=\"f-action\" name=\"action\" value=\"\(value("action"))\">"))
            \(Parts.field("outcome", "Outcome",
                Parts.select("outcome", Parts.options(outcomes, selected: value("outcome")))))
            <button class="button">Filter</button>
            </form>
            """
    }

    private static func list(_ records: [AuditView]) -> HTML {
        guard !records.isEmpty else {
            return Parts.empty("Nothing found", "No record has all of this.")
        }
        return Parts.table(
            [
                .init("No.", number: true), .init("Time"), .init("Who"), .init("What"),
                .init("Outcome"), .init("Request"),
            ], label: "Audit records",
            rows: records.map { record in
                let tone =
                    record.outcome == "done"
                    ? "good" : record.outcome.hasPrefix("refused") ? "warn" : "bad"
                return [
                    "\(Int(record.sequence))", Parts.time(record.time), "<b>\(record.actor)</b>",
                    "<code class=\"wrap\">\(record.action)</code>",
                    Parts.pill(record.outcome, tone), Parts.id(record.request, 16),
                ]
            })
    }

    private static func more(_ last: Int64?, _ call: Call) -> HTML {
        guard let last else { return "" }
        let rest = ["actor", "action", "outcome"].compactMap { name in
            call.query[name].map { "&\(name)=" + PercentEncoding.encode($0) }
        }.joined()
        return
            "<p class=\"more\"><a class=\"button\" href=\"/audit?after=\(Int(last))\(rest)\">"
            + "Older</a></p>"
    }
}
