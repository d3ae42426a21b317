import AegisAPI
import AegisAdmin
import AegisCore
import AegisIdentity
import AegisProtocol
import AegisTelemetry
import AsyncHTTPClient
import FoundationEssentials
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL

/// A real admin in a folder of its own, on ports the system chose.
struct RunningAdmin {
    let folder: AdminFolder
    let api: Int
    let mesh: Int
    let users: UserDesk
    private let temporary: TemporaryFolder

    var credentials: String { folder.directory.path + "/credentials" }

    static func with(_ body: (RunningAdmin) async throws -> Void) async throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/admin"
        _ = try AdminSetup.initialise(
            directory: path, mesh: "hospitals", api: "127.0.0.1:8443",
            listen: "127.0.0.1:8444", viewTimeoutMilliseconds: 5_000, strictThree: false,
            passphrase: nil, now: UInt64(Date().timeIntervalSince1970 * 1_000))
        let folder = try AdminFolder(opening: path, passphrase: nil)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let node = try AdminNode(
            folder, settings: AdminSettings(api: "127.0.0.1:0", listen: "127.0.0.1:0"),
            logger: logger)
        let task = Task { try await node.run(stopsOnSignals: false) }
        let ports = try await node.ports
        do {
            try await body(
                RunningAdmin(
                    folder: folder, api: ports.api, mesh: ports.mesh, users: node.users,
                    temporary: temporary))
        } catch {
            task.cancel()
            _ = await task.result
            throw error
        }
        task.cancel()
        _ = await task.result
    }

    /// A user with a certificate.
    func issue(_ name: String, _ role: AdminRole) async throws -> ClientCertificate {
        let made = try await users.create(
            AdminUser(name: name, role: role), days: 1, by: "test", now: Timestamp.now())
        return ClientCertificate(pem: made.certificatePem, keyPEM: made.privateKeyPem)
    }

    struct ClientCertificate {
        let pem: String
        let keyPEM: String

        init(pem: String, keyPEM: String) {
            self.pem = pem
            self.keyPEM = keyPEM
        }

        init(_ issued: IssuedCertificate) {
            self.init(pem: issued.pem, keyPEM: issued.privateKeyPEM)
        }
    }

    struct Answer {
        let status: Int
        let type: String?
        let requestID: String?
        let headers: HTTPHeaders
        let body: [UInt8]
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// One call with `certificate`, or without any. Throws where TLS refuses.
    func call(
        _ method: HTTPMethod, _ path: String, _ body: String? = nil,
        headers: [String: String] = [:], as certificate: ClientCertificate?,
        tlsMax: TLSVersion? = nil
    ) async throws -> Answer {
        var answer: Answer?
        try await session(certificate, tlsMax: tlsMax) {
            answer = try await $0.call(method, path, body, headers: headers)
        }
        return try unwrap(answer)
    }

    /// Calls over connections that stay open.
    struct Session {
        fileprivate let client: HTTPClient
        fileprivate let base: String

        func call(
            _ method: HTTPMethod, _ path: String, _ body: String? = nil,
            headers: [String: String] = [:]
        ) async throws -> Answer {
            var request = HTTPClientRequest(url: base + path)
            request.method = method
            for (name, value) in headers { request.headers.add(name: name, value: value) }
            if let body {
                request.body = .bytes(ByteBuffer(string: body))
                if headers["content-type"] == nil {
                    request.headers.add(name: "content-type", value: "application/json")
                }
            }
            let response = try await client.execute(request, timeout: .seconds(10))
            let bytes = try await response.body.collect(upTo: 4 << 20)
            return Answer(
                status: Int(response.status.code),
                type: response.headers.first(name: "content-type"),
                requestID: response.headers.first(name: "x-request-id"),
                headers: response.headers, body: Array(bytes.readableBytesView))
        }
    }

    func session(
        _ certificate: ClientCertificate?, tlsMax: TLSVersion? = nil,
        _ body: (Session) async throws -> Void
    ) async throws {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .certificates([
            try NIOSSLCertificate(bytes: folder.authority.certificateDER, format: .der)
        ])
        tls.maximumTLSVersion = tlsMax
        if let certificate {
            tls.certificateChain = [
                .certificate(
                    try NIOSSLCertificate(bytes: Array(certificate.pem.utf8), format: .pem))
            ]
            tls.privateKey = .privateKey(
                try NIOSSLPrivateKey(bytes: Array(certificate.keyPEM.utf8), format: .pem))
        }
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        configuration.httpVersion = .http1Only
        let client = HTTPClient(
            eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            try await body(Session(client: client, base: "https://127.0.0.1:\(api)"))
            try await client.shutdown()
        } catch {
            try? await client.shutdown()
            throw error
        }
    }
}
