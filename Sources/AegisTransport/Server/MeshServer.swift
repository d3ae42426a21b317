package import AegisCore
package import AegisIdentity
package import AegisStore
import HummingbirdCore
package import Logging
package import NIOCore
import NIOSSL
import ServiceLifecycle
import Synchronization

package enum MeshServerError: Error, Sendable {
    /// The TLS key or certificate can't be used.
    case identityUnusable(reason: String)
    /// The address is taken, not ours, or not permitted.
    case notListening(MeshAddress, reason: String)
}

/// The mesh listener: HTTP/1.1 over TLS 1.3, each peer verified by identity.
package final class MeshServer: Service {
    package struct Configuration: Sendable {
        /// Port 0 takes a free one; `boundAddress` tells which.
        package var address: MeshAddress
        package var mesh: MeshID
        package var now: @Sendable () -> UInt64
        /// From the first byte of a request to its last.
        package var requestTimeout: TimeAmount
        /// One of these must vouch for members; nobody has to where there are none.
        package var authorities: OrganisationAuthorities?

        package init(
            address: MeshAddress, mesh: MeshID,
            now: @escaping @Sendable () -> UInt64 = WallClock.seconds,
            requestTimeout: TimeAmount = TransportLimits.requestTimeout,
            authorities: OrganisationAuthorities? = nil
        ) {
            self.authorities = authorities
            self.requestTimeout = requestTimeout
            self.address = address
            self.mesh = mesh
            self.now = now
        }
    }

    private let configuration: Configuration
    private let context: ContextBox
    private let connections = ConnectionTable()
    private let channel: MeshChannel
    private let group: any EventLoopGroup
    private let logger: Logger
    private let bound = BoundAddress()

    /// Holds the context that new handshakes use.
    private final class ContextBox: Sendable {
        let value: Mutex<NIOSSLContext>
        init(_ context: NIOSSLContext) { value = Mutex(context) }
    }

    package init(
        _ configuration: Configuration, identity: TLSIdentity, blobs: BlobStore? = nil,
        handler: any MeshHandler,
        policy: @escaping @Sendable (VerifiedPeer) -> PeerVerdict,
        eventLoopGroup: any EventLoopGroup, logger: Logger
    ) throws(MeshServerError) {
        self.configuration = configuration
        self.group = eventLoopGroup
        var quiet = logger
        // It calls every cancelled connection an error. What fails for good, `run` throws.
        quiet.logLevel = .critical
        self.logger = quiet
        do {
            context = ContextBox(try MeshTLS.serverContext(identity))
        } catch { throw .identityUnusable(reason: "\(error)") }
        let admission = Admission(
            mesh: configuration.mesh, now: configuration.now, policy: policy, handler: handler,
            authorities: configuration.authorities)
        channel = MeshChannel(
            context: { [context] in context.value.withLock { $0 } }, admission: admission,
            connections: connections,
            responder: MeshResponder(
                admission: admission, connections: connections, blobs: blobs, handler: handler),
            requestTimeout: configuration.requestTimeout)
    }

    /// Serves until the service group shuts down gracefully or the task is cancelled.
    package func run() async throws {
        let server = Server(
            childChannelSetup: channel,
            configuration: ServerConfiguration(
                address: .hostname(
                    configuration.address.host, port: configuration.address.port),
                availableConnectionsDelegate: MaximumAvailableConnections(
                    TransportLimits.connectionsMax)),
            onServerRunning: { [bound, configuration] channel in
                bound.set(
                    MeshAddress(
                        host: configuration.address.host,
                        port: channel.localAddress?.port ?? configuration.address.port))
            },
            eventLoopGroup: group, logger: logger)
        do {
            try await server.runUntilStopped()
            bound.fail(.notListening(configuration.address, reason: "stopped"))
        } catch {
            let failure = MeshServerError.notListening(
                configuration.address, reason: "\(error)")
            bound.fail(failure)
            throw failure
        }
    }

    /// Where the server listens, as soon as it does.
    package var boundAddress: MeshAddress {
        get async throws(MeshServerError) { try await bound.value }
    }

    /// New handshakes present this leaf; connections that live keep theirs.
    package func replace(identity: TLSIdentity) throws(MeshServerError) {
        do {
            let fresh = try MeshTLS.serverContext(identity)
            context.value.withLock { $0 = fresh }
        } catch { throw .identityUnusable(reason: "\(error)") }
    }

    /// Closes what an evicted node has open (PROTOCOL.md §4.3).
    package func closeConnections(of node: NodeID) { connections.close(node) }

    package var connectedNodes: Set<NodeID> { connections.connectedNodes }
}
