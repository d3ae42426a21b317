/// A point on the monotonic clock, in nanoseconds from an arbitrary start. Only a shell reads the
/// real one; below the shells an instant is always an argument.
package struct Instant: Hashable, Comparable, Sendable {
    package let nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Saturates at both ends of the clock.
    package static func + (instant: Instant, duration: Duration) -> Instant {
        let (seconds, attoseconds) = duration.components
        let delta = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !delta.overflow else {
            return Instant(nanoseconds: seconds < 0 ? 0 : .max)
        }
        let nanoseconds = delta.partialValue + attoseconds / 1_000_000_000
        if nanoseconds < 0 {
            let (value, underflow) = instant.nanoseconds.subtractingReportingOverflow(
                nanoseconds.magnitude)
            return Instant(nanoseconds: underflow ? 0 : value)
        }
        let (value, overflow) = instant.nanoseconds.addingReportingOverflow(nanoseconds.magnitude)
        return Instant(nanoseconds: overflow ? .max : value)
    }

    /// The time from `right` to `left`, negative where `left` is the earlier.
    package static func - (left: Instant, right: Instant) -> Duration {
        left < right
            ? .nanoseconds(-Int64(clamping: right.nanoseconds - left.nanoseconds))
            : .nanoseconds(Int64(clamping: left.nanoseconds - right.nanoseconds))
    }
}
