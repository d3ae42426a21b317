import AegisTelemetry
import Synchronization

/// Wakes whoever follows the mesh, after each look at it. A stream that is behind misses wakes and
/// no news: what it sends is the difference to what it sent before.
package final class EventFeed: Sendable {
    private struct State {
        var revision: UInt64 = 1
        var listeners: [UInt64: AsyncStream<UInt64>.Continuation] = [:]
        var next: UInt64 = 0
    }

    private let state = Mutex(State())

    package init() {}

    package var revision: UInt64 { state.withLock { $0.revision } }

    /// Something may have changed.
    package func publish() {
        state.withLock { state in
            state.revision += 1
            for listener in state.listeners.values { listener.yield(state.revision) }
        }
    }

    /// The revisions from now on, beginning with the present one.
    func revisions() -> AsyncStream<UInt64> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: UInt64.self, bufferingPolicy: .bufferingNewest(1))
        state.withLock { state in
            let number = state.next
            state.next += 1
            state.listeners[number] = continuation
            continuation.yield(state.revision)
            continuation.onTermination = { [weak self] _ in self?.forget(number) }
        }
        return stream
    }

    private func forget(_ number: UInt64) {
        state.withLock { _ = $0.listeners.removeValue(forKey: number) }
    }
}

/// What is the same for everybody who asks at one revision, computed once.
actor SnapshotCache<Value: Sendable> {
    private var known: [String: (revision: UInt64, task: Task<Value, any Error>)] = [:]
    private static var keysMax: Int { 64 }

    func value(
        _ key: String, at revision: UInt64,
        make: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        if let entry = known[key], entry.revision >= revision { return try await entry.task.value }
        if known.count >= Self.keysMax { known.removeAll() }
        // Owned by the table; all who wait for the value wait for it.
        let task = Task { try await make() }
        known[key] = (revision, task)
        return try await task.value
    }
}
