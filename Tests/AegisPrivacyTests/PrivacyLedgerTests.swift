import AegisCore
import AegisPrivacy
import Testing

/// Stands in for SHA-256 where only difference matters: FNV-1a in four lanes.
@Sendable private func testHash(_ bytes: [UInt8]) -> Digest {
    var out: [UInt8] = []
    for lane in UInt64(0)..<4 {
        var state: UInt64 = 0xcbf2_9ce4_8422_2325 &+ lane
        for byte in bytes { state = (state ^ UInt64(byte)) &* 0x100_0000_01b3 }
        for shift in stride(from: 56, through: 0, by: -8) {
            out.append(UInt8(truncatingIfNeeded: state >> UInt64(shift)))
        }
    }
    return Digest(out) ?? .zero
}

@Suite("The privacy ledger")
struct PrivacyLedgerTests {
    private let key = ReleaseKey(run: Array(0..<16), round: 1)

    private func event(steps: Int) throws -> MechanismEvent {
        try #require(PoissonSampler(samplingRate: 0.05, noiseMultiplier: 1, recordCount: 100))
            .event(afterSteps: steps)
    }

    private func open(epsilon: Double = 3) throws -> (ledger: PrivacyLedger, lines: [[UInt8]]) {
        let budget = try #require(PrivacyBudget(epsilon: epsilon, delta: 1e-5))
        let (ledger, entry) = PrivacyLedger.open(
            dataset: "fashion-mnist", budget: budget, hash: testHash)
        return (ledger, [entry])
    }

    @Test("reserve, commit, replay: the same spending, the same head")
    func roundTrip() throws {
        var (ledger, lines) = try open(epsilon: 5)
        for round in UInt64(1)...5 {
            let key = ReleaseKey(run: [1, 2, 3], round: round)
            let event = try event(steps: 20)
            let reservation = try ledger.reserve(key, for: event)
            lines.append(reservation.entry)
            let digest = testHash([UInt8(round)])
            lines.append(try ledger.commit(reservation, used: event, update: digest))
            #expect(ledger.state(of: key) == .released(attempt: 1, update: digest))
        }
        let replayed = try PrivacyLedger(replaying: lines, anchor: ledger.anchor, hash: testHash)
        #expect(replayed.spent == ledger.spent)
        #expect(replayed.spent > 0)
        #expect(replayed.head == ledger.head)
        #expect(replayed.entryCount == 11)
        #expect(replayed.budget == ledger.budget)
        #expect(replayed.dataset == "fashion-mnist")
        var single = PrivacyAccountant()
        single.compose(try event(steps: 100))
        #expect(replayed.spent == single.epsilon(atDelta: 1e-5))
    }

    @Test("a charge beyond the budget is refused, names the figures, and changes nothing")
    func exceeded() throws {
        var (ledger, _) = try open(epsilon: 2.5)
        let first = try ledger.reserve(key, for: event(steps: 10))
        let (spent, head) = (ledger.spent, ledger.head)
        _ = consume first
        let big = try event(steps: 10_000)
        let total = ledger.spent(after: big)
        do {
            _ = try ledger.reserve(ReleaseKey(run: [9], round: 1), for: big)
            Issue.record("was granted")
        } catch {
            #expect(error == .exceeded(.lifetime, spent: spent, asked: total - spent, budget: 2.5))
        }
        #expect(ledger.spent == spent && ledger.head == head)
        #expect(ledger.state(of: ReleaseKey(run: [9], round: 1)) == .uncharged)
    }

    @Test("a crash between reservation and release counts as spent, and training again pays again")
    func crash() throws {
        var (ledger, lines) = try open()
        let event = try event(steps: 20)
        lines.append(try ledger.reserve(key, for: event).entry)
        var restarted = try PrivacyLedger(replaying: lines, hash: testHash)
        #expect(restarted.spent == ledger.spent)
        #expect(restarted.state(of: key) == .reserved(attempt: 1))
        expect(.alreadyCharged(attempt: 1)) {
            _ = try restarted.reserve(key, attempt: 1, for: event)
        }
        expect(.wrongAttempt(expected: 2)) {
            _ = try restarted.reserve(key, attempt: 3, for: event)
        }
        let before = restarted.spent
        let again = try restarted.reserve(key, attempt: 2, for: event)
        #expect(restarted.spent > before)
        let update = testHash([7])
        _ = try restarted.commit(again, used: event, update: update)
        expect(.alreadyReleased(update: update)) {
            _ = try restarted.reserve(key, attempt: 3, for: event)
        }
        #expect(restarted.state(of: key).nextAttempt == nil)
    }

    private func expect(
        _ expected: BudgetError, _ body: () throws -> Void
    ) {
        do {
            try body()
            Issue.record("was granted instead of \(expected)")
        } catch {
            #expect(error as? BudgetError == expected)
        }
    }

    @Test("a sampler that drew more than was reserved gets no release, and stays charged")
    func overdrawn() throws {
        var (ledger, _) = try open()
        let reservation = try ledger.reserve(key, for: event(steps: 5))
        let spent = ledger.spent
        do {
            _ = try ledger.commit(reservation, used: event(steps: 6), update: .zero)
            Issue.record("was recorded")
        } catch let error as CommitError {
            #expect(
                error
                    == .usedMoreThanReserved(
                        used: try event(steps: 6), reserved: try event(steps: 5)))
        }
        #expect(ledger.state(of: key) == .reserved(attempt: 1))
        #expect(ledger.spent == spent)
    }

    @Test("any changed, dropped, moved or repeated line is refused")
    func tampered() throws {
        var (ledger, lines) = try open()
        for round in UInt64(1)...3 {
            let event = try event(steps: 5)
            let reservation = try ledger.reserve(ReleaseKey(run: [1], round: round), for: event)
            lines.append(reservation.entry)
            lines.append(try ledger.commit(reservation, used: event, update: .zero))
        }
        _ = try PrivacyLedger(replaying: lines, hash: testHash)
        for line in lines.indices {
            for byte in lines[line].indices {
                var changed = lines
                changed[line][byte] ^= 1
                #expect(throws: LedgerError.self) {
                    try PrivacyLedger(replaying: changed, anchor: ledger.anchor, hash: testHash)
                }
            }
            var dropped = lines
            dropped.remove(at: line)
            #expect(throws: LedgerError.self) {
                try PrivacyLedger(replaying: dropped, anchor: ledger.anchor, hash: testHash)
            }
            var repeated = lines
            repeated.insert(lines[line], at: line)
            #expect(throws: LedgerError.self) {
                try PrivacyLedger(replaying: repeated, anchor: ledger.anchor, hash: testHash)
            }
        }
        var moved = lines
        moved.swapAt(1, 3)
        #expect(throws: LedgerError.brokenChain(line: 1)) {
            try PrivacyLedger(replaying: moved, hash: testHash)
        }
        #expect(throws: LedgerError.truncated(lines: 6, anchored: 6)) {
            try PrivacyLedger(replaying: lines.dropLast(), anchor: ledger.anchor, hash: testHash)
        }
        #expect(throws: LedgerError.empty) {
            try PrivacyLedger(replaying: [[UInt8]](), hash: testHash)
        }
    }

    @Test("a line that was edited so that its links still hold is found by the anchor")
    func anchored() throws {
        var (ledger, lines) = try open()
        let anchor = ledger.anchor
        lines.append(try ledger.reserve(key, for: event(steps: 5)).entry)
        // Whoever forges the whole chain anew has another first line.
        let (_, forged) = PrivacyLedger.open(
            dataset: "fashion-mnist",
            budget: try #require(PrivacyBudget(epsilon: 100, delta: 1e-5)), hash: testHash)
        #expect(throws: LedgerError.edited(line: 0)) {
            try PrivacyLedger(replaying: [forged], anchor: anchor, hash: testHash)
        }
        // An anchor that is behind is in the ledger all the same.
        _ = try PrivacyLedger(replaying: lines, anchor: anchor, hash: testHash)
        let decoded = try LedgerAnchor(decoding: anchor.encoded)
        #expect(decoded == anchor)
    }

    @Test("the owner can raise and lower the budget; what is spent stays spent")
    func budgets() throws {
        var (ledger, lines) = try open(epsilon: 3)
        lines.append(try ledger.reserve(key, for: event(steps: 20)).entry)
        let lowered = try #require(PrivacyBudget(epsilon: 0.1, delta: 1e-5))
        lines.append(ledger.allow(try #require(OwnerPolicy(lifetime: lowered)), at: 0))
        #expect(ledger.left == 0)
        let replayed = try PrivacyLedger(replaying: lines, anchor: ledger.anchor, hash: testHash)
        #expect(replayed.budget == lowered && replayed.spent == ledger.spent)
        #expect(PrivacyBudget(epsilon: -1, delta: 1e-5) == nil)
        #expect(PrivacyBudget(epsilon: 1, delta: 0) == nil)
        #expect(PrivacyBudget(epsilon: .nan, delta: 1e-5) == nil)
        #expect(lowered.epsilon == 0.1 && lowered.delta == 1e-5)
    }
}
