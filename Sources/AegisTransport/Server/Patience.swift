import NIOCore
import Synchronization

/// Closes a connection whose peer takes too long over a request: somebody who sends a byte now and
/// then would hold it for ever. The clock starts with the first byte of a request and stops when
/// all of it is there.
final class Patience: Sendable {
    private struct State {
        var number: UInt64 = 0
        var isReading = false
        var deadline: Scheduled<Void>?
    }

    private let state = Mutex(State())
    private let limit: TimeAmount

    init(limit: TimeAmount) { self.limit = limit }

    /// Bytes have come.
    func reading(on channel: any Channel) {
        let number: UInt64? = state.withLock { state in
            guard !state.isReading else { return nil }
            state.isReading = true
            state.number += 1
            return state.number
        }
        guard let number else { return }
        let task = channel.eventLoop.scheduleTask(in: limit) {
            guard self.isStillReading(number) else { return }
            channel.close(promise: nil)
        }
        state.withLock { $0.deadline = task }
    }

    private func isStillReading(_ number: UInt64) -> Bool {
        state.withLock { $0.isReading && $0.number == number }
    }

    /// A whole request is there, or nobody waits for the rest.
    func finished() {
        let deadline = state.withLock { state in
            defer { state.deadline = nil }
            state.isReading = false
            return state.deadline
        }
        deadline?.cancel()
    }
}

/// Tells `Patience` of bytes that have been decrypted.
final class PatienceHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let patience: Patience

    init(_ patience: Patience) { self.patience = patience }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        patience.reading(on: context.channel)
        context.fireChannelRead(data)
    }

    func channelInactive(context: ChannelHandlerContext) {
        patience.finished()
        context.fireChannelInactive()
    }
}
