import AegisCore
import Glibc

/// The clocks of this machine: the only place below which time is not an argument.
enum MachineClock {
    /// CLOCK_MONOTONIC.
    static var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(
            nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    /// Milliseconds since 1970, UTC.
    static var wallMilliseconds: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) * 1_000 + UInt64(time.tv_nsec) / 1_000_000
    }

    static var wallSeconds: UInt64 { wallMilliseconds / 1_000 }
}
