package import AegisAPI
import AegisIdentity

/// The table of routes as OpenAPI 3.1.
package enum OpenAPIDocument {
    package static let bytes = (try? AegisAPI.encodeDocument(document)).map { Array($0) } ?? []

    package static let document: JSONValue = make(RouteTable.admin)

    static func make(_ table: RouteTable) -> JSONValue {
        let routes = table.routes.filter { !$0.traits.contains(.page) }
        var paths: [String: JSONValue] = [:]
        for (path, routes) in Dictionary(grouping: routes, by: \.path) {
            var item: [String: JSONValue] = [:]
            for route in routes { item[route.method.rawValue.lowercased()] = operation(route) }
            let names = routes[0].parameters
            if !names.isEmpty {
                item["parameters"] = .array(names.map(pathParameter))
            }
            paths[path] = .object(item)
        }
        var tags: [String] = []
        for route in routes where !tags.contains(route.tag) { tags.append(route.tag) }
        return .object([
            "openapi": "3.1.0",
            "info": .object([
                "title": "Aegis admin API", "version": "0.1.0",
                "description": .text(description),
                "license": .object(["name": "Apache 2.0", "identifier": "Apache-2.0"]),
            ]),
            "servers": .array([.object(["url": "/"])]),
            "tags": .array(tags.map { .object(["name": .text($0)]) }),
            "paths": .object(paths),
            "security": .array([.object(["clientCertificate": .array([])])]),
            "components": .object([
                "schemas": .object(Components.schemas.mapValues(\.json)),
                "securitySchemes": .object([
                    "clientCertificate": .object([
                        "type": "mutualTLS",
                        "description": "A certificate that this admin has issued.",
                    ])
                ]),
            ]),
        ])
    }

    private static let description = """
        TLS 1.3 with a client certificate. Failures are problem documents (RFC 9457) with a stable \
        `type`; every answer has `x-request-id`, by which log and audit know it. Lists are pages: \
        `next` is the `after` of the next one. Creations take an `Idempotency-Key`, which is \
        remembered for 24 hours; changes of what others may change too demand `If-Match`.
        """

    private static func pathParameter(_ name: String) -> JSONValue {
        .object([
            "name": .text(name), "in": "path", "required": .bool(true),
            "schema": .object(["type": "string"]), "example": .text(example(of: name)),
        ])
    }

    private static func example(of parameter: String) -> String {
        switch parameter {
        case "run": "readmission"
        case "participant": "north"
        case "dataset": "readmissions"
        case "user": "olga"
        case "fingerprint": AuditChain.start
        default: String(repeating: "0", count: 32)
        }
    }

    private static func operation(_ route: Route) -> JSONValue {
        var members: [String: JSONValue] = [
            "operationId": .text(route.operationID), "summary": .text(route.summary),
            "tags": .array([.text(route.tag)]), "description": .text(details(route)),
            "x-permission": .text(route.permission.rawValue),
            "x-roles": .array(roles(route).map { .text($0) }),
            "responses": .object(responses(route)),
        ]
        let parameters = parameters(route)
        if !parameters.isEmpty { members["parameters"] = .array(parameters) }
        if let body = route.body {
            members["requestBody"] = .object([
                "required": .bool(body.isRequired),
                "content": .object([
                    "application/json": .object([
                        "schema": body.schema.json, "example": body.example,
                    ])
                ]),
            ])
        }
        return .object(members)
    }

    static func roles(_ route: Route) -> [String] {
        AdminRole.allCases.filter(route.permission.roles.contains).map(\.rawValue)
    }

    private static func details(_ route: Route) -> String {
        let roles = "For " + roles(route).joined(separator: ", ") + "."
        return route.details.isEmpty ? roles : route.details + "\n\n" + roles
    }

    private static func parameters(_ route: Route) -> [JSONValue] {
        var list = route.query.map { parameter in
            JSONValue.object([
                "name": .text(parameter.name), "in": "query", "required": .bool(false),
                "description": .text(parameter.summary), "schema": parameter.schema.json,
            ])
        }
        func header(_ name: String, _ schema: JSONValue, required: Bool, _ summary: String) {
            list.append(
                .object([
                    "name": .text(name), "in": "header", "required": .bool(required),
                    "description": .text(summary), "schema": schema,
                ]))
        }
        if route.traits.contains(.idempotent) {
            header(
                "Idempotency-Key",
                .object(["type": "string", "pattern": "^[!-~]{1,128}$"]), required: false,
                "The same key and request again gives the same answer.")
        }
        if route.traits.contains(.matched) {
            header(
                "If-Match",
                .object(["type": "string", "pattern": .text(EntityTag.listPattern)]),
                required: true,
                "The ETag of the version that is changed.")
        }
        if route.traits.contains(.stream) {
            header(
                "Last-Event-ID", .object(["type": "string"]), required: false,
                "The last round that was received; anything else begins with the first.")
        }
        return list
    }

    private static func responses(_ route: Route) -> [String: JSONValue] {
        var responses: [String: JSONValue] = [
            "\(route.answer.status)": .object(answer(route))
        ]
        let kinds = Dictionary(grouping: problems(of: route), by: \.status)
        for (status, kinds) in kinds {
            let words = kinds.map { "`\($0.rawValue)`: \($0.title)" }
            responses["\(status)"] = .object([
                "description": .text(words.joined(separator: "; ")),
                "content": .object([
                    "application/problem+json": .object([
                        "schema": .object(["$ref": "#/components/schemas/Problem"])
                    ])
                ]),
            ])
        }
        if route.method == .get, route.answer.schema != nil {
            responses["304"] = .object(["description": "It has not changed."])
        }
        return responses
    }

    private static func answer(_ route: Route) -> [String: JSONValue] {
        var members: [String: JSONValue] = ["description": .text(route.answer.summary)]
        if let schema = route.answer.schema {
            var media: [String: JSONValue] = ["schema": schema.json]
            if let example = route.answer.example { media["example"] = example }
            members["content"] = .object([route.answer.type: .object(media)])
        } else if !route.answer.type.isEmpty {
            members["content"] = .object([
                // An event is no one string; its parts are told in the description.
                route.answer.type: .object([
                    "schema": .object(
                        route.traits.contains(.stream) ? [:] : ["type": "string"])
                ])
            ])
        }
        if route.answer.status == 201 {
            members["headers"] = .object([
                "Location": .object(["schema": .object(["type": "string"])])
            ])
        }
        return members
    }

    /// What can go wrong: by the route's own list, and by what every route of its kind has.
    package static func problems(of route: Route) -> [Problem.Kind] {
        var kinds: [Problem.Kind] = [.unauthenticated, .forbidden, .userDisabled, .invalidRequest]
        if route.method != .get {
            kinds += [.malformed, .unsupportedMediaType, .tooLarge, .tooSlow, .crossSite]
        }
        if route.isChange { kinds.append(.storageFull) }
        if route.traits.contains(.idempotent) { kinds += [.alreadyDone, .keyReused] }
        if route.traits.contains(.matched) { kinds.append(.changed) }
        if route.traits.contains(.paged) { kinds.append(.notFound) }
        if !route.traits.isDisjoint(with: [.sensitive, .costly]) { kinds.append(.rateLimited) }
        kinds.append(.internalError)
        return kinds + route.problems.filter { !kinds.contains($0) }
    }
}
