import Synchronization

/// The nonces of offers that are still good. Bounded: a flood of questions pushes out the oldest,
/// whose joiners ask again.
package final class NonceBook: Sendable {
    private struct Page {
        var order: [(nonce: [UInt8], until: UInt64)] = []
        var known: Set<[UInt8]> = []
    }

    private let page = Mutex(Page())
    private static let noncesMax = 4_096
    private static let secondsMax: UInt64 = 300

    package init() {}

    package func issue(_ nonce: [UInt8], now: UInt64) {
        page.withLock { page in
            Self.forget(&page, now: now, roomFor: 1)
            page.order.append((nonce, now + Self.secondsMax))
            page.known.insert(nonce)
        }
    }

    package func isIssued(_ nonce: [UInt8], now: UInt64) -> Bool {
        page.withLock { page in
            Self.forget(&page, now: now, roomFor: 0)
            return page.known.contains(nonce)
        }
    }

    private static func forget(_ page: inout Page, now: UInt64, roomFor count: Int) {
        let stale = page.order.prefix { $0.until < now }.count
        let surplus = page.order.count + count - noncesMax
        for entry in page.order.prefix(max(stale, surplus)) { page.known.remove(entry.nonce) }
        page.order.removeFirst(max(0, max(stale, surplus)))
    }
}
