import AegisCore
import AegisPrivacy
import Testing

@Suite("What an owner allows")
struct OwnerPolicyTests {
    private static let day: UInt64 = 86_400_000
    private static let start: UInt64 = 1_800_000_000_000

    private func event(steps: Int, noise: Double = 1) throws -> MechanismEvent {
        try #require(
            PoissonSampler(samplingRate: 0.05, noiseMultiplier: noise, recordCount: 100)
        ).event(afterSteps: steps)
    }

    private func charge(
        _ steps: Int, noise: Double = 1, delta: Double = 1e-5,
        generator: NoiseGenerator = .fast
    ) throws -> Charge {
        try #require(
            Charge(event: event(steps: steps, noise: noise), noise: generator, delta: delta))
    }

    /// ε of so many steps, and a little more: enough for them, and not for twice as many.
    private func enough(for steps: Int) throws -> Double {
        (try ledger().ledger.spent(after: event(steps: steps)) * 1_020).rounded(.up) / 1_000
    }

    private func ledger(
        run: Double? = nil, period: (epsilon: Double, days: Double)? = nil,
        least: Double = 0, epsilon: Double = 20
    ) throws -> (ledger: PrivacyLedger, lines: [[UInt8]]) {
        let lifetime = try #require(PrivacyBudget(epsilon: epsilon, delta: 1e-5))
        let policy = try #require(
            OwnerPolicy(
                lifetime: lifetime, runEpsilon: run, period: period,
                noiseMultiplierMin: least))
        let (ledger, line) = PrivacyLedger.open(
            dataset: "d", policy: policy, at: Self.start, hash: { Digest($0.fold32) ?? .zero })
        return (ledger, [line])
    }

    private func key(_ run: UInt8, _ round: UInt64) -> ReleaseKey {
        ReleaseKey(run: [run], round: round)
    }

    @Test("a run has its own budget: another run is not in its way, its own next round is")
    func perRun() throws {
        let limit = try enough(for: 10)
        var (ledger, _) = try ledger(run: limit)
        _ = try ledger.reserve(key(1, 1), for: charge(10), at: Self.start)
        let spent = ledger.spent(inRun: [1])
        #expect(spent > 0 && spent == ledger.spent)
        let refusal = #expect(throws: BudgetError.self) {
            _ = try ledger.reserve(key(1, 2), for: charge(10), at: Self.start)
        }
        guard case .exceeded(.run, let before, let asked, limit) = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
        #expect(before == spent && before + asked > limit)
        _ = try ledger.reserve(key(2, 1), for: charge(10), at: Self.start)
        #expect(ledger.spent > ledger.spent(inRun: [2]))
    }

    @Test("a period slides: what is older than it does not count, whatever the run is called")
    func perPeriod() throws {
        let limit = try enough(for: 10)
        var (ledger, lines) = try ledger(period: (epsilon: limit, days: 30))
        let first = try ledger.reserve(key(1, 1), for: charge(10), at: Self.start)
        lines.append(first.entry)
        let most = try #require(ledger.spentInPeriod(at: Self.start))
        // As much again is too much within thirty days, under any name.
        for (run, day) in [(UInt8(1), UInt64(0)), (2, 1), (9, 29)] {
            let refusal = #expect(throws: BudgetError.self) {
                _ = try ledger.reserve(
                    key(run, 7), for: charge(10), at: Self.start + day * Self.day)
            }
            guard case .exceeded(.period(30 * Self.day), _, _, limit) = refusal else {
                Issue.record("\(String(describing: refusal))")
                return
            }
        }
        lines.append(
            try ledger.reserve(key(3, 1), for: charge(10), at: Self.start + 30 * Self.day)
                .entry)
        #expect(ledger.spentInPeriod(at: Self.start + 30 * Self.day) == most)
        // A restart remembers the same.
        let again = try PrivacyLedger(
            replaying: lines, anchor: ledger.anchor, hash: { Digest($0.fold32) ?? .zero })
        #expect(again.spentInPeriod(at: 0) == most)
        #expect(again.spent == ledger.spent && again.spent > most)
    }

    @Test("a clock set back opens no period again")
    func clock() throws {
        var (ledger, _) = try ledger(period: (epsilon: enough(for: 60), days: 30))
        _ = try ledger.reserve(key(1, 1), for: charge(59), at: Self.start + 10 * Self.day)
        for now in [0, Self.start - 400 * Self.day, Self.start + 9 * Self.day] {
            #expect(throws: BudgetError.self) {
                _ = try ledger.reserve(key(2, 1), for: charge(60), at: now)
            }
            #expect((ledger.spentInPeriod(at: now) ?? 0) > 0)
        }
        // The line of the last charge keeps its time, and the next is not earlier.
        let entry = try ledger.reserve(key(2, 1), for: charge(1), at: 5).entry
        #expect(try LedgerEntry(decoding: entry).time == Self.start + 10 * Self.day)
    }

    @Test("too little noise and too large a δ are refused by name, and nothing is charged")
    func noiseAndDelta() throws {
        var (ledger, _) = try ledger(least: 0.8)
        #expect(throws: BudgetError.tooLittleNoise(noiseMultiplier: 0.7, least: 0.8)) {
            _ = try ledger.reserve(key(1, 1), for: charge(1, noise: 0.7), at: Self.start)
        }
        #expect(throws: BudgetError.deltaNotAllowed(asked: 1e-4, allowed: 1e-5)) {
            _ = try ledger.reserve(key(1, 1), for: charge(1, delta: 1e-4), at: Self.start)
        }
        #expect(throws: BudgetError.self) {
            _ = try ledger.reserve(key(1, 1), for: charge(1, noise: 0), at: Self.start)
        }
        #expect(ledger.spent == 0 && ledger.entryCount == 1)
        _ = try ledger.reserve(
            key(1, 1), for: charge(1, noise: 0.8, delta: 1e-6, generator: .exact),
            at: Self.start)
    }

    @Test("the policy, the charge with its generator and the time are read back as written")
    func lines() throws {
        var (ledger, lines) = try ledger(run: 5, period: (4.5, 7), least: 0.5)
        let charge = try charge(3, delta: 1e-6, generator: .exact)
        lines.append(
            try ledger.reserve(key(1, 1), for: charge, at: Self.start + 5).entry)
        let bound = ledger.bind(Digest([1, 2].fold32) ?? .zero, at: 0)
        lines.append(try #require(bound))
        #expect(ledger.bind(Digest([1, 2].fold32) ?? .zero, at: 0) == nil)
        guard case .opened("d", let policy) = try LedgerEntry(decoding: lines[0]).action else {
            Issue.record("no opening")
            return
        }
        #expect(policy == ledger.policy)
        #expect(policy.runEpsilon == 5 && policy.periodEpsilon == 4.5)
        #expect(policy.periodDays == 7 && policy.noiseMultiplierMin == 0.5)
        let reserved = try LedgerEntry(decoding: lines[1])
        #expect(reserved.action == .reserved(key(1, 1), attempt: 1, charge))
        #expect(reserved.time == Self.start + 5)
        let again = try PrivacyLedger(
            replaying: lines, hash: { Digest($0.fold32) ?? .zero })
        #expect(again.records == ledger.records && again.records.count == 1)
    }

    @Test("a policy out of range is none")
    func ranges() throws {
        let lifetime = try #require(PrivacyBudget(epsilon: 1, delta: 1e-5))
        for run in [-1, .nan, .infinity, 2e6] {
            #expect(OwnerPolicy(lifetime: lifetime, runEpsilon: run) == nil)
        }
        for days in [-1, 0, .nan, .infinity, 1e6] {
            #expect(OwnerPolicy(lifetime: lifetime, period: (1, days)) == nil)
        }
        for least in [-1, .nan, 2e9] {
            #expect(OwnerPolicy(lifetime: lifetime, noiseMultiplierMin: least) == nil)
        }
        for delta in [0, 1, .nan, -1, 2] {
            let event = try event(steps: 1)
            #expect(Charge(event: event, noise: .fast, delta: delta) == nil)
        }
    }
}

extension [UInt8] {
    /// 32 bytes that depend on all of these.
    fileprivate var fold32: [UInt8] {
        var state: UInt64 = 0xcbf2_9ce4_8422_2325
        var result = [UInt8](repeating: 0, count: 32)
        for (index, byte) in enumerated() {
            state = (state ^ UInt64(byte)) &* 0x100_0000_01b3
            result[index & 31] ^= UInt8(truncatingIfNeeded: state >> 32)
        }
        return result
    }
}
