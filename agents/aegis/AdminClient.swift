package import AegisAPI
import AsyncHTTPClient
package import Foundation
import NIOCore
package import NIOHTTP1
import NIOSSL

/// One call of the admin API, as a value: what the arguments of a command come to.
package struct APIRequest: Sendable, Equatable {
    package enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case patch = "PATCH"
        case delete = "DELETE"
    }

    package let method: Method
    /// Below `/api/v1`.
    package let path: String
    package let body: JSONValue?
    /// Makes a creation once, however often it is sent.
    package var idempotencyKey: String?
    /// The version that a change is of.
    package var match: String?

    package static func get(_ path: String) -> APIRequest {
        APIRequest(method: .get, path: path, body: nil)
    }

    package static func post(
        _ path: String, _ body: JSONValue, key: String? = nil
    ) -> APIRequest {
        APIRequest(method: .post, path: path, body: body, idempotencyKey: key)
    }

    package static func patch(_ path: String, _ body: JSONValue, match: String) -> APIRequest {
        APIRequest(method: .patch, path: path, body: body, match: match)
    }

    package static func delete(_ path: String) -> APIRequest {
        APIRequest(method: .delete, path: path, body: nil)
    }
}

/// Calls the admin API over TLS 1.3 with the context's certificate.
package struct AdminClient: Sendable {
    private let context: Context
    private let client: HTTPClient

    package var url: String { context.url }

    /// Runs `body` with a client that is closed afterwards.
    package static func with<Value>(
        _ context: Context, _ body: (AdminClient) async throws -> Value
    ) async throws -> Value {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv13
        do {
            tls.trustRoots = .certificates(
                try NIOSSLCertificate.fromPEMFile(context.caFile))
            tls.certificateChain = try NIOSSLCertificate.fromPEMFile(context.certificateFile)
                .map { .certificate($0) }
            tls.privateKey = .privateKey(
                try NIOSSLPrivateKey(file: context.keyFile, format: .pem))
        } catch {
            throw Failure(
                .badContext, "the certificates of the context can't be read: \(error)",
                hint: "it names ca, certificate and key, PEM files beside it")
        }
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        configuration.timeout = .init(connect: .seconds(5), read: .seconds(60))
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        let client = HTTPClient(
            eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let value = try await body(AdminClient(context: context, client: client))
            try await client.shutdown()
            return value
        } catch {
            try? await client.shutdown()
            throw error
        }
    }

    package func send<Answer: Decodable>(
        _ request: APIRequest, as type: Answer.Type
    ) async throws -> Answer {
        let bytes = try await send(request)
        do { return try AegisAPI.decode(type, from: bytes) } catch {
            throw Failure(.internalError, "the admin's answer is not understood: \(error)")
        }
    }

    package func send(_ request: APIRequest) async throws -> Data {
        try await sendForHeaders(request).body
    }

    func sendForHeaders(_ request: APIRequest) async throws -> (body: Data, headers: HTTPHeaders) {
        let response = try await execute(request)
        let body = try await response.body.collect(upTo: Self.answerBytesMax)
        return (Data(body.readableBytesView), response.headers)
    }

    /// All pages of a list, as one.
    package func sendAll(_ path: String) async throws -> Data {
        var items: [JSONValue] = []
        var after: String?
        repeat {
            let mark = path.contains("?") ? "&" : "?"
            let page = try AegisAPI.document(
                try await send(
                    .get(path + mark + "limit=500" + (after.map { "&after=" + $0 } ?? ""))))
            guard case .object(let members) = page, case .array(let more)? = members["items"]
            else { throw Failure(.internalError, "the admin's answer is no list") }
            items += more
            after = nil
            if case .text(let next)? = members["next"] { after = next }
        } while after != nil
        return try AegisAPI.encodeDocument(.object(["items": .array(items)]))
    }

    /// Changes what `path` names now: reads its version, then sends the change of it.
    package func change(_ path: String, _ body: JSONValue) async throws -> Data {
        let (_, headers) = try await sendForHeaders(.get(path))
        return try await send(.patch(path, body, match: headers.first(name: "etag") ?? "*"))
    }

    /// Hands the answer's bytes to `receive` as they arrive.
    func stream(
        _ request: APIRequest, to receive: (ByteBufferView) throws -> Void
    ) async throws {
        let response = try await execute(request)
        for try await chunk in response.body { try receive(chunk.readableBytesView) }
    }

    private func execute(_ request: APIRequest) async throws -> HTTPClientResponse {
        var call = HTTPClientRequest(url: context.url + AegisAPI.basePath + request.path)
        call.method = .init(rawValue: request.method.rawValue)
        if let key = request.idempotencyKey {
            call.headers.add(name: "idempotency-key", value: key)
        }
        if let match = request.match { call.headers.add(name: "if-match", value: match) }
        if let body = request.body {
            call.headers.add(name: "content-type", value: "application/json")
            call.body = .bytes(ByteBuffer(bytes: try AegisAPI.encodeDocument(body)))
        }
        let response: HTTPClientResponse
        do { response = try await client.execute(call, timeout: .hours(1)) } catch {
            throw Self.failure(error, url: context.url)
        }
        guard (200..<300).contains(response.status.code) else {
            let body = try await response.body.collect(upTo: Self.answerBytesMax)
            if let problem = try? AegisAPI.decode(Problem.self, from: body.readableBytesView) {
                throw Failure(problem)
            }
            throw Failure(.internalError, "the admin answered \(response.status)")
        }
        return response
    }

    private static func failure(_ error: any Error, url: String) -> Failure {
        if error is NIOSSLError || error is BoringSSLError || "\(error)".contains("SSL") {
            return Failure(
                .notPermitted, "\(url) and this context don't accept each other: \(error)",
                hint: "use the credentials that this mesh's administrator gave you")
        }
        return Failure(
            .adminUnreachable, "\(url) can't be reached: \(error)",
            hint: "is it running? `aegis-admin run --dir DIR`")
    }

    private static let answerBytesMax = 64 << 20
}
