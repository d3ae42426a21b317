import AegisCore
import AegisNode
import AegisProtocol
import Synchronization
import Testing

@Suite("Asking for commits")
struct SynchronisationTests {
    /// Who was asked, and who brought something.
    private final class Log: Sendable {
        let asked = Mutex<[NodeID]>([])
        let came = Mutex<[NodeID]>([])
    }

    private struct Refused: Error {}

    private let log = Log()
    private let record = CommitRecord(header: [1], body: [], certificate: [])

    private func synchronisation(
        _ answer: @escaping @Sendable (NodeID) async throws -> [CommitRecord]
    ) -> Synchronisation {
        let log = log
        return Synchronisation { _, peer in
            log.asked.withLock { $0.append(peer) }
            return try await answer(peer)
        } came: { _, peer in
            log.came.withLock { $0.append(peer) }
        } failed: { _, _ in
        }
    }

    private func peers(_ numbers: UInt8...) -> [NodeID] { numbers.map(Sample.node) }

    @Test("a peer that doesn't answer is not waited for")
    func frozen() async throws {
        let record = record
        let synchronisation = synchronisation { peer in
            if peer == Sample.node(1) { try await Task.sleep(for: .seconds(600)) }
            return [record]
        }
        synchronisation.ask(peers(1, 2), from: 5)
        // Wanted again, as the core does each second: that must not begin with the first again.
        for _ in 0..<5 {
            try await Task.sleep(for: .milliseconds(300))
            synchronisation.ask(peers(1, 2), from: 5)
        }
        try await eventually("the second brings commits") {
            log.came.withLock { $0.contains(Sample.node(2)) }
        }
        synchronisation.cancel()
    }

    @Test("who refuses or has nothing is followed by the next at once, and all may be in vain")
    func refusing() async throws {
        let record = record
        let synchronisation = synchronisation { peer in
            switch peer {
            case Sample.node(1): throw Refused()
            case Sample.node(2): return []
            default: return [record]
            }
        }
        synchronisation.ask(peers(1, 2), from: 5)
        try await eventually("both were asked") { log.asked.withLock { $0.count == 2 } }
        #expect(log.came.withLock { $0.isEmpty })
        try await eventually("it can be asked again") {
            synchronisation.ask(peers(1, 2, 3), from: 5)
            return log.came.withLock { $0 == peers(3) }
        }
        synchronisation.cancel()
    }

    @Test("another height ends what is under way")
    func otherHeight() async throws {
        let record = record
        let synchronisation = synchronisation { peer in
            if peer == Sample.node(1) { try await Task.sleep(for: .seconds(600)) }
            return [record]
        }
        synchronisation.ask(peers(1), from: 5)
        try await eventually("the first is asked") { log.asked.withLock { $0.count == 1 } }
        synchronisation.ask(peers(2), from: 6)
        try await eventually("the second brings commits") {
            log.came.withLock { $0 == peers(2) }
        }
    }
}
