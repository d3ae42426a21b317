import Hummingbird
import NIOCore
import ServiceLifecycle

/// One event as the wire has it (HTML Living Standard §9.2.6).
struct ServerEvent: Sendable {
    let id: String?
    let name: String
    /// One line of JSON.
    let data: [UInt8]

    func write(to buffer: inout ByteBuffer) {
        if let id { buffer.writeString("id: \(id)\n") }
        buffer.writeString("event: \(name)\ndata: ")
        buffer.writeBytes(data)
        buffer.writeString("\n\n")
    }
}

/// A stream of server-sent events: the news at each revision of the feed, and a comment when there
/// is none for a while, so that both sides notice that the other is gone.
enum EventStream {
    /// What a stream sends next; `isOver` when it is the last.
    struct News: Sendable {
        var events: [ServerEvent] = []
        /// There are more already.
        var goesOn = false
        var isOver = false
    }

    private static let heartbeat = Duration.seconds(15)
    /// Browsers wait so long before they come back.
    private static let retryMilliseconds = 2_000

    /// `news` is asked at each revision and remembers in its state what it has said.
    static func reply<State: Sendable>(
        _ desks: Desks, state: State,
        news: @escaping @Sendable (inout State, UInt64) async throws -> News
    ) -> Reply {
        let body = ResponseBody { writer in
            desks.metrics.streamOpened()
            defer { desks.metrics.streamClosed() }
            var state = state
            let clock = ContinuousClock()
            var last = clock.now
            try await writer.write(ByteBuffer(string: "retry: \(retryMilliseconds)\n\n"))
            for await revision in desks.feed.revisions().cancelOnGracefulShutdown() {
                var latest: News
                repeat {
                    latest = try await news(&state, revision)
                    var buffer = ByteBuffer()
                    for event in latest.events { event.write(to: &buffer) }
                    if latest.events.isEmpty, clock.now - last > heartbeat {
                        buffer.writeString(": \n\n")
                    }
                    if buffer.readableBytes > 0 {
                        last = clock.now
                        try await writer.write(buffer)
                    }
                } while latest.goesOn
                if latest.isOver { break }
            }
            try await writer.finish(nil)
        }
        var reply = Reply.stream(body, type: "text/event-stream")
        reply.headers[.cacheControl] = "no-store"
        return reply
    }
}
