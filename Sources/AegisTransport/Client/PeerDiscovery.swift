import AegisCore
import AegisIdentity
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Synchronization

/// Learns the leaf a peer presents now: one handshake whose callback verifies it, then hangs up.
struct PeerDiscovery: Sendable {
    let identity: TLSIdentity
    let now: @Sendable () -> UInt64
    let group: any EventLoopGroup
    let authorities: OrganisationAuthorities?

    enum Failure: Error {
        case certificate(PeerCertificateError)
        case wire(WireFailure)
    }

    /// The verified peer at `address`, whoever in our mesh it is.
    func peer(at address: MeshAddress, serverName: String?) async throws(Failure) -> VerifiedPeer {
        let found = FoundPeer()
        do {
            let context = try NIOSSLContext(
                configuration: MeshTLS.discoveryConfiguration(identity))
            let mesh = identity.mesh
            let now = now
            let handshake = group.any().makePromise(of: Void.self)
            let bootstrap = ClientBootstrap(group: handshake.futureResult.eventLoop)
                .connectTimeout(TransportLimits.connectTimeout)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let tls = try NIOSSLClientHandler(
                            context: context, serverHostname: serverName,
                            customVerificationCallback: { certificates, promise in
                                found.verify(certificates, mesh: mesh, now: now())
                                promise.succeed(
                                    found.isVerified ? .certificateVerified : .failed)
                            })
                        try channel.pipeline.syncOperations.addHandlers([
                            tls, HandshakeWatcher(handshake),
                        ])
                    }
                }
            let channel: any Channel
            do {
                channel = try await bootstrap.connect(host: address.host, port: address.port)
                    .get()
            } catch {
                handshake.fail(error)
                throw error
            }
            let deadline = channel.eventLoop.scheduleTask(in: TransportLimits.connectTimeout) {
                handshake.fail(ChannelError.connectTimeout(TransportLimits.connectTimeout))
            }
            defer {
                deadline.cancel()
                channel.close(promise: nil)
            }
            try await handshake.futureResult.get()
        } catch {
            if case .failure(let failure) = found.result { throw .certificate(failure) }
            throw .wire(WireFailure(error))
        }
        guard case .success(let peer) = found.result else { throw .wire(.lost) }
        guard let authorities else { return peer }
        return await peer.vouchedFor(by: authorities, shown: found.behindLeaf, now: now())
    }
}

/// What the verification callback found.
private final class FoundPeer: Sendable {
    private let value = Mutex<Result<VerifiedPeer, PeerCertificateError>?>(nil)

    var result: Result<VerifiedPeer, PeerCertificateError>? { value.withLock { $0 } }

    var isVerified: Bool {
        guard case .success = result else { return false }
        return true
    }

    private let rest = Mutex<[[UInt8]]>([])

    /// What the peer has shown behind its leaf.
    var behindLeaf: [[UInt8]] { rest.withLock { $0 } }

    func verify(_ certificates: [NIOSSLCertificate], mesh: MeshID, now: UInt64) {
        let shown = certificates.map { (try? $0.toDERBytes()) ?? [] }
        let leaf = shown.first ?? []
        rest.withLock { $0 = Array(shown.dropFirst()) }
        let result = Result { () throws(PeerCertificateError) in
            try PeerCertificate.verify(leafDER: leaf, mesh: mesh, now: now)
        }
        value.withLock { $0 = result }
    }
}

/// Tells when the handshake has ended, well or badly.
private final class HandshakeWatcher: ChannelInboundHandler {
    typealias InboundIn = Any

    private let promise: EventLoopPromise<Void>

    init(_ promise: EventLoopPromise<Void>) { self.promise = promise }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted? = event as? TLSUserEvent { promise.succeed() }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        promise.fail(ChannelError.eof)
        context.fireChannelInactive()
    }
}
