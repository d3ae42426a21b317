import AegisCore
import AegisPrivacy
import AegisStore
import CPowerCut
import Testing

/// Anchors in a database of their own on the same simulated disk.
private struct AnchorsOnDisk: LedgerAnchorStore {
    let file: LedgerFile

    func ledgerAnchor(of dataset: String) throws -> LedgerAnchor? {
        try file.lines(of: dataset).last.map { try LedgerAnchor(decoding: $0.entry) }
    }

    func setLedgerAnchor(_ anchor: LedgerAnchor, of dataset: String) throws {
        let count = try file.lines(of: dataset).count
        try file.append(anchor.encoded, sequence: UInt64(count), dataset: dataset)
    }
}

/// What the world saw before the power failed.
private struct Witness {
    var granted: [ReleaseKey: UInt64] = [:]
    var released: [ReleaseKey: Digest] = [:]
}

@Suite("Privacy ledgers under power cuts", .serialized)
struct LedgerPowerCutTests {
    init() throws { try #require(powercut_install() == 0) }

    private static let ledgerPath = "/powercut/ledger.sqlite"
    private static let anchorPath = "/powercut/anchor.sqlite"

    private func book() throws -> LedgerBook {
        var book = LedgerBook(
            file: try LedgerFile(simulated: Self.ledgerPath),
            anchors: AnchorsOnDisk(file: try LedgerFile(simulated: Self.anchorPath)))
        try book.open("d", policy: LedgerSample.policy(), at: LedgerSample.now)
        return book
    }

    /// Trains until the power fails or `rounds` are done: what was granted and released is noted
    /// the moment a caller could have acted on it.
    private func work(
        rounds: ClosedRange<UInt64>, _ witness: inout Witness
    ) throws {
        var book = try book()
        let charge = try LedgerSample.charge(steps: 1)
        for round in rounds {
            let key = LedgerSample.key(round)
            if case .released = try book.ledger(of: "d").state(of: key) { continue }
            let paid = try book.reserve(key, of: "d", for: charge, at: LedgerSample.now + round)
            witness.granted[key] = paid.attempt
            let update = digest(UInt8(truncatingIfNeeded: round &* 7 &+ paid.attempt))
            _ = try book.commit(
                paid, used: charge.event, update: update, of: "d",
                at: LedgerSample.now + round)
            witness.released[key] = update
        }
    }

    /// After the power is back: every line holds, no charge is lost, no release is forgotten or
    /// stands without its charge.
    private func check(_ witness: Witness, _ comment: Comment) throws {
        let ledger = try book().ledger(of: "d")
        for (key, attempt) in witness.granted {
            switch ledger.state(of: key) {
            case .uncharged: Issue.record("a charge was lost: \(comment)")
            case .reserved(let last): #expect(last >= attempt, comment)
            case .released(let last, _): #expect(last >= attempt, comment)
            }
        }
        for (key, update) in witness.released {
            guard case .released(_, let found) = ledger.state(of: key) else {
                Issue.record("a release was forgotten: \(comment)")
                continue
            }
            #expect(found == update, comment)
        }
    }

    @Test("a cut at every write, flush and removal of four rounds, opening included")
    func everyOperation() throws {
        powercut_clear()
        powercut_arm(0)
        var witness = Witness()
        try work(rounds: 1...4, &witness)
        let operations = powercut_operations()
        #expect(operations > 40 && witness.released.count == 4)
        for cut in 1...operations {
            for seed in UInt64(0)..<2 {
                powercut_clear()
                powercut_arm(cut)
                var witness = Witness()
                // Cuts while the files are closed come after all work.
                try? work(rounds: 1...4, &witness)
                try #require(powercut_is_dead() == 1)
                powercut_revive(cut &* 1_000 &+ seed)
                try check(witness, "operation \(cut), seed \(seed)")
            }
        }
    }

    @Test("a thousand cuts at random, one life after another, fifty in each ledger")
    func thousand() throws {
        var random = SplitMix(state: 20_261_124)
        for life in 0..<20 {
            powercut_clear()
            var witness = Witness()
            var round: UInt64 = 1
            for cut in 0..<50 {
                powercut_arm(random.next() % 60 + 1)
                do {
                    try work(rounds: round...(round + 3), &witness)
                    round += 4
                    // The power fails while nothing is written.
                } catch { #expect(powercut_is_dead() == 1, "\(error)") }
                powercut_revive(random.next())
                try check(witness, "life \(life), cut \(cut)")
                round = (witness.released.keys.map(\.round).max() ?? 0) + 1
            }
            #expect(witness.released.count > 25)
        }
    }

    @Test("the simulated disk does lose what is not flushed: where it lies, charges are lost")
    func canFail() throws {
        var lost = 0
        for seed in UInt64(0)..<10 {
            powercut_clear()
            powercut_arm(0)
            let file = try LedgerFile(simulated: Self.ledgerPath)
            try file.append([1], sequence: 0, dataset: "d")
            powercut_lie()
            try file.append([2], sequence: 1, dataset: "d")
            powercut_revive(seed)
            let again = try LedgerFile(simulated: Self.ledgerPath)
            if try again.lines(of: "d").count < 2 { lost += 1 }
        }
        #expect(lost > 0)
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
