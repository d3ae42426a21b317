package import AegisAPI

/// One operation: the only place that says what it is called, who may call it, what it takes and
/// answers. The server, the RBAC tests, OpenAPI and the page at `/docs` all read this.
package struct Route: Sendable {
    package enum Method: String, Sendable, CaseIterable {
        case get = "GET"
        case post = "POST"
        case patch = "PATCH"
        case delete = "DELETE"
    }

    package struct Traits: OptionSet, Sendable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }

        /// Takes `limit` and `after`, answers `items` and `next`.
        package static let paged = Traits(rawValue: 1)
        /// Creates something: takes an `Idempotency-Key`.
        package static let idempotent = Traits(rawValue: 2)
        /// Changes what others may change too: demands `If-Match`.
        package static let matched = Traits(rawValue: 4)
        /// Issues secrets or walks the whole log: few calls a minute for each principal.
        package static let sensitive = Traits(rawValue: 8)
        /// Computes or searches: some calls a second for each principal.
        package static let costly = Traits(rawValue: 16)
        /// POST because of its body; changes nothing.
        package static let safe = Traits(rawValue: 32)
        /// The answer has a secret that is kept nowhere.
        package static let secret = Traits(rawValue: 64)
        /// A page for people: not part of the API's document.
        package static let page = Traits(rawValue: 128)
        /// The body is checked by its handler, field by field and against the mesh.
        package static let checksBody = Traits(rawValue: 256)
        /// Never ends by itself.
        package static let stream = Traits(rawValue: 512)
        /// The answer is the same for everybody until something changes: it is made once.
        package static let shared = Traits(rawValue: 1_024)
    }

    /// What one part of the query string may be.
    package struct Parameter: Sendable {
        package let name: String
        package let schema: Schema
        package let summary: String

        package init(_ name: String, _ schema: Schema, _ summary: String) {
            self.name = name
            self.schema = schema
            self.summary = summary
        }
    }

    package struct Body: Sendable {
        package let schema: Schema
        package let example: JSONValue
        package let isRequired: Bool

        package init(_ schema: Schema, example: JSONValue, required: Bool = true) {
            self.schema = schema
            self.example = example
            isRequired = required
        }
    }

    package struct Answer: Sendable {
        package let status: Int
        package let type: String
        package let schema: Schema?
        package let example: JSONValue?
        package let summary: String

        /// JSON.
        package init(
            _ status: Int, _ schema: Schema, example: JSONValue? = nil, _ summary: String
        ) {
            self.status = status
            type = "application/json"
            self.schema = schema
            self.example = example
            self.summary = summary
        }

        /// Another type, or nothing.
        package init(_ status: Int, type: String, _ summary: String) {
            self.status = status
            self.type = type
            schema = nil
            example = nil
            self.summary = summary
        }
    }

    package typealias Handler = @Sendable (Desks, Call) async throws -> Reply

    package let method: Method
    /// `/api/v1/runs/{run}`.
    package let path: String
    package let permission: Permission
    package let tag: String
    package let summary: String
    package let details: String
    package let traits: Traits
    package let query: [Parameter]
    package let body: Body?
    package let answer: Answer
    /// What can go wrong beyond what can with every route of its traits.
    package let problems: [Problem.Kind]
    let handler: Handler

    init(
        _ method: Method, _ path: String, _ permission: Permission, tag: String,
        _ summary: String, details: String = "", traits: Traits = [], query: [Parameter] = [],
        body: Body? = nil, answer: Answer, problems: [Problem.Kind] = [],
        handler: @escaping Handler
    ) {
        self.method = method
        self.path = path
        self.permission = permission
        self.tag = tag
        self.summary = summary
        self.details = details
        self.traits = traits
        self.query = traits.contains(.paged) ? query + Self.paging : query
        self.body = body
        self.answer = answer
        self.problems = problems
        self.handler = handler
    }

    private static let paging = [
        Parameter("limit", .integer(1...500), "How many at most; 100 if absent."),
        Parameter("after", .text(length: 1...128), "`next` of the page before."),
    ]

    /// Whether a call of it is written to the audit log also when it succeeds.
    package var isChange: Bool { method != .get && !traits.contains(.safe) }

    /// Names in braces.
    package var parameters: [String] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }
            .map { String($0.dropFirst().dropLast()) }
    }

    /// `listRuns`, `getRunRounds`: unique, from method and path.
    package var operationID: String {
        let words = path.split { "/{}-.".contains($0) }.filter { $0 != "api" && $0 != "v1" }
        return method.rawValue.lowercased()
            + words.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }
}

/// Finds the route of a request.
package struct RouteTable: Sendable {
    package let routes: [Route]
    private let byCount: [Int: [(segments: [Substring], route: Route)]]

    package init(_ routes: [Route]) {
        self.routes = routes
        byCount = Dictionary(
            grouping: routes.map { ($0.path.split(separator: "/"), $0) }, by: { $0.0.count }
        ).mapValues { $0.map { (segments: $0.0, route: $0.1) } }
    }

    package enum Match: Sendable {
        case route(Route, [String: String])
        case otherMethods([Route.Method])
        case nothing
    }

    /// A literal segment wins over a parameter. `path` is as it was sent.
    package func match(_ method: String, _ path: String) -> Match {
        let segments = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        // The root is one empty segment.
        let parts = segments.count == 1 && segments.first?.isEmpty == true ? [] : Array(segments)
        let candidates = (byCount[parts.count] ?? [])
            .compactMap { candidate in
                Self.parameters(candidate.segments, parts).map { (candidate.route, $0) }
            }
        guard let fewest = candidates.map(\.1.count).min() else { return .nothing }
        let best = candidates.filter { $0.1.count == fewest }
        if let (route, parameters) = best.first(where: { $0.0.method.rawValue == method }) {
            return .route(route, parameters)
        }
        return .otherMethods(best.map(\.0.method))
    }

    private static func parameters(
        _ pattern: [Substring], _ parts: [Substring]
    ) -> [String: String]? {
        var parameters: [String: String] = [:]
        for (piece, part) in zip(pattern, parts) {
            if piece.first == "{" {
                guard let value = PercentEncoding.decode(part), !value.isEmpty,
                    !value.unicodeScalars.contains(where: {
                        $0.properties.generalCategory == .control
                    })
                else { return nil }
                parameters[String(piece.dropFirst().dropLast())] = value
            } else if piece != part {
                return nil
            }
        }
        return parameters
    }
}
