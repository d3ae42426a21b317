/// 128 bits of what makes a state: two different ones among a hundred million share them with a
/// chance of less than 10⁻²².
struct Fingerprint: Hashable, Comparable {
    private(set) var high: UInt64 = 0x6a09_e667_f3bc_c908
    private(set) var low: UInt64 = 0xbb67_ae85_84ca_a73b

    static let zero = Fingerprint(high: 0, low: 0)

    init() {}

    private init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    mutating func add(_ word: UInt64) {
        high = (high ^ word).mixed
        low = (low &+ word &* 0xd1b5_4a32_d192_ed03 &+ 0x9e37_79b9_7f4a_7c15).mixed
    }

    mutating func add(_ number: Int) { add(UInt64(bitPattern: Int64(number))) }

    mutating func add(_ other: Fingerprint) {
        add(other.high)
        add(other.low)
    }

    static func < (left: Self, right: Self) -> Bool {
        left.high == right.high ? left.low < right.low : left.high < right.high
    }
}

/// Fingerprints that were seen: 16 bytes each, in a table that is never more than three quarters
/// full.
struct FingerprintSet {
    private var slots: [Fingerprint] = Array(repeating: .zero, count: 1 << 12)
    private(set) var count = 0

    /// Of the table.
    var byteCount: Int { slots.count * 16 }

    /// False where it was there already.
    mutating func insert(_ new: Fingerprint) -> Bool {
        if count * 4 >= slots.count * 3 { grow() }
        guard place(new) else { return false }
        count += 1
        return true
    }

    private mutating func place(_ new: Fingerprint) -> Bool {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: new.low) & mask
        while slots[slot] != .zero {
            if slots[slot] == new { return false }
            slot = (slot + 1) & mask
        }
        slots[slot] = new
        return true
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: .zero, count: old.count * 2)
        for there in old where there != .zero { _ = place(there) }
    }
}
