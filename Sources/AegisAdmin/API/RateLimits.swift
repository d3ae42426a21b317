import AegisAPI
import Synchronization

/// How often a principal may call what is sensitive or costly.
package struct RateSettings: Codable, Hashable, Sendable {
    /// Tokens, certificates, whole-log walks: calls a minute.
    package var sensitivePerMinute: Int
    /// Calibration and the like: calls a second.
    package var costlyPerSecond: Int

    package init(sensitivePerMinute: Int = 30, costlyPerSecond: Int = 20) {
        self.sensitivePerMinute = sensitivePerMinute
        self.costlyPerSecond = costlyPerSecond
    }
}

/// Token buckets, one for each principal and kind of call.
package final class RateLimiter: Sendable {
    private struct Bucket {
        var tokens: Double
        /// Milliseconds since 1970.
        var at: UInt64
        var refusalWritten = false
    }

    private struct Key: Hashable {
        let principal: String
        let kind: Kind
    }

    enum Kind: Hashable { case sensitive, costly, refusal }

    enum Verdict: Equatable {
        case passes
        /// `isFirst`: since the bucket was last not empty, so that a flood is written down once.
        case waits(seconds: Int, isFirst: Bool)
    }

    private let settings: Mutex<RateSettings>
    private let buckets = Mutex<[Key: Bucket]>([:])
    /// Full buckets are forgotten beyond this.
    private static let bucketsMax = 4_096

    package init(_ settings: RateSettings) { self.settings = Mutex(settings) }

    func change(_ settings: RateSettings) { self.settings.withLock { $0 = settings } }

    func take(_ kind: Kind, of principal: String, now: UInt64) -> Verdict {
        let (size, perMillisecond) = rate(kind)
        return buckets.withLock { buckets in
            if buckets.count > Self.bucketsMax { buckets.removeAll() }
            let key = Key(principal: principal, kind: kind)
            var bucket = buckets[key] ?? Bucket(tokens: size, at: now)
            let elapsed = Double(now > bucket.at ? now - bucket.at : 0)
            bucket.tokens = min(size, bucket.tokens + elapsed * perMillisecond)
            bucket.at = max(now, bucket.at)
            defer { buckets[key] = bucket }
            guard bucket.tokens < 1 else {
                bucket.tokens -= 1
                bucket.refusalWritten = false
                return .passes
            }
            let isFirst = !bucket.refusalWritten
            bucket.refusalWritten = true
            let wait = (1 - bucket.tokens) / perMillisecond / 1_000
            return .waits(seconds: max(1, Int(wait.rounded(.up))), isFirst: isFirst)
        }
    }

    private func rate(_ kind: Kind) -> (size: Double, perMillisecond: Double) {
        let settings = settings.withLock { $0 }
        switch kind {
        case .sensitive:
            let perMinute = Double(settings.sensitivePerMinute)
            return (perMinute, perMinute / 60_000)
        case .costly:
            let perSecond = Double(settings.costlyPerSecond)
            return (2 * perSecond, perSecond / 1_000)
        // Refusals that are written to the audit log: a flood of them must not fill the disk.
        case .refusal: return (120, 1.0 / 1_000)
        }
    }
}
