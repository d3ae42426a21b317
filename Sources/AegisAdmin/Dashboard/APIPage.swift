import AegisAPI

/// The API as a page to read, from the table that the server decides by.
enum APIPage {
    static let handler: Route.Handler = { _, call in
        let routes = RouteTable.admin.routes.filter { !$0.traits.contains(.page) }
        var tags: [String] = []
        for route in routes where !tags.contains(route.tag) { tags.append(route.tag) }
        let index = tags.map { tag -> HTML in
            "<a href=\"#\(anchor(tag))\">\(tag)</a>"
        }
        let groups = tags.map { tag -> HTML in
            let items = routes.filter { $0.tag == tag }.map(operation)
            return """
                <section class="panel api" id="\(anchor(tag))"><div class="panel-head"><h2>\
                \(tag)</h2></div>\(HTML.all(items))</section>
                """
        }
        return Shell(section: .api, principal: call.principal).reply(
            "API",
            Parts.head(
                "API",
                lead: "TLS 1.3 with a client certificate. Every answer has "
                    + "<code>x-request-id</code>; failures are problem documents (RFC 9457).",
                actions: "<a class=\"button\" href=\"/openapi.json\">OpenAPI 3.1</a>")
                + "<nav class=\"tabs\" aria-label=\"Resources\">\(HTML.all(index))</nav>"
                + HTML.all(groups))
    }

    private static func anchor(_ tag: String) -> String {
        tag.split(separator: " ").joined(separator: "-")
    }

    private static func operation(_ route: Route) -> HTML {
        let roles = OpenAPIDocument.roles(route).joined(separator: ", ")
        let parameters: [HTML] = route.query.map { parameter in
            "<dt><code>\(parameter.name)</code></dt><dd>\(parameter.schema.expectation). "
                + "\(parameter.summary)</dd>"
        }
        let problems = OpenAPIDocument.problems(of: route).map { kind in
            "<code title=\"\(kind.title)\">\(kind.rawValue)</code>" as HTML
        }
        let list: HTML =
            parameters.isEmpty
            ? "" : "<h4>Query</h4><dl class=\"facts\">\(HTML.all(parameters))</dl>"
        let body: HTML? = route.body.map { body in
            "<h4>Body</h4><pre>\(json(body.example))</pre>\(fields(body.schema))"
        }
        return """
            <details id="\(route.operationID)"><summary><span class="method \
            \(route.method.rawValue.lowercased())">\(route.method.rawValue)</span> \
            <code>\(route.path)</code><span class="says">\(route.summary)</span></summary>\
            <p>\(route.details)</p><p class="muted">For \(roles) · answers \(route.answer.status) \
            \(route.answer.type): \(route.answer.summary)</p>\
            \(list)\
            \(body)<h4>curl</h4><pre>\(curl(route))</pre><h4>Problems</h4>\
            <p class="kinds">\(HTML.all(problems))</p></details>
            """
    }

    private static func fields(_ schema: Schema) -> HTML {
        switch schema {
        case .object(let fields) where !fields.isEmpty:
            let items: [HTML] = fields.map { field in
                let need = field.isRequired ? "" : ", optional"
                return "<dt><code>\(field.name)</code></dt><dd>\(field.schema.expectation)\(need). "
                    + "\(field.summary)</dd>"
            }
            return "<dl class=\"facts\">\(HTML.all(items))</dl>"
        case .either(let schemas): return .all(schemas.map(fields))
        default: return ""
        }
    }

    private static func json(_ value: JSONValue) -> String {
        (try? AegisAPI.encode(value, pretty: true)).map { String(decoding: $0, as: UTF8.self) }
            ?? ""
    }

    private static func curl(_ route: Route) -> String {
        var text = "curl --cacert ca.pem --cert admin.pem --key admin-key.pem"
        if route.method != .get { text += " -X \(route.method.rawValue)" }
        if route.traits.contains(.matched) { text += " -H 'If-Match: \"…\"'" }
        if let body = route.body, body.isRequired {
            let compact =
                (try? AegisAPI.encodeDocument(body.example))
                .map { String(decoding: $0, as: UTF8.self) } ?? ""
            text += " \\\n  -H 'Content-Type: application/json' -d '\(compact)'"
        }
        return text + " \\\n  https://127.0.0.1:8443\(route.path)"
    }
}
