import AegisCore
import AegisNode
import AegisProtocol
import Synchronization
import Testing

@Suite("Fetching updates")
struct UpdateFetcherTests {
    /// A transfer that goes on until it is told to end.
    private final class Transfers: Sendable {
        struct Begun {
            let holders: [NodeID]
            let moved: @Sendable () -> Void
            let end: AsyncStream<Void>.Continuation
            var wasCancelled = false
        }
        let begun = Mutex<[Begun]>([])

        var count: Int { begun.withLock { $0.count } }

        func obtain(
            _ request: FetchRequest, moved: @escaping @Sendable () -> Void
        ) async throws {
            let (ends, end) = AsyncStream.makeStream(of: Void.self)
            let index = begun.withLock { begun in
                begun.append(Begun(holders: request.from, moved: moved, end: end))
                return begun.count - 1
            }
            for await _ in ends { return }
            begun.withLock { $0[index].wasCancelled = true }
            throw CancellationError()
        }
    }

    private let inbox = Inbox()
    private let transfers = Transfers()

    private func fetcher() -> UpdateFetcher {
        let transfers = transfers
        return UpdateFetcher(inbox: inbox) {
            try await transfers.obtain($0, moved: $1)
        } failed: { _, _ in
        }
    }

    private func request(from holders: [UInt8]) throws -> FetchRequest {
        let specification = Sample.specification()
        let blob = try #require(UpdateBlob(digest: Sample.digest(1), byteCount: 256))
        let statement = UpdateStatement(
            mesh: Sample.mesh(), node: Sample.node(1), specification: specification, round: 1,
            base: Sample.digest(0),
            draft: UpdateDraft(
                run: specification.run, round: 1, base: Sample.digest(0), blob: blob, expiresAt: 1))
        return FetchRequest(
            update: Sample.digest(9), statement: statement, specification: specification,
            from: holders.map(Sample.node))
    }

    @Test("another holder doesn't interrupt a transfer that moves")
    func moving() async throws {
        let fetcher = fetcher()
        try fetcher.fetch(request(from: [1]))
        try await eventually("the transfer begins") { transfers.count == 1 }
        for _ in 0..<8 {
            transfers.begun.withLock { $0[0].moved() }
            try fetcher.fetch(request(from: [1, 2]))
            try await Task.sleep(for: .milliseconds(200))
        }
        #expect(transfers.count == 1)
        transfers.begun.withLock { _ = $0[0].end.yield() }
        var inputs = inbox.inputs.makeAsyncIterator()
        let input = await inputs.next()
        guard case .held(Sample.digest(9)) = input else {
            Issue.record("the core hears \(String(describing: input))")
            return
        }
        fetcher.cancelAll()
    }

    @Test("a transfer that stands still begins anew once there is another holder")
    func standing() async throws {
        let fetcher = fetcher()
        try fetcher.fetch(request(from: [1]))
        try await eventually("the transfer begins") { transfers.count == 1 }
        try await eventually("it begins anew") {
            try fetcher.fetch(request(from: [1, 2]))
            return transfers.count == 2
        }
        let (first, second) = transfers.begun.withLock { ($0[0], $0[1]) }
        #expect(first.wasCancelled)
        #expect(second.holders == [Sample.node(1), Sample.node(2)])
        fetcher.cancelAll()
    }

    @Test("whoever asks again for the same learns nothing new, and nothing begins anew")
    func repeated() async throws {
        let fetcher = fetcher()
        try fetcher.fetch(request(from: [1]))
        try await eventually("the transfer begins") { transfers.count == 1 }
        try await Task.sleep(for: .milliseconds(1_200))
        try fetcher.fetch(request(from: [1]))
        try await Task.sleep(for: .milliseconds(100))
        #expect(transfers.count == 1)
        fetcher.cancelAll()
    }
}
