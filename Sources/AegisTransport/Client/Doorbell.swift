import Synchronization

/// Wakes one waiter, or the next one who comes. Rings do not add up.
package final class Doorbell: Sendable {
    private struct State {
        var rung = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    package init() {}

    package func ring() {
        let waiter = state.withLock { state in
            defer { state.waiter = nil }
            if state.waiter == nil { state.rung = true }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Returns at a ring, when the task is cancelled, or after `limit`.
    package func wait(atMost limit: Duration? = nil) async {
        guard let limit else { return await park() }
        await withTaskGroup { group in
            group.addTask {
                if (try? await Task.sleep(for: limit)) != nil { self.ring() }
            }
            await park()
            group.cancelAll()
        }
    }

    private func park() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let goOn = state.withLock { state in
                    if state.rung || Task.isCancelled {
                        state.rung = false
                        return true
                    }
                    state.waiter = continuation
                    return false
                }
                if goOn { continuation.resume() }
            }
        } onCancel: {
            ring()
        }
    }
}
