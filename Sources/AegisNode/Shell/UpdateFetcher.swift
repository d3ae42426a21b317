import AegisCore
import AegisProtocol
import Synchronization

/// Gets the updates of a round: downloads each blob, checks its content, and tells the core. Keeps
/// trying until the round is over; an update that arrived and is not acceptable is final.
final class UpdateFetcher: Sendable {
    private struct Running {
        let round: Int
        let task: Task<Void, Never>
    }

    private let running = Mutex<[Digest: Running]>([:])
    private let inbox: Inbox
    /// Returns when the blob is here and checked.
    private let obtain: @Sendable (FetchRequest) async throws -> Void
    /// A transfer that failed, for the log; it will be tried again.
    private let failed: @Sendable (FetchRequest, any Error) -> Void

    init(
        inbox: Inbox,
        obtain: @escaping @Sendable (FetchRequest) async throws -> Void,
        failed: @escaping @Sendable (FetchRequest, any Error) -> Void
    ) {
        self.inbox = inbox
        self.obtain = obtain
        self.failed = failed
    }

    /// Begins to fetch; a repeated request goes on with the new holders, once the earlier one has
    /// let go of the blob.
    func fetch(_ request: FetchRequest) {
        running.withLock { running in
            let earlier = running[request.update]?.task
            earlier?.cancel()
            running[request.update] = Running(
                round: request.statement.round,
                task: Task {
                    await earlier?.value
                    await run(request)
                })
        }
    }

    /// Forgets what belongs to rounds up to this one.
    func finish(through round: Int) {
        running.withLock { running in
            for (update, entry) in running where entry.round <= round {
                entry.task.cancel()
                running[update] = nil
            }
        }
    }

    func cancelAll() {
        running.withLock { running in
            for entry in running.values { entry.task.cancel() }
            running = [:]
        }
    }

    @concurrent
    private func run(_ request: FetchRequest) async {
        var delay = Duration.milliseconds(200)
        while !Task.isCancelled {
            do {
                try await obtain(request)
                return inbox.add(.held(update: request.update))
            } catch let fault as UpdateFault {
                return inbox.add(.refused(update: request.update, reason: fault.description))
            } catch is CancellationError {
                return
            } catch {
                guard !Task.isCancelled else { return }
                failed(request, error)
            }
            do { try await Task.sleep(for: delay) } catch { return }
            delay = min(delay * 2, .seconds(5))
        }
    }
}

/// Why the content of an update is not acceptable: the same on every node.
package enum UpdateFault: Error, Hashable, Sendable, CustomStringConvertible {
    case notSafetensors(String)
    case wrongShape(expected: Int, actual: Int)
    case notFinite(index: Int)
    case normAboveBound(norm: Double, bound: Double)
    case weightOutOfBounds(weight: Double, max: Double)

    package var description: String {
        switch self {
        case .notSafetensors(let reason): "the update is no safetensors file of ours: \(reason)"
        case .wrongShape(let expected, let actual):
            "the update has \(actual) parameters, the model \(expected)"
        case .notFinite(let index): "the update has a value at \(index) that is not finite"
        case .normAboveBound(let norm, let bound):
            "the update's norm \(norm) is above the declared bound \(bound)"
        case .weightOutOfBounds(let weight, let max):
            "the update's weight \(weight) is not between zero and \(max)"
        }
    }
}
