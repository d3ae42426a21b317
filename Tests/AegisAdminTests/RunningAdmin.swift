import AegisAdmin
import AegisCore
import AegisIdentity
import AegisProtocol
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
                    folder: folder, api: ports.api, mesh: ports.mesh, temporary: temporary))
        } catch {
            task.cancel()
            _ = await task.result
            throw error
        }
        task.cancel()
        _ = await task.result
    }

    /// A client certificate of this admin's authority.
    func issue(_ name: String, _ role: AdminRole) throws -> IssuedCertificate {
        try folder.authority.issueUser(
            AdminUser(name: name, role: role), now: UInt64(Date().timeIntervalSince1970))
    }

    struct Answer {
        let status: Int
        let type: String?
        let requestID: String?
        let body: [UInt8]
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// One call with `certificate`, or without any. Throws where TLS refuses.
    func call(
        _ method: HTTPMethod, _ path: String, _ body: String? = nil,
        as certificate: IssuedCertificate?, tlsMax: TLSVersion? = nil
    ) async throws -> Answer {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .certificates([
            try NIOSSLCertificate(bytes: folder.authority.certificateDER, format: .der)
        ])
        tls.maximumTLSVersion = tlsMax
        if let certificate {
            tls.certificateChain = [
                .certificate(try NIOSSLCertificate(bytes: certificate.der, format: .der))
            ]
            tls.privateKey = .privateKey(
                try NIOSSLPrivateKey(bytes: certificate.privateKeyDER, format: .der))
        }
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        configuration.httpVersion = .http1Only
        let client = HTTPClient(
            eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            var request = HTTPClientRequest(url: "https://127.0.0.1:\(api)\(path)")
            request.method = method
            if let body { request.body = .bytes(ByteBuffer(string: body)) }
            let response = try await client.execute(request, timeout: .seconds(10))
            let bytes = try await response.body.collect(upTo: 4 << 20)
            try await client.shutdown()
            return Answer(
                status: Int(response.status.code),
                type: response.headers.first(name: "content-type"),
                requestID: response.headers.first(name: "x-request-id"),
                body: Array(bytes.readableBytesView))
        } catch {
            try? await client.shutdown()
            throw error
        }
    }
}
