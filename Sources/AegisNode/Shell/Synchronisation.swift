package import AegisCore
package import AegisProtocol
import Synchronization

/// Gets the commits of heights that this node lacks, from whoever has them. A peer that answers
/// with nothing, or not within a second, is not waited for: the next one is asked, too.
package final class Synchronisation: Sendable {
    private static let patience = Duration.seconds(1)

    private struct Running {
        let height: UInt64
        let task: Task<Void, Never>
    }

    package typealias Obtain =
        @Sendable (_ height: UInt64, _ peer: NodeID) async throws -> [CommitRecord]

    private let running = Mutex<Running?>(nil)
    private let obtain: Obtain
    private let came: @Sendable ([CommitRecord], NodeID) -> Void
    /// A peer that gave no commits, for the log.
    private let failed: @Sendable (NodeID, any Error) -> Void

    package init(
        _ obtain: @escaping Obtain,
        came: @escaping @Sendable ([CommitRecord], NodeID) -> Void,
        failed: @escaping @Sendable (NodeID, any Error) -> Void
    ) {
        self.obtain = obtain
        self.came = came
        self.failed = failed
    }

    /// Begins to ask. What is under way for the same height goes on, however often it is wanted.
    package func ask(_ peers: [NodeID], from height: UInt64) {
        running.withLock { running in
            guard running?.height != height else { return }
            running?.task.cancel()
            let task = Task {
                await run(peers, from: height)
                self.running.withLock { if $0?.height == height { $0 = nil } }
            }
            running = Running(height: height, task: task)
        }
    }

    package func cancel() {
        running.withLock { running in
            running?.task.cancel()
            running = nil
        }
    }

    private enum Step {
        case brought([CommitRecord], NodeID)
        case nothing
        case waited
    }

    private func run(_ peers: [NodeID], from height: UInt64) async {
        await withTaskGroup(of: Step.self) { group in
            var rest = peers[...]
            var asked = 0
            func askNext() {
                guard let peer = rest.popFirst() else { return }
                asked += 1
                group.addTask { await self.obtained(height, from: peer) }
                group.addTask {
                    try? await Task.sleep(for: Self.patience)
                    return .waited
                }
            }
            askNext()
            while asked > 0, let step = await group.next() {
                switch step {
                case .brought(let records, let peer):
                    if !Task.isCancelled { came(records, peer) }
                    return group.cancelAll()
                case .nothing:
                    asked -= 1
                    askNext()
                case .waited: askNext()
                }
            }
            group.cancelAll()
        }
    }

    private func obtained(_ height: UInt64, from peer: NodeID) async -> Step {
        do {
            let records = try await obtain(height, peer)
            return records.isEmpty ? .nothing : .brought(records, peer)
        } catch {
            if !Task.isCancelled { failed(peer, error) }
            return .nothing
        }
    }
}
