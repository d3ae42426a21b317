/// How long to wait after so many failures in a row: doubling up to a limit, and then anything from
/// a tenth of that to all of it, so that peers which failed together don't come back together
/// (PROTOCOL.md §2.12).
package struct BackOff: Hashable, Sendable {
    package let first: Duration
    package let last: Duration

    package init(first: Duration, last: Duration) {
        self.first = first
        self.last = last
    }

    package func delay(
        after failures: Int, using generator: inout some RandomNumberGenerator
    ) -> Duration {
        let ceiling = min(first * (1 << min(max(failures, 1) - 1, 16)), last)
        return ceiling * Int64.random(in: 100...1_000, using: &generator) / 1_000
    }
}
