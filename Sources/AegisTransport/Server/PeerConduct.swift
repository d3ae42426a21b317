package import NIOCore

/// What one peer may still ask, and whether it is cut off: a bucket of requests that fills again,
/// and strikes for what no honest peer does. A value, so that it is tested without a clock.
package struct PeerConduct: Sendable {
    package enum Verdict: Hashable, Sendable {
        case fine
        /// Too much at once: answered with 429, and a strike.
        case tooFast
        /// Has just been cut off.
        case cutOff
    }

    private var requests = Double(TransportLimits.requestsBurst)
    private var filledAt: NIODeadline
    private var strikes = 0
    private var strikesSince: NIODeadline
    package private(set) var cutOffUntil: NIODeadline?

    package init(now: NIODeadline) {
        filledAt = now
        strikesSince = now
    }

    package func isCutOff(now: NIODeadline) -> Bool { cutOffUntil.map { now < $0 } ?? false }

    /// One more request.
    package mutating func request(now: NIODeadline) -> Verdict {
        if isCutOff(now: now) { return .cutOff }
        let passed = Double((now - filledAt).nanoseconds) / 1e9
        requests = min(
            Double(TransportLimits.requestsBurst),
            requests + passed * Double(TransportLimits.requestsPerSecond))
        filledAt = now
        guard requests < 1 else {
            requests -= 1
            return .fine
        }
        return strike(now: now) ? .cutOff : .tooFast
    }

    /// Something no honest peer does; whether that was once too often.
    package mutating func strike(now: NIODeadline) -> Bool {
        if now - strikesSince > TransportLimits.strikesForgotten {
            strikes = 0
            strikesSince = now
        }
        strikes += 1
        guard strikes >= TransportLimits.strikesMax else { return false }
        strikes = 0
        cutOffUntil = now + TransportLimits.cutOffTime
        return true
    }
}
