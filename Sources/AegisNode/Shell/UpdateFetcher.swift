import AegisCore
package import AegisProtocol
import Synchronization

/// Gets the updates of a round: downloads each blob, checks its content, and tells the core. Keeps
/// trying until the round is over; an update that arrived and is not acceptable is final.
package final class UpdateFetcher: Sendable {
    /// A transfer that has brought nothing for so long is begun anew once another holder is known.
    private static let patience = Duration.seconds(1)

    private struct Running {
        /// What the present attempt was begun with.
        var attempt: FetchRequest
        /// With the holders known by now: the next attempt is theirs.
        var request: FetchRequest
        let task: Task<Void, Never>
        let progress: Progress
    }

    package typealias Obtain =
        @Sendable (FetchRequest, _ moved: @escaping @Sendable () -> Void) async throws -> Void

    private let running = Mutex<[Digest: Running]>([:])
    private let inbox: Inbox
    /// Returns when the blob is here and checked; calls `moved` whenever bytes came.
    private let obtain: Obtain
    /// A transfer that failed, for the log; it will be tried again.
    private let failed: @Sendable (FetchRequest, any Error) -> Void

    package init(
        inbox: Inbox,
        obtain: @escaping Obtain,
        failed: @escaping @Sendable (FetchRequest, any Error) -> Void
    ) {
        self.inbox = inbox
        self.obtain = obtain
        self.failed = failed
    }

    /// Begins to fetch. A repeated request tells who else holds the blob: a transfer that moves
    /// goes on, one that doesn't starts again with all of them.
    package func fetch(_ request: FetchRequest) {
        running.withLock { running in
            if let earlier = running[request.update] {
                running[request.update]?.request = request
                guard earlier.attempt.from != request.from, earlier.progress.age > Self.patience
                else { return }
                earlier.task.cancel()
                running[request.update] = begin(request, after: earlier.task)
            } else {
                running[request.update] = begin(request, after: nil)
            }
        }
    }

    private func begin(_ request: FetchRequest, after earlier: Task<Void, Never>?) -> Running {
        let progress = Progress()
        let task = Task {
            // It has to let go of the blob first.
            await earlier?.value
            await run(request, progress)
        }
        return Running(attempt: request, request: request, task: task, progress: progress)
    }

    /// Forgets what belongs to rounds up to this one.
    package func finish(through round: Int) {
        running.withLock { running in
            for (update, entry) in running where entry.request.statement.round <= round {
                entry.task.cancel()
                running[update] = nil
            }
        }
    }

    package func cancelAll() {
        running.withLock { running in
            for entry in running.values { entry.task.cancel() }
            running = [:]
        }
    }

    @concurrent
    private func run(_ first: FetchRequest, _ progress: Progress) async {
        var request = first
        var delay = Duration.milliseconds(200)
        while !Task.isCancelled {
            progress.note()
            do {
                try await obtain(request) { progress.note() }
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
            request = running.withLock { running in
                guard let known = running[first.update]?.request else { return first }
                running[first.update]?.attempt = known
                return known
            }
        }
    }
}

/// When a transfer last moved.
private final class Progress: Sendable {
    private let nanoseconds = Atomic(MachineClock.now.nanoseconds)

    func note() { nanoseconds.store(MachineClock.now.nanoseconds, ordering: .relaxed) }

    var age: Duration {
        MachineClock.now - Instant(nanoseconds: nanoseconds.load(ordering: .relaxed))
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
