package import AegisCore

/// What a data set has spent of its budget, over all runs and restarts, and the rule that nothing
/// is spent beyond it.
///
/// A value. The shell's part: each entry that an operation returns is on disk, past a power cut,
/// before what it allows happens (before data is touched; before an update is sent).
package struct PrivacyLedger: Sendable {
    package let dataset: String
    package private(set) var budget: PrivacyBudget
    /// The digest of the last entry. Anchored elsewhere, it shows that no entry was cut off.
    package private(set) var head: Digest
    package private(set) var entryCount: UInt64
    private var accountant = RDPAccountant()
    private var charges: [ReleaseKey: ChargeState] = [:]
    private let hash: @Sendable ([UInt8]) -> Digest

    /// Opens a new ledger; `entry` is its first line.
    package static func open(
        dataset: String, budget: PrivacyBudget, hash: @escaping @Sendable ([UInt8]) -> Digest
    ) -> (ledger: PrivacyLedger, entry: [UInt8]) {
        let entry = LedgerEntry(
            sequence: 0, previous: .zero, action: .opened(dataset: dataset, budget)
        ).encoded
        let ledger = PrivacyLedger(
            dataset: dataset, budget: budget, head: hash(entry), hash: hash)
        return (ledger, entry)
    }

    private init(
        dataset: String, budget: PrivacyBudget, head: Digest,
        hash: @escaping @Sendable ([UInt8]) -> Digest
    ) {
        self.dataset = dataset
        self.budget = budget
        self.head = head
        self.hash = hash
        entryCount = 1
    }

    /// Reads back what was written. Every link and every rule is checked; with `head` given, also
    /// that the last entry is the last one written.
    package init(
        replaying entries: some Sequence<[UInt8]>, head: Digest? = nil,
        hash: @escaping @Sendable ([UInt8]) -> Digest
    ) throws(LedgerError) {
        var ledger: PrivacyLedger?
        for (index, bytes) in entries.enumerated() {
            let entry: LedgerEntry
            do { entry = try LedgerEntry(decoding: bytes) } catch {
                throw .malformed(index: index, error)
            }
            guard entry.sequence == UInt64(index), entry.previous == ledger?.head ?? .zero else {
                throw .brokenChain(index: index)
            }
            if ledger == nil {
                guard case .opened(let dataset, let budget) = entry.action else {
                    throw .ruleBroken(index: index)
                }
                ledger = PrivacyLedger(
                    dataset: dataset, budget: budget, head: hash(bytes), hash: hash)
            } else if let broken = ledger?.replay(entry, digest: hash(bytes)), broken {
                throw .ruleBroken(index: index)
            }
        }
        guard let ledger else { throw .empty }
        if let head, head != ledger.head { throw .cutOff }
        self = ledger
    }

    /// ε of everything charged, at the budget's δ.
    package var spent: Double { accountant.epsilon(delta: budget.delta) }
    package var left: Double { max(0, budget.epsilon - spent) }

    package func state(of key: ReleaseKey) -> ChargeState { charges[key] ?? .uncharged }

    /// How often something was charged, attempts that died included, and how often released.
    package var chargeCounts: (reserved: Int, released: Int) {
        var counts = (reserved: 0, released: 0)
        for charge in charges.values {
            switch charge {
            case .uncharged: break
            case .reserved(let attempt): counts.reserved += Int(clamping: attempt)
            case .released(let attempt, _):
                counts.reserved += Int(clamping: attempt)
                counts.released += 1
            }
        }
        return counts
    }

    /// ε after `event`, whether or not the budget allows it.
    package func spent(after event: MechanismEvent) -> Double {
        accountant.composing(event).epsilon(delta: budget.delta)
    }

    /// Charges `event` to the release `key`. The attempt must be the one that `state(of:)` leads
    /// to: one for a release never charged, the next after a crash left one unresolved. A release
    /// that exists is never paid twice: the stored update is sent again.
    package mutating func reserve(
        _ key: ReleaseKey, attempt: UInt64 = 1, for event: MechanismEvent
    ) throws(BudgetError) -> Reservation {
        switch state(of: key) {
        case .released(_, let update): throw .alreadyReleased(update: update)
        case .uncharged: guard attempt == 1 else { throw .wrongAttempt(expected: 1) }
        case .reserved(let last):
            if attempt == last { throw .alreadyCharged(attempt: last) }
            guard attempt == last + 1 else { throw .wrongAttempt(expected: last + 1) }
        }
        let composed = accountant.composing(event)
        let total = composed.epsilon(delta: budget.delta)
        guard total <= budget.epsilon else {
            throw .exceeded(spent: spent, asked: total - spent, budget: budget.epsilon)
        }
        accountant = composed
        charges[key] = .reserved(attempt: attempt)
        let entry = append(.reserved(key, attempt: attempt, event))
        return Reservation(key: key, attempt: attempt, event: event, entry: entry)
    }

    /// Resolves a reservation with the update it paid for; returns the entry, to be on disk with
    /// the update before anybody sees it. `used` is the sampler's own account of what was drawn.
    package mutating func commit(
        _ reservation: consuming Reservation, used: MechanismEvent, update: Digest
    ) throws(CommitError) -> [UInt8] {
        guard reservation.event.covers(used) else {
            throw .usedMoreThanReserved(used: used, reserved: reservation.event)
        }
        let (key, attempt) = (reservation.key, reservation.attempt)
        guard state(of: key) == .reserved(attempt: attempt) else { throw .notReserved }
        charges[key] = .released(attempt: attempt, update: update)
        return append(.released(key, attempt: attempt, update: update))
    }

    /// The owner's decision, and only the owner's: no message from the mesh leads here.
    package mutating func allow(_ budget: PrivacyBudget) -> [UInt8] {
        self.budget = budget
        return append(.budgeted(budget))
    }

    private mutating func append(_ action: LedgerEntry.Action) -> [UInt8] {
        let entry = LedgerEntry(sequence: entryCount, previous: head, action: action).encoded
        head = hash(entry)
        entryCount += 1
        return entry
    }

    /// Whether `entry` breaks a rule. What was charged beyond a budget that was lowered later
    /// still counts, so the budget itself is not checked here.
    private mutating func replay(_ entry: LedgerEntry, digest: Digest) -> Bool {
        switch entry.action {
        case .opened: return true
        case .budgeted(let budget): self.budget = budget
        case .reserved(let key, let attempt, let event):
            guard state(of: key).nextAttempt == attempt else { return true }
            accountant.compose(event)
            charges[key] = .reserved(attempt: attempt)
        case .released(let key, let attempt, let update):
            guard state(of: key) == .reserved(attempt: attempt) else { return true }
            charges[key] = .released(attempt: attempt, update: update)
        }
        head = digest
        entryCount += 1
        return false
    }
}

/// What a ledger knows of one release.
package enum ChargeState: Hashable, Sendable {
    case uncharged
    /// Paid for, and no update: either training goes on, or it died. Training again is the next
    /// attempt.
    case reserved(attempt: UInt64)
    /// Paid for, and this is the update. It is sent again as often as needed, never drawn again.
    case released(attempt: UInt64, update: Digest)

    /// The attempt to reserve before training; nil where there is nothing to train.
    package var nextAttempt: UInt64? {
        switch self {
        case .uncharged: 1
        case .reserved(let attempt): attempt + 1
        case .released: nil
        }
    }
}

/// Paid: one training may touch the data. Cannot be copied, so it cannot pay twice; dropped
/// without a commit it stays charged.
package struct Reservation: ~Copyable, Sendable {
    package let key: ReleaseKey
    package let attempt: UInt64
    package let event: MechanismEvent
    /// The ledger's line, to be on disk before data is touched.
    package let entry: [UInt8]

    fileprivate init(key: ReleaseKey, attempt: UInt64, event: MechanismEvent, entry: [UInt8]) {
        self.key = key
        self.attempt = attempt
        self.event = event
        self.entry = entry
    }
}

/// Why a charge was refused.
package enum BudgetError: Error, Hashable, Sendable {
    /// ε: what is spent, what the event would add, and what the owner allows.
    case exceeded(spent: Double, asked: Double, budget: Double)
    /// This attempt was charged before and its update is not known: train as the next attempt.
    case alreadyCharged(attempt: UInt64)
    case alreadyReleased(update: Digest)
    case wrongAttempt(expected: UInt64)
}

/// Why a release cannot be recorded. Its reservation stays spent.
package enum CommitError: Error, Hashable, Sendable {
    case usedMoreThanReserved(used: MechanismEvent, reserved: MechanismEvent)
    case notReserved
}

/// Why bytes are not the ledger they should be. Indices count entries from zero.
package enum LedgerError: Error, Hashable, Sendable {
    case empty
    case malformed(index: Int, StatementError)
    case brokenChain(index: Int)
    case ruleBroken(index: Int)
    /// The last entry is not the one that was anchored.
    case cutOff
}
