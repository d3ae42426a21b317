import AegisAPI

/// The pages for people, and what they load.
enum PageRoutes {
    static let all: [Route] = [
        page("/", .readMesh, "The mesh at a glance", handler: OverviewPage.handler),
        page(
            "/runs", .readRuns, "The runs",
            query: [
                .init("state", .choice(RunView.State.allCases.map(\.rawValue)), "State."),
                .init("after", .text(length: 1...128), "The page before."),
            ], handler: RunList.handler),
        page("/runs/new", .submitRun, "The form for a run", handler: NewRunPage.handler),
        page("/runs/{run}", .readRuns, "One run, live", handler: RunPage.handler),
        page(
            "/participants", .readParticipants, "Nodes and tokens",
            handler: ParticipantsPage.handler),
        page("/datasets", .readDatasets, "Data sets and budgets", handler: DatasetsPage.handler),
        page("/users", .readUsers, "Users and roles", handler: UsersPage.handler),
        page(
            "/audit", .readAudit, "The audit log",
            query: [
                .init("actor", .text(length: 0...64), "Who."),
                .init("action", .text(length: 0...100), "What."),
                .init("outcome", .text(length: 0...20), "How it ended."),
                .init("after", .integer(1...Int.max), "The page before."),
            ], handler: AuditPage.handler),
        page("/docs", .readStatus, "The API", handler: APIPage.handler),
        asset("app.css", "text/css; charset=utf-8", PackageResources.app_css),
        asset("app.js", "text/javascript; charset=utf-8", PackageResources.app_js),
        asset("charts.js", "text/javascript; charset=utf-8", PackageResources.charts_js),
        asset("forms.js", "text/javascript; charset=utf-8", PackageResources.forms_js),
        asset("icon.svg", "image/svg+xml", PackageResources.icon_svg),
    ]

    private static func page(
        _ path: String, _ permission: Permission, _ summary: String,
        query: [Route.Parameter] = [], handler: @escaping Route.Handler
    ) -> Route {
        Route(
            .get, path, permission, tag: "pages", summary, traits: .page, query: query,
            answer: .init(200, type: "text/html", summary), handler: handler)
    }

    private static func asset(_ name: String, _ type: String, _ bytes: [UInt8]) -> Route {
        let reply = Reply.bytes(bytes, type: type)
        return Route(
            .get, "/assets/" + name, .readStatus, tag: "pages", name, traits: .page,
            answer: .init(200, type: type, name), handler: { _, _ in reply })
    }
}
