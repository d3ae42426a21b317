import AegisAPI
import AegisCore
import AegisCrypto
import AegisIdentity
import AegisTelemetry
import FoundationEssentials
import GRDB
import HTTPTypes
package import Hummingbird
package import Logging
import NIOCore
import NIOSSL

/// The one way in. In this order: who asks, what for, may they, from where, how often, is it well
/// formed, was it done before; then the route's handler; then the record of it.
package struct AdminResponder: HTTPResponder {
    package typealias Context = AdminContext

    private let table: RouteTable
    private let desks: Desks
    private let limiter: RateLimiter
    private let logger: Logger

    package static let bodyBytesMax = 256 << 10
    private static let bodySeconds = 20

    package init(_ table: RouteTable, desks: Desks, limiter: RateLimiter, logger: Logger) {
        self.table = table
        self.desks = desks
        self.limiter = limiter
        self.logger = logger
    }

    /// What is known of a request so far.
    private struct Visit {
        let request: Request
        let context: AdminContext
        let method: String
        let now = Timestamp.now()
        var principal: Principal?
        var route: Route?
        var parameters: [String: String] = [:]
        var body: [UInt8] = []

        var path: String { request.uri.path }
        var isChange: Bool { route?.isChange ?? (method != "GET" && method != "HEAD") }
        /// As the audit log has it: bounded, whatever was sent.
        var action: String { "\(method.prefix(16)) \(path.prefix(200))" }
        var wantsPage: Bool {
            route?.traits.contains(.page)
                ?? (!path.hasPrefix("/api")
                    && request.headers[.accept]?.contains("text/html") == true)
        }
    }

    package func respond(to request: Request, context: AdminContext) async throws -> Response {
        let clock = ContinuousClock()
        let started = clock.now
        var visit = Visit(request: request, context: context, method: request.method.rawValue)
        var reply: Reply
        do {
            reply = try await serve(&visit)
        } catch {
            let problem = problem(of: error, visit)
            reply = try refuse(problem, visit)
        }
        Self.addHeaders(to: &reply, visit.context.requestID, isPage: visit.wantsPage)
        let spent = (clock.now - started) / .milliseconds(1)
        desks.metrics.answered(
            method: Route.Method(rawValue: visit.method)?.rawValue ?? "OTHER",
            status: reply.status, seconds: spent / 1_000)
        let refused = reply.status == 401 || reply.status == 403 || reply.status == 429
        logger.log(
            level: visit.isChange || refused ? .notice : .debug, "request",
            metadata: [
                "request": "\(context.requestID)", "method": "\(visit.method)",
                "path": "\(visit.path)", "status": "\(reply.status)",
                "principal": "\(visit.principal?.name ?? "unknown")",
                "ms": "\((spent * 10).rounded() / 10)",
            ])
        return reply.response(withoutBody: visit.method == "HEAD")
    }

    private func serve(_ visit: inout Visit) async throws -> Reply {
        let principal: Principal
        let route: Route
        do {
            principal = try await identify(visit)
            visit.principal = principal
            route = try find(&visit)
            guard principal.has(route.permission) else {
                throw Problem(
                    .forbidden,
                    detail: "\(principal.name) is \(principal.role.rawValue); "
                        + "\(route.permission.rawValue) is for "
                        + route.permission.roles.map(\.rawValue).sorted().joined(separator: ", "))
            }
            if route.method != .get { try CrossSite.check(visit.request) }
            try limit(route, principal, visit)
        } catch let refusal as Refusal {
            if refusal.isFirst { try await write(outcome(of: refusal.problem), visit) }
            throw refusal.problem
        } catch {
            try await writeRefusal(error, visit)
            throw error
        }
        guard route.isChange else {
            return try await answer(route, principal, &visit, record: nil)
        }
        let record: CallRecord
        do {
            try await readBody(&visit)
            record = CallRecord(
                actor: principal.name, action: visit.action,
                parameters: SHA256.digest(of: visit.body), request: visit.context.requestID,
                key: try idempotencyKey(route, visit))
        } catch {
            try await write(outcome(of: error), visit)
            throw error
        }
        return try await change(route, principal, &visit, record)
    }

    /// A change, its record, and the answer kept beside its idempotency key.
    private func change(
        _ route: Route, _ principal: Principal, _ visit: inout Visit, _ record: CallRecord
    ) async throws -> Reply {
        do {
            if let key = record.key, let reply = try await replay(key, principal, visit) {
                try await write("replayed", visit)
                return reply
            }
            let reply = try await answer(route, principal, &visit, record: record)
            if !record.isWritten {
                try await desks.database.appendAudit(record.entry("done"))
            } else if let key = record.key, case .bytes(let bytes) = reply.content {
                try await desks.database.rememberAnswer(
                    actor: principal.name, key: key.text, status: reply.status,
                    type: reply.headers[.contentType], location: reply.headers[.location],
                    body: route.traits.contains(.secret) ? nil : bytes)
            }
            return reply
        } catch {
            if !record.isWritten { try await write(outcome(of: error), visit) }
            throw error
        }
    }

    private func answer(
        _ route: Route, _ principal: Principal, _ visit: inout Visit, record: CallRecord?
    ) async throws -> Reply {
        if record == nil, route.method != .get { try await readBody(&visit) }
        let faults = FaultList()
        let query = QueryReader.read(visit.request.uri.query, route.query, faults)
        if route.traits.contains(.matched),
            !EntityTag.isList(visit.request.headers[.ifMatch] ?? "")
        {
            faults.add("If-Match", "must be the ETag of the answer that the change is of")
        }
        let body = try RequestBodyReader.read(
            visit.body, type: visit.request.headers[.contentType], route, faults)
        guard faults.faults.isEmpty else {
            throw Problem(.invalidRequest, faults: faults.faults)
        }
        let call = Call(
            principal: principal, requestID: visit.context.requestID,
            parameters: visit.parameters, query: query, body: body, request: visit.request,
            now: visit.now)
        let desks = desks
        let reply: Reply
        if route.traits.contains(.shared) {
            reply = try await desks.answers.value(
                visit.request.uri.string, at: desks.revision
            ) { try await route.handler(desks, call) }
        } else {
            reply = try await CallRecord.$current.withValue(record) {
                try await route.handler(desks, call)
            }
        }
        if route.method == .get, let tag = reply.headers[.eTag],
            let known = visit.request.headers[.ifNoneMatch], EntityTag.list(known, has: tag)
        {
            return Reply(status: 304, headers: [.eTag: tag])
        }
        return reply
    }
}

// The steps before a handler.
extension AdminResponder {
    /// A refusal that is written down only the first time.
    private struct Refusal: Error {
        let problem: Problem
        let isFirst: Bool
    }

    private func identify(_ visit: Visit) async throws -> Principal {
        guard let leaf = try? await visit.context.channel.nioSSL_peerCertificate().get(),
            let der = try? leaf.toDERBytes()
        else { throw Problem(.unauthenticated) }
        return try await desks.users.principal(leafDER: der, now: visit.now)
    }

    private func find(_ visit: inout Visit) throws -> Route {
        switch table.match(visit.method == "HEAD" ? "GET" : visit.method, visit.path) {
        case .route(let route, let parameters):
            visit.route = route
            visit.parameters = parameters
            return route
        case .otherMethods: throw Problem(.methodNotAllowed)
        case .nothing:
            throw Problem(.notFound, detail: "there is nothing at \(visit.path.prefix(100))")
        }
    }

    private func limit(_ route: Route, _ principal: Principal, _ visit: Visit) throws {
        let kind: RateLimiter.Kind? =
            route.traits.contains(.sensitive)
            ? .sensitive : route.traits.contains(.costly) ? .costly : nil
        guard let kind,
            case .waits(let seconds, let isFirst) = limiter.take(
                kind, of: principal.name, now: visit.now)
        else { return }
        var problem = Problem(
            .rateLimited, detail: "\(principal.name) may try again in \(seconds) s")
        problem.retryAfter = seconds
        throw Refusal(problem: problem, isFirst: isFirst)
    }

    private func readBody(_ visit: inout Visit) async throws {
        let request = visit.request
        guard request.headers[.contentLength] != nil || request.headers[.transferEncoding] != nil
        else { return }
        if let length = request.headers[.contentLength].flatMap({ Int($0) }),
            length > Self.bodyBytesMax
        {
            throw Self.tooLarge
        }
        visit.body = try await withThrowingTaskGroup(of: [UInt8].self) { group in
            group.addTask {
                var bytes: [UInt8] = []
                for try await chunk in request.body {
                    guard bytes.count + chunk.readableBytes <= Self.bodyBytesMax else {
                        throw Self.tooLarge
                    }
                    bytes += chunk.readableBytesView
                }
                return bytes
            }
            group.addTask {
                try await ContinuousClock().sleep(for: .seconds(Self.bodySeconds))
                throw Problem(.tooSlow, detail: "a body has \(Self.bodySeconds) s to arrive")
            }
            defer { group.cancelAll() }
            return try await group.next() ?? []
        }
    }

    private static let tooLarge = Problem(
        .tooLarge, detail: "a request has at most \(bodyBytesMax) bytes")

    private func idempotencyKey(_ route: Route, _ visit: Visit) throws -> CallRecord.Key? {
        guard route.traits.contains(.idempotent),
            let text = visit.request.headers[.idempotencyKey]
        else { return nil }
        guard (1...128).contains(text.utf8.count), text.utf8.allSatisfy({ 0x21...0x7e ~= $0 })
        else {
            throw Problem(
                .invalidRequest,
                faults: [
                    FieldFault(
                        field: "Idempotency-Key", message: "must be 1 to 128 visible characters")
                ])
        }
        let request = Array("\(visit.method) \(visit.request.uri)\n".utf8) + visit.body
        return CallRecord.Key(text: text, request: SHA256.digest(of: request))
    }

    private func replay(
        _ key: CallRecord.Key, _ principal: Principal, _ visit: Visit
    ) async throws -> Reply? {
        guard
            let known = try await desks.database.rememberedCall(
                actor: principal.name, key: key.text, now: visit.now)
        else { return nil }
        guard known.request == key.request else { throw Problem(.keyReused) }
        guard let status = known.status, let body = known.body else {
            throw Problem(
                .alreadyDone, detail: "this key's request was accepted; its answer is not kept",
                hint: "look at the list; make another with another key")
        }
        var reply = Reply(status: status, content: .bytes(body))
        reply.headers[.contentType] = known.type
        reply.headers[.location] = known.location
        reply.headers[.idempotentReplay] = "true"
        return reply
    }
}

// What a call leaves behind.
extension AdminResponder {
    /// Refusals of anybody to do anything, and of every change.
    private func writeRefusal(_ error: any Error, _ visit: Visit) async throws {
        guard let problem = error as? Problem,
            visit.isChange || [401, 403].contains(problem.status)
        else { return }
        let actor = visit.principal?.name ?? "unknown"
        guard limiter.take(.refusal, of: actor, now: visit.now) == .passes else { return }
        try await write(outcome(of: error), visit)
    }

    private func write(_ outcome: String, _ visit: Visit) async throws {
        try await desks.database.appendAudit(
            AuditEntry(
                at: visit.now, actor: visit.principal?.name ?? "unknown", action: visit.action,
                parameters: SHA256.digest(of: visit.body), outcome: outcome,
                request: visit.context.requestID))
    }

    private func outcome(of error: any Error) -> String {
        guard let problem = error as? Problem else {
            return Self.isStorageFull(error) ? "failed storage-full" : "failed"
        }
        return "refused " + (problem.type.split(separator: ":").last ?? "")
    }

    private static func isStorageFull(_ error: any Error) -> Bool {
        guard let error = error as? DatabaseError else { return false }
        return [.SQLITE_FULL, .SQLITE_IOERR].contains(error.resultCode)
    }

    /// What broke here is logged and not told to the caller.
    private func problem(of error: any Error, _ visit: Visit) -> Problem {
        if let problem = error as? Problem { return problem }
        if error is CancellationError { return Problem(.internalError) }
        logger.error(
            "request failed",
            metadata: [
                "request": "\(visit.context.requestID)", "path": "\(visit.path)",
                "error": "\(error)",
            ])
        if Self.isStorageFull(error) {
            return Problem(
                .storageFull, detail: "nothing of this request was kept",
                hint: "free space where the admin's folder is, then repeat it")
        }
        if let error = error as? DatabaseError, error.resultCode == .SQLITE_CONSTRAINT,
            visit.request.headers[.idempotencyKey] != nil
        {
            return Problem(.alreadyDone, detail: "the same request is being served")
        }
        return Problem(.internalError)
    }

    private func refuse(_ problem: Problem, _ visit: Visit) throws -> Reply {
        var problem = problem
        problem.requestID = visit.context.requestID
        var reply: Reply
        if visit.wantsPage {
            reply = ProblemPage.reply(problem, principal: visit.principal)
        } else {
            reply = Reply(
                status: problem.status, headers: [.contentType: "application/problem+json"],
                content: .bytes(Array(try AegisAPI.encode(problem))))
        }
        if let seconds = problem.retryAfter { reply.headers[.retryAfter] = "\(seconds)" }
        if problem.status == 405,
            case .otherMethods(let methods) = table.match(visit.method, visit.path)
        {
            let names = methods.map(\.rawValue) + (methods.contains(.get) ? ["HEAD"] : [])
            reply.headers[.allow] = names.joined(separator: ", ")
        }
        return reply
    }

    private static func addHeaders(to reply: inout Reply, _ requestID: String, isPage: Bool) {
        reply.headers[.requestID] = requestID
        if reply.headers[.cacheControl] == nil {
            reply.headers[.cacheControl] = reply.headers[.eTag] == nil ? "no-store" : "no-cache"
        }
        reply.headers[.xContentTypeOptions] = "nosniff"
        reply.headers[.frameOptions] = "DENY"
        reply.headers[.referrerPolicy] = "no-referrer"
        reply.headers[.openerPolicy] = "same-origin"
        reply.headers[.resourcePolicy] = "same-origin"
        reply.headers[.permissionsPolicy] = "camera=(), geolocation=(), microphone=()"
        reply.headers[.strictTransportSecurity] = "max-age=31536000"
        reply.headers[.contentSecurityPolicy] =
            isPage
            ? "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                + "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
            : "default-src 'none'; frame-ancestors 'none'"
    }
}

/// A browser sends the client certificate along whoever asks; so what changes something must come
/// from a page of this server, or from no page at all.
enum CrossSite {
    static func check(_ request: Request) throws(Problem) {
        if let site = request.headers[.secFetchSite], site != "same-origin", site != "none" {
            throw Problem(.crossSite, detail: "Sec-Fetch-Site is \(site.prefix(32))")
        }
        if let origin = request.headers[.origin],
            origin != "https://" + (request.head.authority ?? "")
        {
            throw Problem(.crossSite, detail: "Origin is \(origin.prefix(100))")
        }
    }
}
