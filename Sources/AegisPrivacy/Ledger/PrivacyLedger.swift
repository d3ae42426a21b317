package import AegisCore

/// What a data set has spent of its budget, over all runs and restarts, and the rule that nothing
/// is spent beyond it.
///
/// A value. The shell's part: each entry that an operation returns is on disk, past a power cut,
/// before what it allows happens (before data is touched; before an update is sent).
package struct PrivacyLedger: Sendable {
    package let dataset: String
    package private(set) var policy: OwnerPolicy
    /// The digest of the last entry. Anchored elsewhere, it shows that no entry was cut off.
    package private(set) var head: Digest
    package private(set) var entryCount: UInt64
    /// Digests of the records that are charged here.
    package private(set) var records: Set<Digest> = []
    private var account = LedgerAccount()
    private var states: [ReleaseKey: ChargeState] = [:]
    /// Of the last entry.
    private var time: UInt64
    private let hash: @Sendable ([UInt8]) -> Digest

    /// Opens a new ledger; `entry` is its first line.
    package static func open(
        dataset: String, policy: OwnerPolicy, at time: UInt64,
        hash: @escaping @Sendable ([UInt8]) -> Digest
    ) -> (ledger: PrivacyLedger, entry: [UInt8]) {
        let first = LedgerEntry(
            sequence: 0, previous: .zero, time: time,
            action: .opened(dataset: dataset, policy))
        let entry = first.encoded
        let ledger = PrivacyLedger(
            dataset: dataset, policy: policy, head: hash(entry), time: time, hash: hash)
        return (ledger, entry)
    }

    /// Opens one whose owner sets a lifetime budget and nothing else.
    package static func open(
        dataset: String, budget: PrivacyBudget, hash: @escaping @Sendable ([UInt8]) -> Digest
    ) -> (ledger: PrivacyLedger, entry: [UInt8]) {
        guard let policy = OwnerPolicy(lifetime: budget) else {
            preconditionFailure("a policy of a budget alone has nothing out of range")
        }
        return open(dataset: dataset, policy: policy, at: 0, hash: hash)
    }

    private init(
        dataset: String, policy: OwnerPolicy, head: Digest, time: UInt64,
        hash: @escaping @Sendable ([UInt8]) -> Digest
    ) {
        self.dataset = dataset
        self.policy = policy
        self.head = head
        self.time = time
        self.hash = hash
        entryCount = 1
    }

    /// Reads back what was written. Every link and every rule is checked; with `anchor` given,
    /// also that the line it names is there, unchanged.
    package init(
        replaying entries: some Sequence<[UInt8]>, anchor: LedgerAnchor? = nil,
        hash: @escaping @Sendable ([UInt8]) -> Digest
    ) throws(LedgerError) {
        var ledger: PrivacyLedger?
        var lines = 0
        for bytes in entries {
            let entry: LedgerEntry
            do { entry = try LedgerEntry(decoding: bytes) } catch {
                throw .malformed(line: lines, error)
            }
            guard entry.sequence == UInt64(lines), entry.previous == ledger?.head ?? .zero
            else { throw .brokenChain(line: lines) }
            let digest = hash(bytes)
            if ledger == nil {
                guard case .opened(let dataset, let policy) = entry.action else {
                    throw .ruleBroken(line: lines)
                }
                ledger = PrivacyLedger(
                    dataset: dataset, policy: policy, head: digest, time: entry.time,
                    hash: hash)
            } else if let broken = ledger?.replay(entry, digest: digest), broken {
                throw .ruleBroken(line: lines)
            }
            if let anchor, anchor.sequence == UInt64(lines), anchor.digest != digest {
                throw .edited(line: lines)
            }
            lines += 1
        }
        if let anchor, anchor.sequence >= UInt64(lines) {
            throw .truncated(lines: lines, anchored: anchor.sequence)
        }
        guard let ledger else { throw .empty }
        self = ledger
    }

    package var budget: PrivacyBudget { policy.lifetime }
    /// What to keep elsewhere.
    package var anchor: LedgerAnchor { LedgerAnchor(sequence: entryCount - 1, digest: head) }

    /// ε of everything charged, at the budget's δ.
    package var spent: Double { account.epsilon(delta: budget.delta) }
    package var left: Double { max(0, budget.epsilon - spent) }

    /// ε that a run has cost so far.
    package func spent(inRun run: [UInt8]) -> Double {
        account.restricted { $0.run == run }.epsilon(delta: budget.delta)
    }

    /// ε of the period that ends now; nil where the owner sets none.
    package func spentInPeriod(at now: UInt64) -> Double? {
        policy.period.map { period in
            let now = max(now, time)
            return account.restricted { now - min(now, $0.time) < period }
                .epsilon(delta: budget.delta)
        }
    }

    /// ε after `event`, whether or not the policy allows it.
    package func spent(after event: MechanismEvent) -> Double {
        account.adding(event).epsilon(delta: budget.delta)
    }

    package func state(of key: ReleaseKey) -> ChargeState { states[key] ?? .uncharged }

    /// How often something was charged, attempts that died included, and how often released.
    package var chargeCounts: (reserved: Int, released: Int) {
        let released = states.values.count {
            if case .released = $0 { true } else { false }
        }
        return (account.charges.count, released)
    }

    /// Charges `event` to the release `key`. The attempt must be the one that `state(of:)` leads
    /// to: one for a release never charged, the next after a crash left one unresolved. A release
    /// that exists is never paid twice: the stored update is sent again.
    package mutating func reserve(
        _ key: ReleaseKey, attempt: UInt64 = 1, for charge: Charge, at now: UInt64
    ) throws(BudgetError) -> Reservation {
        switch state(of: key) {
        case .released(_, let update): throw .alreadyReleased(update: update)
        case .uncharged: guard attempt == 1 else { throw .wrongAttempt(expected: 1) }
        case .reserved(let last):
            if attempt == last { throw .alreadyCharged(attempt: last) }
            guard attempt == last + 1 else { throw .wrongAttempt(expected: last + 1) }
        }
        let now = max(now, time)
        try permit(charge, run: key.run, at: now)
        account.add(charge.event, run: key.run, at: now)
        states[key] = .reserved(attempt: attempt)
        let entry = append(.reserved(key, attempt: attempt, charge), at: now)
        return Reservation(key: key, attempt: attempt, charge: charge, entry: entry)
    }

    /// Charges at the owner's own δ, at the time of the last line.
    package mutating func reserve(
        _ key: ReleaseKey, attempt: UInt64 = 1, for event: MechanismEvent
    ) throws(BudgetError) -> Reservation {
        let charge = Charge(event: event, noise: .fast, deltaUnits: budget.deltaUnits)
        return try reserve(key, attempt: attempt, for: charge, at: time)
    }

    /// Resolves a reservation with the update it paid for; returns the entry, to be on disk with
    /// the update before anybody sees it. `used` is the sampler's own account of what was drawn.
    package mutating func commit(
        _ reservation: consuming Reservation, used: MechanismEvent, update: Digest,
        at now: UInt64 = 0
    ) throws(CommitError) -> [UInt8] {
        guard reservation.event.covers(used) else {
            throw .usedMoreThanReserved(used: used, reserved: reservation.event)
        }
        let (key, attempt) = (reservation.key, reservation.attempt)
        guard state(of: key) == .reserved(attempt: attempt) else { throw .notReserved }
        states[key] = .released(attempt: attempt, update: update)
        return append(.released(key, attempt: attempt, update: update), at: now)
    }

    /// The owner's decision, and only the owner's: no message from the mesh leads here.
    package mutating func allow(_ policy: OwnerPolicy, at now: UInt64) -> [UInt8] {
        self.policy = policy
        return append(.policyChanged(policy), at: now)
    }

    /// From now on these records are charged here; nil where they are already.
    package mutating func bind(_ records: Digest, at now: UInt64) -> [UInt8]? {
        guard self.records.insert(records).inserted else { return nil }
        return append(.bound(records: records), at: now)
    }

    private func permit(
        _ charge: Charge, run: [UInt8], at now: UInt64
    ) throws(BudgetError) {
        guard charge.deltaUnits <= budget.deltaUnits else {
            throw .deltaNotAllowed(asked: charge.delta, allowed: budget.delta)
        }
        guard policy.allowsNoise(of: charge.event.mechanism) else {
            throw .tooLittleNoise(
                noiseMultiplier: charge.event.mechanism.noiseMultiplier,
                least: policy.noiseMultiplierMin)
        }
        func check(
            _ scope: BudgetScope, _ account: LedgerAccount, _ budget: Double
        ) throws(BudgetError) {
            let total = account.adding(charge.event).epsilon(delta: self.budget.delta)
            guard total <= budget else {
                let spent = account.epsilon(delta: self.budget.delta)
                throw .exceeded(scope, spent: spent, asked: total - spent, budget: budget)
            }
        }
        try check(.lifetime, account, budget.epsilon)
        if let limit = policy.runEpsilon {
            try check(.run, account.restricted { $0.run == run }, limit)
        }
        if let limit = policy.periodEpsilon, let period = policy.period {
            try check(
                .period(milliseconds: period),
                account.restricted { now - $0.time < period }, limit)
        }
    }

    private mutating func append(_ action: LedgerEntry.Action, at now: UInt64) -> [UInt8] {
        time = max(time, now)
        let entry = LedgerEntry(
            sequence: entryCount, previous: head, time: time, action: action
        ).encoded
        head = hash(entry)
        entryCount += 1
        return entry
    }

    /// Whether `entry` breaks a rule. What was charged beyond a budget that was lowered later
    /// still counts, so the budget itself is not checked here.
    private mutating func replay(_ entry: LedgerEntry, digest: Digest) -> Bool {
        guard entry.time >= time else { return true }
        switch entry.action {
        case .opened: return true
        case .policyChanged(let policy): self.policy = policy
        case .reserved(let key, let attempt, let charge):
            guard state(of: key).nextAttempt == attempt else { return true }
            account.add(charge.event, run: key.run, at: entry.time)
            states[key] = .reserved(attempt: attempt)
        case .released(let key, let attempt, let update):
            guard state(of: key) == .reserved(attempt: attempt) else { return true }
            states[key] = .released(attempt: attempt, update: update)
        case .bound(let records):
            guard self.records.insert(records).inserted else { return true }
        }
        time = entry.time
        head = digest
        entryCount += 1
        return false
    }
}
