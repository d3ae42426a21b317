package import AegisCore
import Synchronization

/// What the last delivery says about a peer.
package enum PeerReachability: Hashable, Sendable {
    case reachable
    /// Refused or reset: its process is gone. A leader-dead hint (PROTOCOL.md §2.12).
    case dead
    /// No answer for some seconds; what was sent is still under way. Frozen, cut off, or slow.
    case silent
    /// No answer, or not the answer of a peer.
    case unreachable(MeshClientError)
}

/// Statements on their way to one peer: in order, in batches, tried again with back-off while the
/// peer is away. Bounded; what is superseded, then what is oldest, gives way. Losing one is
/// allowed: the protocol repeats what matters.
package final class OutboundQueue: Sendable {
    package struct Limits: Hashable, Sendable {
        package var statementsMax: Int
        package var bytesMax: Int
        package var firstDelay: Duration
        package var lastDelay: Duration
        /// After so long without an answer a peer is called silent.
        package var silence: Duration

        /// A peer that is away for a height misses a few statements of each participant.
        package init(
            statementsMax: Int = 1_024, bytesMax: Int = 16 << 20,
            firstDelay: Duration = .milliseconds(500), lastDelay: Duration = .seconds(30),
            silence: Duration = .seconds(3)
        ) {
            self.statementsMax = statementsMax
            self.bytesMax = bytesMax
            self.firstDelay = firstDelay
            self.lastDelay = lastDelay
            self.silence = silence
        }
    }

    private struct Item {
        let number: UInt64
        let key: [UInt8]?
        let statement: [UInt8]
    }

    private struct State {
        var items: [Item] = []
        var bytes = 0
        var next: UInt64 = 0
        var dropped = 0
        var reachability: PeerReachability?
        /// Rises at `wake`, so that a failure that was under way doesn't delay the next attempt.
        var wakes = 0
        var attempt: (task: Task<MeshClientError?, Never>, began: ContinuousClock.Instant)?

        mutating func remove(at index: Int) {
            bytes -= items.remove(at: index).statement.count
        }

        var nextBatch: [Item] {
            Array(items.prefix(StatementBatch.prefixCount(of: items.lazy.map(\.statement))))
        }
    }

    package let node: NodeID
    private let client: MeshClient
    private let limits: Limits
    private let bell = Doorbell()
    private let state = Mutex(State())
    private let onTransition: @Sendable (PeerReachability) -> Void

    /// `onTransition` is told the first reachability and each change.
    package init(
        to node: NodeID, through client: MeshClient, limits: Limits = Limits(),
        onTransition: @escaping @Sendable (PeerReachability) -> Void
    ) {
        self.node = node
        self.client = client
        self.limits = limits
        self.onTransition = onTransition
    }

    /// Queues a statement. With a `key`, it takes the place of an earlier one with the same key
    /// that hasn't left yet (a longer HaveList, a Timeout of a later view).
    package func enqueue(_ statement: [UInt8], superseding key: [UInt8]? = nil) {
        state.withLock { state in
            if let key, let earlier = state.items.firstIndex(where: { $0.key == key }) {
                state.remove(at: earlier)
                state.dropped += 1
            }
            state.items.append(Item(number: state.next, key: key, statement: statement))
            state.next += 1
            state.bytes += statement.count
            while state.items.count > limits.statementsMax
                || (state.bytes > limits.bytesMax && state.items.count > 1)
            {
                state.remove(at: 0)
                state.dropped += 1
            }
        }
        bell.ring()
    }

    /// The peer was heard of: try again at once.
    package func wake() {
        state.withLock { $0.wakes += 1 }
        bell.ring()
    }

    /// The peer is back: a delivery that hangs on a connection of before is made again at once.
    package func startAgain() {
        let task = state.withLock { state -> Task<MeshClientError?, Never>? in
            guard let attempt = state.attempt,
                ContinuousClock().now - attempt.began > Self.quickDelivery
            else { return nil }
            return attempt.task
        }
        task?.cancel()
        wake()
    }

    /// Whatever takes longer may hang.
    private static let quickDelivery = Duration.milliseconds(500)

    package var count: Int { state.withLock { $0.items.count } }
    /// Statements that gave way to others, or that the peer would not take.
    package var droppedCount: Int { state.withLock { $0.dropped } }
    package var reachability: PeerReachability? { state.withLock { $0.reachability } }

    /// Delivers until the task is cancelled.
    package func run() async {
        var failures = 0
        var generator = SystemRandomNumberGenerator()
        while !Task.isCancelled {
            let (batch, wakes) = state.withLock { ($0.nextBatch, $0.wakes) }
            guard !batch.isEmpty else {
                await bell.wait()
                continue
            }
            switch await attempt(batch) {
            case nil:
                delivered(batch, dropped: 0)
                failures = 0
            case .cancelled:
                if Task.isCancelled { return }
            case .some(let error):
                if let delay = failed(error, batch: batch) {
                    failures = 0
                    await bell.wait(atMost: delay)
                } else {
                    failures += 1
                    await backOff(failures, since: wakes, using: &generator)
                }
            }
        }
    }

    /// What went wrong. `startAgain` can end it.
    private func attempt(_ batch: [Item]) async -> MeshClientError? {
        let (client, node, silence) = (client, node, limits.silence)
        let watch = Task {
            do { try await ContinuousClock().sleep(for: silence) } catch { return }
            transition(to: .silent)
        }
        defer { watch.cancel() }
        let task = Task { () -> MeshClientError? in
            do throws(MeshClientError) {
                try await client.post(statements: batch.map(\.statement), to: node)
                return nil
            } catch { return error }
        }
        state.withLock { $0.attempt = (task, ContinuousClock().now) }
        let failure = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        state.withLock { $0.attempt = nil }
        return failure
    }

    private func delivered(_ batch: [Item], dropped: Int) {
        let sent = Set(batch.map(\.number))
        state.withLock { state in
            state.items.removeAll { sent.contains($0.number) }
            state.bytes = state.items.reduce(0) { $0 + $1.statement.count }
            state.dropped += dropped
        }
        transition(to: .reachable)
    }

    /// What a failure says, and how long to wait where the peer has answered.
    private func failed(_ error: MeshClientError, batch: [Item]) -> Duration? {
        switch error {
        case .busy(_, let delay):
            transition(to: .reachable)
            return delay
        case .status(_, 400..<500, _) where error.isAboutTheBatch:
            // It won't be taken another time either.
            delivered(batch, dropped: batch.count)
            return .zero
        case _ where error.saysDead:
            transition(to: .dead)
            return nil
        default:
            transition(to: .unreachable(error))
            return nil
        }
    }

    /// New statements do not shorten it, only `wake` does.
    private func backOff(
        _ failures: Int, since wakes: Int, using generator: inout SystemRandomNumberGenerator
    ) async {
        let clock = ContinuousClock()
        let end =
            clock.now
            + BackOff(first: limits.firstDelay, last: limits.lastDelay)
            .delay(after: failures, using: &generator)
        while !Task.isCancelled, clock.now < end, state.withLock({ $0.wakes }) == wakes {
            await bell.wait(atMost: clock.now.duration(to: end))
        }
    }

    private func transition(to reachability: PeerReachability) {
        let changed = state.withLock { state in
            defer { state.reachability = reachability }
            return state.reachability != reachability
        }
        if changed { onTransition(reachability) }
    }
}

extension MeshClientError {
    /// 403 is about us and may change; the others of the 4xx are about what was sent.
    fileprivate var isAboutTheBatch: Bool {
        guard case .status(_, let status, _) = self else { return false }
        return status == 400 || status == 413
    }
}
