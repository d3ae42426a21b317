import AegisCore
import AegisIdentity
import HummingbirdCore
import Logging
import NIOCore
import NIOSSL
import Synchronization

/// Who is at the other end, once the handshake has shown it.
final class PeerSlot: Sendable {
    private let value = Mutex<VerifiedPeer?>(nil)
    let patience: Patience

    init(patience: Patience) { self.patience = patience }

    var peer: VerifiedPeer? {
        get { value.withLock { $0 } }
        set { value.withLock { $0 = newValue } }
    }
}

/// A connection of the mesh listener: TLS whose callback verifies the peer's leaf by identity, then
/// HTTP/1.1 with a responder that knows the peer.
struct MeshChannel: ServerChildChannel {
    struct Value: ServerChildChannelValue {
        let http: HTTP1Channel.Value
        let slot: PeerSlot
        var channel: any Channel { http.channel }
    }

    let context: @Sendable () -> NIOSSLContext
    let admission: Admission
    let connections: ConnectionTable
    let responder: MeshResponder
    let requestTimeout: TimeAmount

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let slot = PeerSlot(patience: Patience(limit: requestTimeout))
        let address = channel.remoteAddress?.description ?? "unknown"
        let deadline = channel.eventLoop.scheduleTask(in: TransportLimits.handshakeTimeout) {
            if slot.peer == nil { channel.close(promise: nil) }
        }
        channel.closeFuture.whenComplete { _ in deadline.cancel() }
        return channel.eventLoop.makeCompletedFuture {
            let handler = NIOSSLServerHandler(
                context: context(),
                customVerificationCallback: { certificates, promise in
                    let shown = certificates.map { (try? $0.toDERBytes()) ?? [] }
                    admission.peer(shown, address: address, on: channel.eventLoop) { peer in
                        guard let peer, connections.add(channel, of: peer.node) else {
                            promise.succeed(.failed)
                            return
                        }
                        slot.peer = peer
                        deadline.cancel()
                        promise.succeed(.certificateVerified)
                    }
                },
                configuration: .init())
            try channel.pipeline.syncOperations.addHandlers([
                handler, PatienceHandler(slot.patience),
            ])
        }.flatMap {
            http(for: slot).setup(channel: channel, logger: logger)
        }.map { Value(http: $0, slot: slot) }
    }

    func handle(value: Value, logger: Logger) async {
        await http(for: value.slot).handle(value: value.http, logger: logger)
    }

    private func http(for slot: PeerSlot) -> HTTP1Channel {
        HTTP1Channel(
            responder: { request, writer, channel in
                // No request is read before the handshake has verified somebody.
                guard let peer = slot.peer else { throw ChannelError.ioOnClosedChannel }
                let reply = try await responder.reply(
                    to: request, from: peer, patience: slot.patience, on: channel.eventLoop)
                slot.patience.finished()
                try await writer.write(response: reply.head, body: reply.body)
                if reply.closing { throw ChannelError.inputClosed }
            },
            configuration: .init(
                additionalChannelHandlers: [
                    MalformedHeadHandler { [responder] in
                        if let peer = slot.peer { responder.strike(peer.node) }
                    }
                ],
                idleTimeout: TransportLimits.serverIdleTimeout,
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: TransportLimits.headerBytesMax,
                    maxHeaderListSize: TransportLimits.headerBytesMax,
                    maxHeaderFieldCount: 64)))
    }
}

/// Decides about a leaf: what it proves, then what the policy says. Leaves are verified once, the
/// policy is asked every time.
final class Admission: Sendable {
    private let mesh: MeshID
    private let now: @Sendable () -> UInt64
    private let policy: @Sendable (VerifiedPeer) -> PeerVerdict
    private let handler: any MeshHandler
    private let authorities: OrganisationAuthorities?

    init(
        mesh: MeshID, now: @escaping @Sendable () -> UInt64,
        policy: @escaping @Sendable (VerifiedPeer) -> PeerVerdict, handler: any MeshHandler,
        authorities: OrganisationAuthorities? = nil
    ) {
        self.authorities = authorities
        self.mesh = mesh
        self.now = now
        self.policy = policy
        self.handler = handler
    }

    /// Who `shown` proves to be there, leaf first; nil for whoever is not let in.
    func peer(
        _ shown: [[UInt8]], address: String, on eventLoop: any EventLoop,
        _ done: @escaping @Sendable (VerifiedPeer?) -> Void
    ) {
        let peer: VerifiedPeer
        let now = now()
        do {
            peer = try PeerCertificate.verify(leafDER: shown.first ?? [], mesh: mesh, now: now)
        } catch {
            handler.refused(.certificate(error, address: address))
            return done(nil)
        }
        guard let authorities else { return done(admitted(peer, address: address)) }
        // Bounded by the handshake's deadline.
        eventLoop.makeFutureWithTask {
            await peer.vouchedFor(by: authorities, shown: Array(shown.dropFirst()), now: now)
        }.whenSuccess { peer in
            done(self.admitted(peer, address: address))
        }
    }

    private func admitted(_ peer: VerifiedPeer, address: String) -> VerifiedPeer? {
        switch policy(peer) {
        case .admitted, .stranger: return peer
        case .restricted(let refusal):
            handler.refused(.policy(refusal, address: address))
            return peer
        case .refused(let refusal):
            handler.refused(.policy(refusal, address: address))
            return nil
        }
    }

    func verdict(on peer: VerifiedPeer) -> PeerVerdict { policy(peer) }
}
