import AegisAPI
import AegisCore
import AegisIdentity
import AegisNode
import AegisPrivacy
import AegisProtocol
import AegisStore
import TestFolders
import Testing

@Suite("The privacy ledgers of a node")
struct PrivacyDeskTests {
    private let directory: TemporaryDirectory
    private let database: NodeDatabase
    private let ledgers: LedgerFile

    init() throws {
        directory = try TemporaryDirectory()
        database = try NodeDatabase(path: directory.file("node.sqlite"))
        ledgers = try LedgerFile(path: directory.file("ledger.sqlite"))
    }

    private func desk(epsilon: Double = 50) throws -> PrivacyDesk {
        try PrivacyDesk(
            ledgers: ledgers, anchors: database,
            declarations: [Sample.dataset(epsilon: epsilon)])
    }

    private static func key(_ round: UInt64) -> ReleaseKey {
        ReleaseKey(run: Sample.run().bytes, round: round)
    }

    private static func event(steps: Int = 10) throws -> MechanismEvent {
        let sampler = PoissonSampler(
            samplingRate: 0.25, noiseMultiplier: 1.5, recordCount: 40)
        return try #require(sampler).event(afterSteps: steps)
    }

    @Test("a charge is on the disk before the data is touched")
    func chargeIsDurable() throws {
        var desk = try desk()
        #expect(desk.spent(of: "tiny") == 0)
        _ = try desk.reserve(Self.key(1), of: "tiny", for: Self.event())
        // Another handle on the file: what a process that starts now would see.
        let other = try LedgerFile(reading: directory.file("ledger.sqlite"))
        let lines = try other.lines(of: "tiny").map(\.entry)
        #expect(lines.count == 2)
        let ledger = try PrivacyLedger(replaying: lines) { Libsodium().digest($0) }
        #expect(ledger.state(of: Self.key(1)) == .reserved(attempt: 1))
        #expect(ledger.spent == desk.spent(of: "tiny"))
        #expect(ledger.spent > 0)
    }

    @Test("a ledger goes on where it was")
    func reopening() throws {
        var first = try desk()
        let reservation = try first.reserve(Self.key(1), of: "tiny", for: Self.event())
        let position = try first.commit(
            reservation, used: Self.event(), update: Sample.digest(1), of: "tiny")
        #expect(position == 2)
        var second = try desk()
        #expect(second.spent(of: "tiny") == first.spent(of: "tiny"))
        #expect(second.entryCount(of: "tiny") == 3)
        #expect(try second.released(Self.key(1), of: "tiny") == Sample.digest(1))
        #expect(try second.released(Self.key(2), of: "tiny") == nil)
        _ = try second.reserve(Self.key(2), of: "tiny", for: Self.event())
        #expect((second.spent(of: "tiny") ?? 0) > (first.spent(of: "tiny") ?? 0))
    }

    @Test("what was released is never paid twice")
    func releasedOnce() throws {
        var desk = try desk()
        let reservation = try desk.reserve(Self.key(1), of: "tiny", for: Self.event())
        _ = try desk.commit(
            reservation, used: Self.event(), update: Sample.digest(1), of: "tiny")
        #expect(throws: BudgetError.alreadyReleased(update: Sample.digest(1))) {
            _ = try desk.reserve(Self.key(1), of: "tiny", for: Self.event())
        }
    }

    @Test("a crash between charge and release counts as spent, and trying again pays again")
    func crashIsSpent() throws {
        var first = try desk()
        _ = try first.reserve(Self.key(1), of: "tiny", for: Self.event())
        let once = try #require(first.spent(of: "tiny"))
        // The process dies here; nothing was committed.
        var second = try desk()
        #expect(second.spent(of: "tiny") == once)
        #expect(try second.released(Self.key(1), of: "tiny") == nil)
        let again = try second.reserve(Self.key(1), of: "tiny", for: Self.event())
        let twice = try #require(second.spent(of: "tiny"))
        #expect(twice > once)
        _ = try second.commit(again, used: Self.event(), update: Sample.digest(2), of: "tiny")
        let third = try desk()
        #expect(third.spent(of: "tiny") == twice)
        #expect(try third.released(Self.key(1), of: "tiny") == Sample.digest(2))
    }

    @Test("beyond the budget nothing is charged")
    func budgetExceeded() throws {
        var desk = try desk(epsilon: 5)
        var charged = 0
        let refusal = failure(BudgetError.self) {
            for round in 1...100 {
                _ = try desk.reserve(Self.key(UInt64(round)), of: "tiny", for: Self.event())
                charged += 1
            }
        }
        guard case .exceeded(.lifetime, let spent, let asked, let budget) = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
        #expect((1..<100).contains(charged))
        #expect(spent <= 5 && spent + asked > 5 && budget == 5)
        #expect(desk.spent(of: "tiny") == spent)
        #expect(try ledgers.lines(of: "tiny").count == charged + 1)
        let words = TrainingFailure.words(try #require(refusal))
        #expect(words.hasPrefix("privacy budget: spent "))
    }

    @Test("a budget its owner has changed is written down, and holds")
    func changedBudget() throws {
        _ = try desk(epsilon: 50)
        var desk = try desk(epsilon: 0.01)
        #expect(try ledgers.lines(of: "tiny").count == 2)
        #expect(desk.summary.first?.budgetEpsilon == 0.01)
        #expect(throws: BudgetError.self) {
            _ = try desk.reserve(Self.key(1), of: "tiny", for: Self.event())
        }
        _ = try self.desk(epsilon: 0.01)
        #expect(try ledgers.lines(of: "tiny").count == 2)
    }

    @Test("a ledger with any bit changed is refused, the last line included")
    func tampered() throws {
        var desk = try desk()
        let reservation = try desk.reserve(Self.key(1), of: "tiny", for: Self.event())
        _ = try desk.commit(
            reservation, used: Self.event(), update: Sample.digest(1), of: "tiny")
        let lines = try ledgers.lines(of: "tiny").map(\.entry)
        for (line, offset) in [(0, 20), (1, 2), (1, lines[1].count - 1), (2, 0), (2, 50)] {
            let copy = try LedgerFile(path: directory.file("copy-\(line)-\(offset)"))
            for (index, bytes) in lines.enumerated() {
                var bytes = bytes
                if index == line { bytes[offset] ^= 1 }
                try copy.append(bytes, sequence: UInt64(index), dataset: "tiny")
            }
            let error = failure(LedgerBookError.self) {
                _ = try PrivacyDesk(
                    ledgers: copy, anchors: database, declarations: [Sample.dataset()])
            }
            #expect(error.map { "\($0)" }?.contains("tampered") == true, "\(line), \(offset)")
        }
    }

    @Test("the ledger of another data set is refused")
    func foreignLedger() throws {
        _ = try desk()
        let copy = try LedgerFile(path: directory.file("copy"))
        for (index, line) in try ledgers.lines(of: "tiny").enumerated() {
            try copy.append(line.entry, sequence: UInt64(index), dataset: "other")
        }
        #expect(throws: LedgerBookError.foreign(dataset: "other", found: "tiny")) {
            _ = try PrivacyDesk(
                ledgers: copy, anchors: database, declarations: [Sample.dataset("other")])
        }
    }

    @Test("each of the owner's limits is a refusal in words")
    func refusals() throws {
        var declaration = Sample.dataset()
        declaration.budget.perRun = 1
        declaration.budget.noiseMultiplierMin = 1.2
        declaration.noise = .exact
        var desk = try PrivacyDesk(
            ledgers: ledgers, anchors: database, declarations: [declaration])
        func words(_ body: () throws -> Void) throws -> String {
            let error = failure(BudgetError.self, body)
            return TrainingFailure.words(try #require(error))
        }
        #expect(
            try words {
                _ = try desk.reserve(Self.key(1), of: "tiny", for: Self.event(steps: 900))
            }.hasPrefix("privacy budget of one run: spent 0.0, the round asks "))
        #expect(
            try words {
                _ = try desk.reserve(
                    Self.key(1), of: "tiny", for: Self.event(steps: 1), delta: 1e-3)
            } == "the run's delta is 0.001, the owner allows 1e-05")
        let loud = try #require(
            PoissonSampler(samplingRate: 0.25, noiseMultiplier: 1.1, recordCount: 40))
        #expect(
            try words {
                _ = try desk.reserve(
                    Self.key(1), of: "tiny", for: loud.event(afterSteps: 1))
            } == "too little noise: the run's multiplier is 1.1, the owner's least 1.2")
        #expect(desk.summary.first?.noise == "exact")
    }

    @Test("a data set that isn't declared has no ledger")
    func undeclared() throws {
        var desk = try desk()
        #expect(desk.spent(of: "other") == nil)
        #expect(throws: NodeError.self) {
            _ = try desk.reserve(Self.key(1), of: "other", for: Self.event())
        }
        #expect(try ledgers.lines(of: "other").isEmpty)
    }
}
