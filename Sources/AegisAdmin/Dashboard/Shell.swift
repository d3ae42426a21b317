import AegisIdentity
import HTTPTypes

/// The frame around every page.
struct Shell {
    enum Section: String, CaseIterable {
        case overview = "Overview"
        case runs = "Runs"
        case participants = "Participants"
        case datasets = "Data sets"
        case users = "Users"
        case audit = "Audit"
        case api = "API"

        var path: String {
            switch self {
            case .overview: "/"
            case .runs: "/runs"
            case .participants: "/participants"
            case .datasets: "/datasets"
            case .users: "/users"
            case .audit: "/audit"
            case .api: "/docs"
            }
        }

        var permission: Permission {
            switch self {
            case .overview: .readMesh
            case .runs: .readRuns
            case .participants: .readParticipants
            case .datasets: .readDatasets
            case .users: .readUsers
            case .audit: .readAudit
            case .api: .readStatus
            }
        }
    }

    let section: Section?
    let principal: Principal?
    /// Seconds between looks whether something changed; nil for pages that stand still.
    var refresh: Int?

    func reply(_ title: String, status: Int = 200, _ body: HTML) -> Reply {
        var reply = Reply(
            status: status, headers: [.contentType: "text/html; charset=utf-8"],
            content: .bytes(Array(page(title, body).text.utf8)))
        if status == 200, case .bytes(let bytes) = reply.content {
            reply.headers[.eTag] = EntityTag.of(bytes)
        }
        return reply
    }

    private func page(_ title: String, _ body: HTML) -> HTML {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>\(title) · Aegis</title>
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
        <link rel="stylesheet" href="/assets/app.css">
        <script src="/assets/app.js" defer></script>
        <script src="/assets/charts.js" defer></script>
        <script src="/assets/forms.js" defer></script>
        </head>
        <body\(refresh.map { " data-refresh=\"\($0)\"" as HTML })>
        <a class="skip" href="#main">Skip to content</a>
        <header class="side">
        <a class="brand" href="/">\(Self.mark)<span>Aegis</span></a>
        <nav aria-label="Main">\(navigation)</nav>
        \(who)
        </header>
        <main id="main" tabindex="-1">
        <noscript><p class="banner warn">Live charts and forms need JavaScript; all figures \
        on this page are complete without it.</p></noscript>
        <div id="alerts" role="status" aria-live="polite"></div>
        \(body)
        </main>
        </body>
        </html>

        """
    }

    private var navigation: HTML {
        let sections = Section.allCases.filter { principal?.has($0.permission) ?? false }
        return .all(
            sections.map { item in
                item == section
                    ? "<a href=\"\(item.path)\" aria-current=\"page\">\(item.rawValue)</a>"
                    : "<a href=\"\(item.path)\">\(item.rawValue)</a>"
            })
    }

    private var who: HTML {
        guard let principal else { return "" }
        return """
            <div class="who"><div><b>\(principal.name)</b><span>\(principal.role.rawValue)</span>\
            </div><button class="quiet" type="button" data-theme-toggle \
            aria-label="Switch between light and dark" title="Light or dark">\(Self.theme)\
            </button></div>
            """
    }

    static let mark: HTML = """
        <svg viewBox="0 0 24 24" width="24" height="24" aria-hidden="true"><path \
        d="M12 2 4 5v6.5c0 4.7 3.3 8.6 8 10.5 4.7-1.9 8-5.8 8-10.5V5z" fill="currentColor" \
        opacity=".16"/><path d="M12 2 4 5v6.5c0 4.7 3.3 8.6 8 10.5 4.7-1.9 8-5.8 8-10.5V5z" \
        fill="none" stroke="currentColor" stroke-width="1.6" stroke-linejoin="round"/>\
        <circle cx="12" cy="8.2" r="1.5" fill="currentColor"/><circle cx="8.6" cy="13.6" r="1.5" \
        fill="currentColor"/><circle cx="15.4" cy="13.6" r="1.5" fill="currentColor"/>\
        <path d="M12 8.2 8.6 13.6h6.8z" fill="none" stroke="currentColor" \
        stroke-width="1.1"/></svg>
        """

    private static let theme: HTML = """
        <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><circle cx="8" cy="8" \
        r="6.2" fill="none" stroke="currentColor" stroke-width="1.4"/><path d="M8 1.8a6.2 6.2 0 0 \
        1 0 12.4z" fill="currentColor"/></svg>
        """
}
