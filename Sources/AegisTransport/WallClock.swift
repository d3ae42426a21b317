import Glibc

/// The time of day, for certificates and nothing else.
package enum WallClock {
    /// Seconds since 1970, UTC.
    package static func seconds() -> UInt64 { UInt64(clamping: time(nil)) }
}
