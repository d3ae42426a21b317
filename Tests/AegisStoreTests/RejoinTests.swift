import AegisPrivacy
import AegisStore
import TestFolders
import Testing

@Suite("A budget holds when a node comes back to the same data set")
struct RejoinTests {
    /// What is new each time.
    enum Return: String, CaseIterable, Sendable {
        case restart = "nothing but the process"
        case identity = "the node's identity and database, as after joining again"
        case run = "the run's id"
        case clock = "the clock, set back a year"
        case all = "all of that"
    }

    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private static let lives = 8
    private static let year: UInt64 = 365 * 86_400_000

    /// How many of the rounds are paid for, each in a life of its own.
    private func granted(_ kind: Return) throws -> Int {
        let path = directory.file("\(kind).sqlite")
        let anchors = AnchorsInMemory()
        var granted = 0
        for life in 0..<Self.lives {
            let isNew = kind == .identity || kind == .all
            let now =
                kind == .clock || kind == .all
                ? LedgerSample.now - UInt64(life) * Self.year : LedgerSample.now
            var book = LedgerBook(
                file: try LedgerFile(path: path), anchors: isNew ? AnchorsInMemory() : anchors)
            try book.open("d", policy: LedgerSample.policy(epsilon: 1.7), at: now)
            let run: UInt8 = kind == .run || kind == .all ? UInt8(life) : 7
            do {
                _ = try book.reserve(
                    LedgerSample.key(UInt64(life + 1), run: run), of: "d",
                    for: LedgerSample.charge(), at: now)
                granted += 1
            } catch is BudgetError {
                continue
            }
        }
        return granted
    }

    /// The same rounds in one life.
    private func grantedAtOnce() throws -> Int {
        var book = LedgerBook(
            file: try LedgerFile(path: directory.file("once.sqlite")),
            anchors: AnchorsInMemory())
        try book.open("d", policy: LedgerSample.policy(epsilon: 1.7), at: LedgerSample.now)
        var granted = 0
        for round in 1...UInt64(Self.lives) {
            do {
                _ = try book.reserve(
                    LedgerSample.key(round), of: "d", for: LedgerSample.charge(),
                    at: LedgerSample.now)
                granted += 1
            } catch is BudgetError {
                continue
            }
        }
        return granted
    }

    @Test("no more is paid for than in one life, whatever is new", arguments: Return.allCases)
    func comesBack(_ kind: Return) throws {
        let once = try grantedAtOnce()
        #expect(once > 1 && once < Self.lives)
        #expect(try granted(kind) == once, "new was \(kind.rawValue)")
    }
}
