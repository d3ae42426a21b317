import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisStore
import AegisTelemetry
import AegisTransport
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
package import Logging
import NIOPosix
import NIOSSL
import ServiceLifecycle
import UnixSignals

/// The running admin: its REST API, its mesh listener, its look at the mesh.
package struct AdminNode: Sendable {
    private let folder: AdminFolder
    private let settings: AdminSettings
    private let logger: Logger
    private let api: Application<AdminResponder>
    private let server: MeshServer
    private let observer: MeshObserver
    private let client: MeshClient
    private let audit: AuditFileService
    private let limiter: RateLimiter
    private let witness: AuditWitness
    /// Who may use the API.
    package let users: UserDesk
    private let apiAddress: MeshAddress
    private let apiPort: BoundPort

    /// Opens everything; nothing listens before `run`.
    package init(_ folder: AdminFolder, settings: AdminSettings, logger: Logger) throws {
        self.folder = folder
        self.settings = settings
        self.logger = logger
        guard let apiAddress = MeshAddress(settings.api) else {
            throw SetupError.invalidAddress(option: "--api", settings.api)
        }
        guard let meshAddress = MeshAddress(settings.listen) else {
            throw SetupError.invalidAddress(option: "--listen", settings.listen)
        }
        self.apiAddress = apiAddress
        let now = Timestamp.now()
        let tls = try TLSIdentity.issue(
            for: folder.identity, mesh: folder.mesh, sequence: now, now: now / 1_000)
        let database = try folder.openDatabase()
        let desk = FoundingDesk(
            database: database, founding: folder.founding, admin: folder.identity.publicKey,
            tls: tls)
        let group = MultiThreadedEventLoopGroup.singleton
        let blobs = try BlobStore(directory: folder.blobsPath)
        let feed = EventFeed()
        client = MeshClient(identity: tls, eventLoopGroup: group)
        let commands = CommandSigner(
            database: database, mesh: folder.mesh, identity: folder.identity)
        witness = AuditWitness(
            database: database, commands: commands,
            seconds: settings.witnessSeconds ?? AuditWitness.secondsStandard)
        limiter = RateLimiter(settings.rates ?? RateSettings())
        observer = MeshObserver(
            desk: desk, calls: MeshClientCalls(client), blobs: blobs, logger: logger,
            witness: witness, afterLook: feed.publish)
        let runs = RunDesk(
            database: database, observer: observer, blobs: blobs, commands: commands)
        server = try MeshServer(
            MeshServer.Configuration(address: meshAddress, mesh: folder.mesh), identity: tls,
            handler: FoundingEndpoints(
                desk: desk,
                replacements: ReplacementDesk(
                    founding: desk, runs: runs, observer: observer, logger: logger),
                logger: logger),
            policy: { _ in .stranger }, eventLoopGroup: group, logger: logger)
        users = UserDesk(
            database: database, authority: folder.authority,
            meshName: folder.founding.statement.name)
        let metrics = AdminMetrics()
        audit = AuditFileService(
            files: AuditFiles(directory: folder.auditPath, database: database),
            metrics: metrics, logger: logger)
        let desks = Desks(
            mesh: folder.mesh, founding: desk,
            runs: runs,
            datasets: DatasetDesk(database: database, observer: observer), users: users,
            observer: observer, feed: feed, metrics: metrics, listen: settings.listen)
        let port = BoundPort()
        apiPort = port
        api = try Self.application(
            AdminResponder(.admin, desks: desks, limiter: limiter, logger: logger),
            tls: try Self.tls(folder, host: apiAddress.host, now: now / 1_000),
            address: apiAddress, port: port, logger: logger)
    }

    /// Bounded in every direction: connections, headers, bodies, idle time.
    private static func application(
        _ responder: AdminResponder, tls: TLSConfiguration, address: MeshAddress,
        port: BoundPort, logger: Logger
    ) throws -> Application<AdminResponder> {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        return Application(
            responder: responder,
            server: try .tls(
                .http1(
                    configuration: .init(
                        additionalChannelHandlers: [], idleTimeout: .seconds(90),
                        httpDecoderConfiguration: .init(
                            maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 32 << 10,
                            maxHeaderFieldCount: 100))),
                tlsConfiguration: tls),
            configuration: ApplicationConfiguration(
                address: .hostname(address.host, port: address.port),
                availableConnectionsDelegate: MaximumAvailableConnections(connectionsMax)),
            onServerRunning: { channel in port.set(channel.localAddress?.port ?? 0) },
            logger: quiet)
    }

    /// Enough for a thousand that follow a run.
    private static let connectionsMax = 2_048

    /// TLS 1.3 with a fresh leaf; nobody without a certificate of this admin's authority.
    private static func tls(
        _ folder: AdminFolder, host: String, now: UInt64
    ) throws -> TLSConfiguration {
        var hosts = [host]
        // Whoever listens on all addresses is reached by none of that name.
        if ["0.0.0.0", "::"].contains(host) { hosts = [] }
        for local in ["localhost", "127.0.0.1", "::1"] where !hosts.contains(local) {
            hosts.append(local)
        }
        let leaf = try folder.authority.issueServer(hosts: hosts, now: now)
        let root = try NIOSSLCertificate(bytes: folder.authority.certificateDER, format: .der)
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: [
                .certificate(try NIOSSLCertificate(bytes: leaf.der, format: .der)),
                .certificate(root),
            ],
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: leaf.privateKeyDER, format: .der)))
        tls.minimumTLSVersion = .tlsv13
        tls.certificateVerification = .noHostnameVerification
        tls.trustRoots = .certificates([root])
        tls.sendCANameList = true
        tls.applicationProtocols = ["http/1.1"]
        return tls
    }

    /// The ports that are listened on, once they are: for callers who asked for port 0.
    package var ports: (api: Int, mesh: Int) {
        get async throws { (await apiPort.value, try await server.boundAddress.port) }
    }

    /// Reads `admin.json` again and takes over what can change while it runs: rates and the age
    /// at which audit records are witnessed. What can't be read changes nothing.
    package func reload() {
        let fresh: AdminSettings
        do { fresh = try folder.readSettings() } catch {
            logger.error(
                "admin.json can't be read; the settings stay", metadata: ["error": "\(error)"])
            return
        }
        limiter.change(fresh.rates ?? RateSettings())
        witness.change(seconds: fresh.witnessSeconds ?? AuditWitness.secondsStandard)
        let moved = fresh.api != folder.settings.api || fresh.listen != folder.settings.listen
        logger.notice(
            "settings read again",
            metadata: moved ? ["api and listen": "from the next start on"] : [:])
    }

    /// Serves until cancelled or told to stop. SIGHUP reads the settings again.
    package func run(stopsOnSignals: Bool) async throws {
        try await users.adopt(folder.firstUser, now: Timestamp.now())
        var members: [any Service] = [
            server, APIService(api: api, address: apiAddress), ObserverService(observer: observer),
            audit,
        ]
        if stopsOnSignals { members.append(HangupService(hungUp: reload)) }
        let services = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: members.map { service in
                    ServiceGroupConfiguration.ServiceConfiguration(
                        service: service, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .cancelGroup)
                },
                gracefulShutdownSignals: stopsOnSignals ? [.sigterm, .sigint] : [],
                logger: logger))
        logger.notice(
            "admin serves",
            metadata: [
                "mesh": "\(folder.founding.statement.name)", "api": "https://\(settings.api)",
                "listen": "\(settings.listen)",
            ])
        do { try await services.run() } catch {
            await client.shutdown()
            throw error
        }
        await client.shutdown()
        logger.notice("admin stopped")
    }
}

/// The REST API, whose failure names its address.
private struct APIService: Service {
    let api: any Service
    let address: MeshAddress

    func run() async throws {
        do { try await api.run() } catch {
            if Task.isCancelled || error is CancellationError { throw error }
            throw MeshServerError.notListening(address, reason: "\(error)")
        }
    }
}

private struct HangupService: Service {
    let hungUp: @Sendable () -> Void

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in await UnixSignalsSequence(trapping: .sighup) { hungUp() }
        }
    }
}

private struct ObserverService: Service {
    let observer: MeshObserver

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            do { try await observer.run() } catch {
                // Told to stop in the middle of a look.
                guard Task.isCancelled else { throw error }
            }
        }
    }
}

/// A port that is known once a listener has it.
final class BoundPort: Sendable {
    private let stream: AsyncStream<Int>
    private let continuation: AsyncStream<Int>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    func set(_ port: Int) { continuation.yield(port) }

    var value: Int {
        get async {
            for await port in stream {
                continuation.yield(port)
                return port
            }
            return 0
        }
    }
}
