import NIOCore
import NIOHTTP1

/// Ends a connection whose peer has sent what is no HTTP: an answer that says so, and nothing more
/// is read. The HTTP stack below would answer and then wait for the peer to go.
final class MalformedHeadHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = Any

    private let onMalformed: @Sendable () -> Void

    /// `onMalformed` is told once of each such connection.
    init(_ onMalformed: @escaping @Sendable () -> Void = {}) { self.onMalformed = onMalformed }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is HTTPParserError {
            onMalformed()
            let channel = context.channel
            context.eventLoop.scheduleTask(in: TransportLimits.lastAnswer) {
                channel.close(promise: nil)
            }
        }
        context.fireErrorCaught(error)
    }
}
