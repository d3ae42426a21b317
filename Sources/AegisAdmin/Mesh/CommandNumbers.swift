import Synchronization

/// Gives each command a number above all before: the clock's, so that numbers still grow for an
/// admin whose store was restored.
package final class CommandNumbers: Sendable {
    private let last = Mutex<UInt64>(0)

    package init() {}

    /// `known` is the highest number that the chain and the store have.
    package func next(after known: UInt64, now: UInt64) -> UInt64 {
        last.withLock { last in
            last = max(now, known + 1, last + 1)
            return last
        }
    }
}
