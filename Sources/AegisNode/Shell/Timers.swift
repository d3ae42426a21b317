import AegisCore
import AegisProtocol

/// The core's timers as sleeping tasks, one for each timer that runs. Owned by the loop; nothing
/// else starts or stops one.
struct Timers: ~Copyable {
    private var tasks: [TimerID: Task<Void, Never>] = [:]
    private let inbox: Inbox

    init(inbox: Inbox) { self.inbox = inbox }

    /// Starts a timer, or moves it where it already runs.
    mutating func start(_ timer: TimerID, at instant: Instant) {
        cancel(timer)
        let inbox = inbox
        tasks[timer] = Task {
            let delay = instant - MachineClock.now
            if delay > .zero {
                do { try await Task.sleep(for: delay) } catch { return }
            }
            guard !Task.isCancelled else { return }
            inbox.add(.elapsed(timer))
        }
    }

    mutating func cancel(_ timer: TimerID) {
        tasks.removeValue(forKey: timer)?.cancel()
    }

    deinit {
        for task in tasks.values { task.cancel() }
    }
}
