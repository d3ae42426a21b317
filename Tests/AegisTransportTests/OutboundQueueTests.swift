import AegisCore
import AegisTransport
import Synchronization
import Testing

@Suite("Statements on their way to a peer", .timeLimit(.minutes(1)))
struct OutboundQueueTests {
    private let limits = OutboundQueue.Limits(
        statementsMax: 5, bytesMax: 100, firstDelay: .milliseconds(20),
        lastDelay: .milliseconds(50))

    @Test("what is superseded, then what is oldest, gives way")
    func bounded() throws {
        let south = try Participant()
        let queue = OutboundQueue(to: south.node, through: south.client, limits: limits) { _ in }
        for number in UInt8(1)...3 { queue.enqueue([number], superseding: [7]) }
        #expect(queue.count == 1 && queue.droppedCount == 2)
        for number in UInt8(1)...9 { queue.enqueue([number]) }
        #expect(queue.count == 5 && queue.droppedCount == 7)
        queue.enqueue([UInt8](repeating: 0, count: 99))
        #expect(queue.count == 2)
    }

    @Test("in order to a peer that comes, goes and comes back; each change is told once")
    func delivery() async throws {
        let (north, south) = (try Participant(), try Participant())
        let handler = RecordingHandler()
        let changes = Mutex<[PeerReachability]>([])
        let queue = OutboundQueue(
            to: north.node, through: south.client, limits: limits
        ) { change in changes.withLock { $0.append(change) } }
        let running = Task { await queue.run() }
        let address = try await withServer(north.identity, handler: handler) { _, address in
            await south.client.setAddress(address, of: north.node)
            queue.enqueue([1])
            queue.enqueue([2])
            try await eventually { handler.statements == [[1], [2]] }
            return address
        }
        queue.enqueue([3])
        queue.enqueue([4])
        try await eventually { queue.reachability == .dead }
        try await withServer(north.identity, address: address, handler: handler) { _, _ in
            try await eventually { handler.statements == [[1], [2], [3], [4]] }
            handler.seen.withLock { $0.reception = .busy(retryAfter: .zero) }
            queue.enqueue([5])
            try await Task.sleep(for: .milliseconds(100))
            #expect(queue.count == 1)
            handler.seen.withLock { $0.reception = .accepted }
            queue.wake()
            try await eventually { handler.statements.last == [5] }
        }
        running.cancel()
        await running.value
        #expect(changes.withLock { $0 } == [.reachable, .dead, .reachable])
        #expect(queue.droppedCount == 0)
        await south.client.shutdown()
    }
}
