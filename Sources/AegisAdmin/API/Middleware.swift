import AegisAPI
import AegisCrypto
import AegisIdentity
import AegisTelemetry
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Every answer has its number, every failure is a problem document (RFC 9457), and what broke
/// here is logged here and not told to the caller.
struct ProblemMiddleware: RouterMiddleware {
    func handle(
        _ request: Request, context: AdminContext,
        next: @concurrent (Request, AdminContext) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            response = try await next(request, context)
        } catch let problem as Problem {
            response = try Self.response(problem, context)
        } catch let error as HTTPError {
            response = try Self.response(Self.problem(of: error), context)
        } catch {
            context.logger.error(
                "request failed",
                metadata: [
                    "request": "\(context.requestID)", "path": "\(request.uri.path)",
                    "error": "\(error)",
                ])
            response = try Self.response(Problem(.internalError), context)
        }
        response.headers[.requestID] = context.requestID
        response.headers[.cacheControl] = "no-store"
        return response
    }

    private static func response(
        _ problem: Problem, _ context: AdminContext
    ) throws -> Response {
        var problem = problem
        problem.requestID = context.requestID
        return Response(
            status: .init(code: problem.status),
            headers: [.contentType: "application/problem+json"],
            body: .init(byteBuffer: ByteBuffer(bytes: try AegisAPI.encode(problem))))
    }

    private static func problem(of error: HTTPError) -> Problem {
        switch error.status {
        case .notFound: Problem(.notFound)
        case .methodNotAllowed: Problem(.methodNotAllowed)
        case .contentTooLarge: Problem(.tooLarge)
        default: Problem(.malformed, detail: error.body)
        }
    }
}

/// Reads the body of every call that changes something, and writes one audit record of how it
/// ended, whoever made it and whether it was allowed or not.
struct AuditMiddleware: RouterMiddleware {
    let database: AdminDatabase

    static let bodyBytesMax = 256 << 10

    func handle(
        _ request: Request, context: AdminContext,
        next: @concurrent (Request, AdminContext) async throws -> Response
    ) async throws -> Response {
        guard request.method != .get, request.method != .head else {
            return try await next(request, context)
        }
        var request = request
        let body: ByteBuffer
        do { body = try await request.collectBody(upTo: Self.bodyBytesMax) } catch {
            try await record(request, context, body: ByteBuffer(), outcome: "refused too-large")
            throw Problem(
                .tooLarge, detail: "a request has at most \(Self.bodyBytesMax) bytes")
        }
        let outcome: String
        let result: Result<Response, any Error>
        do {
            let response = try await next(request, context)
            outcome = "done \(response.status.code)"
            result = .success(response)
        } catch {
            outcome = Self.outcome(of: error)
            result = .failure(error)
        }
        try await record(request, context, body: body, outcome: outcome)
        return try result.get()
    }

    private static func outcome(of error: any Error) -> String {
        guard let problem = error as? Problem else { return "failed" }
        return "refused " + (problem.type.split(separator: ":").last ?? "")
    }

    private func record(
        _ request: Request, _ context: AdminContext, body: ByteBuffer, outcome: String
    ) async throws {
        try await database.appendAudit(
            at: Timestamp.now(), actor: context.principal?.name ?? "unknown",
            action: "\(request.method.rawValue) \(request.uri.path.prefix(200))",
            parameters: SHA256.digest(of: Array(body.readableBytesView)), outcome: outcome,
            request: context.requestID)
    }
}

extension HTTPField.Name {
    static let requestID: HTTPField.Name = {
        guard let name = HTTPField.Name("x-request-id") else {
            preconditionFailure("a header's name")
        }
        return name
    }()
}
