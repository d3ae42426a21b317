package import AegisCore
import HTTPTypes
import HummingbirdCore
package import Logging
package import NIOCore
import ServiceLifecycle

/// Plain HTTP for probes and scrapers: GET and HEAD, no bodies, nobody asked who they are. What it
/// may say is public to whoever reaches the address that the owner has chosen.
package final class MonitorServer: Service {
    private let address: MeshAddress
    private let respond: @Sendable (_ path: String) -> MeshResponse
    private let group: any EventLoopGroup
    private let logger: Logger
    private let bound = BoundAddress()

    /// `respond` gets a path and must not block.
    package init(
        listening address: String, respond: @escaping @Sendable (String) -> MeshResponse,
        eventLoopGroup: any EventLoopGroup, logger: Logger
    ) throws(MeshServerError) {
        guard let parsed = MeshAddress(address) else {
            throw .notListening(MeshAddress(host: address, port: 0), reason: "not host:port")
        }
        self.address = parsed
        self.respond = respond
        group = eventLoopGroup
        var quiet = logger
        quiet.logLevel = .critical
        self.logger = quiet
    }

    package var boundAddress: MeshAddress {
        get async throws(MeshServerError) { try await bound.value }
    }

    /// Serves until the service group shuts down gracefully or the task is cancelled.
    package func run() async throws {
        let respond = respond
        let channel = HTTP1Channel(
            responder: { request, writer, _ in
                let isHead = request.method == .head
                let response =
                    isHead || request.method == .get
                    ? respond(request.uri.path) : .problem(405, type: "method", "GET or HEAD")
                let reply = MeshResponder.Reply(response, closing: true)
                try await writer.write(
                    response: reply.head, body: isHead ? ResponseBody() : reply.body)
                // One request a connection: a probe that lingers holds no socket.
                throw ChannelError.inputClosed
            },
            configuration: .init(
                additionalChannelHandlers: [MalformedHeadHandler()],
                idleTimeout: TransportLimits.handshakeTimeout,
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: TransportLimits.headerBytesMax,
                    maxHeaderListSize: TransportLimits.headerBytesMax,
                    maxHeaderFieldCount: 64)))
        let server = Server(
            childChannelSetup: channel,
            configuration: ServerConfiguration(
                address: .hostname(address.host, port: address.port),
                availableConnectionsDelegate: MaximumAvailableConnections(
                    TransportLimits.monitorConnectionsMax)),
            onServerRunning: { [bound, address] channel in
                bound.set(
                    MeshAddress(
                        host: address.host, port: channel.localAddress?.port ?? address.port))
            },
            eventLoopGroup: group, logger: logger)
        do {
            try await server.runUntilStopped()
            bound.fail(.notListening(address, reason: "stopped"))
        } catch {
            let failure = MeshServerError.notListening(address, reason: "\(error)")
            bound.fail(failure)
            throw failure
        }
    }
}
