import AegisCore
import AegisPrivacy
import AegisStore
import Foundation
import TestFolders
import Testing

@Suite("Privacy ledgers on disk")
struct LedgerBookTests {
    private let directory: TemporaryDirectory
    private let path: String
    private let anchors = AnchorsInMemory()

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("ledger.sqlite")
    }

    /// A ledger with an opening, two paid and released rounds, and one that was only paid.
    private func fill(_ file: LedgerFile, dataset: String = "d") throws {
        var book = LedgerBook(file: file, anchors: anchors)
        try book.open(dataset, policy: LedgerSample.policy(), at: LedgerSample.now)
        let charge = try LedgerSample.charge()
        for round in UInt64(1)...3 {
            let paid = try book.reserve(
                LedgerSample.key(round), of: dataset, for: charge, at: LedgerSample.now)
            guard round < 3 else { break }
            let position = try book.commit(
                paid, used: charge.event, update: digest(UInt8(round)), of: dataset,
                at: LedgerSample.now)
            #expect(position == 2 * round)
        }
    }

    @Test("a ledger goes on where it was, whatever died in between")
    func reopening() throws {
        try fill(try LedgerFile(path: path))
        var book = LedgerBook(file: try LedgerFile(path: path), anchors: anchors)
        try book.open("d", policy: LedgerSample.policy(), at: 0)
        let ledger = try book.ledger(of: "d")
        #expect(ledger.entryCount == 6)
        #expect(ledger.chargeCounts == (3, 2))
        #expect(ledger.state(of: LedgerSample.key(3)) == .reserved(attempt: 1))
        #expect(
            ledger.state(of: LedgerSample.key(2)) == .released(attempt: 1, update: digest(2)))
        #expect(throws: BudgetError.alreadyReleased(update: digest(2))) {
            _ = try book.reserve(
                LedgerSample.key(2), of: "d", for: LedgerSample.charge(), at: 0)
        }
        let spent = ledger.spent
        _ = try book.reserve(LedgerSample.key(3), of: "d", for: LedgerSample.charge(), at: 0)
        #expect(try book.ledger(of: "d").spent > spent)
    }

    @Test("a second process on the same ledger is refused, and told who has it")
    func secondProcess() throws {
        let file = try LedgerFile(path: path)
        #expect(
            throws: LedgerFileError.heldByAnother(
                path: path, process: ProcessInfo.processInfo.processIdentifier)
        ) { _ = try LedgerFile(path: path) }
        try fill(file)
        // Reading is free.
        #expect(try LedgerFile(reading: path).datasets() == ["d"])
        _ = consume file
        _ = try LedgerFile(path: path)
    }

    @Test("a ledger only grows, one number after the other, not even by SQL from outside")
    func appendOnly() throws {
        let file = try LedgerFile(path: path)
        try file.append([1], sequence: 0, dataset: "a")
        try file.append([2], sequence: 1, dataset: "a")
        try file.append([3], sequence: 0, dataset: "b")
        for wrong in [UInt64(0), 1, 3, .max] {
            #expect(throws: LedgerFileError.outOfSequence(dataset: "a", expected: 2)) {
                try file.append([9], sequence: wrong, dataset: "a")
            }
        }
        for statement in [
            "DELETE FROM ledger", "UPDATE ledger SET entry = x'00'",
            "UPDATE ledger SET dataset = 'b'",
        ] {
            #expect(
                try Shell.run("/usr/bin/env", "python3", "-c", Self.outside, path, statement)
                    == 7)
        }
        #expect(try file.lines(of: "a").map(\.entry) == [[1], [2]])
        #expect(try file.datasets() == ["a", "b"])
    }

    private static let outside = """
        import sqlite3, sys
        c = sqlite3.connect(sys.argv[1])
        try:
            c.execute(sys.argv[2]); c.commit()
        except sqlite3.IntegrityError as e:
            sys.exit(7 if 'append-only' in str(e) else 8)
        """

    /// What an attacker with the disk does: drops the triggers first.
    private func attack(_ statement: String) throws {
        let script = """
            import sqlite3, sys
            c = sqlite3.connect(sys.argv[1])
            c.execute('DROP TRIGGER ledger_is_not_updated')
            c.execute('DROP TRIGGER ledger_is_not_deleted')
            c.execute(sys.argv[2]); c.commit()
            """
        #expect(
            try Shell.run("/usr/bin/env", "python3", "-c", script, path, statement) == 0)
    }

    private func damage() throws -> LedgerError? {
        var book = LedgerBook(file: try LedgerFile(path: path), anchors: anchors)
        do {
            try book.open("d", policy: LedgerSample.policy(), at: 0)
            return nil
        } catch LedgerBookError.damaged("d", let error) { return error }
    }

    @Test("a ledger whose end was cut off is named as truncated", arguments: [1, 2, 5, 6])
    func truncated(lines: Int) throws {
        try fill(try LedgerFile(path: path))
        try attack("DELETE FROM ledger WHERE sequence >= \(6 - lines)")
        #expect(try damage() == .truncated(lines: 6 - lines, anchored: 5))
    }

    @Test("an edited line is named, the last one too", arguments: 0..<6)
    func edited(line: Int) throws {
        try fill(try LedgerFile(path: path))
        try attack(
            "UPDATE ledger SET entry = CAST(substr(entry, 1, 50) || x'7f' AS BLOB)"
                + " WHERE sequence = \(line)")
        #expect(try damage() == .edited(line: line))
    }

    @Test("the last line edited with its digest is found by the anchor")
    func editedWithDigest() throws {
        try fill(try LedgerFile(path: path))
        let old = try LedgerFile(reading: path).lines(of: "d")[5].entry
        // A later time breaks no rule.
        let forged = old.dropLast() + [old[old.count - 1] ^ 1]
        let hex = forged.map { String(format: "%02x", $0) }.joined()
        try attack(
            "UPDATE ledger SET entry = x'\(hex)', digest = x'\(try sha256(hex))'"
                + " WHERE sequence = 5")
        #expect(try damage() == .edited(line: 5))
    }

    private func sha256(_ hex: String) throws -> String {
        let pipe = Pipe()
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "python3", "-c",
            "import hashlib,sys;print(hashlib.sha256(bytes.fromhex(sys.argv[1])).hexdigest())",
            hex,
        ]
        process.standardOutput = pipe
        try process.run()
        process.waitUntilExit()
        let data = try #require(try pipe.fileHandleForReading.readToEnd())
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .newlines)
    }

    @Test("a line removed from the middle, and a ledger that is gone, are named")
    func removed() throws {
        try fill(try LedgerFile(path: path))
        try attack("DELETE FROM ledger WHERE sequence = 2")
        #expect(try damage() == .brokenChain(line: 2))
        try #require(unlink(path) == 0)
        for suffix in ["-wal", "-shm"] { _ = unlink(path + suffix) }
        #expect(try damage() == .truncated(lines: 0, anchored: 5))
    }

    @Test("records that one ledger pays for have no second budget under another name")
    func secondName() throws {
        var book = LedgerBook(file: try LedgerFile(path: path), anchors: anchors)
        for name in ["a", "b"] {
            try book.open(name, policy: LedgerSample.policy(), at: 0)
        }
        try book.bind(digest(1), to: "a", at: 0)
        try book.bind(digest(1), to: "a", at: 0)
        #expect(throws: BudgetError.recordsBelong(to: "a")) {
            try book.bind(digest(1), to: "b", at: 0)
        }
        try book.bind(digest(2), to: "b", at: 0)
        // Records that grow stay where they are.
        try book.bind(digest(3), to: "a", at: 0)
        #expect(try book.ledger(of: "a").records == [digest(1), digest(3)])
    }

    @Test("a changed policy is a line of its own")
    func policyChange() throws {
        let file = try LedgerFile(path: path)
        var book = LedgerBook(file: file, anchors: anchors)
        try book.open("d", policy: LedgerSample.policy(), at: 0)
        try book.open("d", policy: LedgerSample.policy(), at: 0)
        #expect(try file.lines(of: "d").count == 1)
        try book.open("d", policy: LedgerSample.policy(epsilon: 1), at: 0)
        #expect(try file.lines(of: "d").count == 2)
        #expect(try book.ledger(of: "d").budget.epsilon == 1)
    }

    @Test("a file that is no database, and no file, are typed errors")
    func noLedger() throws {
        try Files.write(Array(repeating: 65, count: 5_000), to: path)
        #expect(throws: LedgerFileError.self) { _ = try LedgerFile(path: path) }
        #expect(throws: LedgerFileError.self) { _ = try LedgerFile(reading: path) }
        let nothing = directory.file("nothing")
        #expect(throws: LedgerFileError.missing(path: nothing)) {
            _ = try LedgerFile(reading: nothing)
        }
    }

    @Test("an export verifies; any change of it does not, and the line is named")
    func export() throws {
        try fill(try LedgerFile(path: path))
        let export = try LedgerExport("d", in: LedgerFile(reading: path))
        let json = try export.json
        #expect(try LedgerExport.verify(json) == export)
        #expect(export.lines.count == 6 && export.reserved == 3 && export.released == 2)
        let anchor = try #require(anchors.ledgerAnchor(of: "d"))
        _ = try LedgerExport.verify(json, anchor: anchor)

        var document = try #require(
            JSONSerialization.jsonObject(with: json) as? [String: Any])
        let lines = try #require(document["lines"] as? [[String: Any]])
        func expect(_ error: some Error & Equatable, _ document: [String: Any]) throws {
            let data = try JSONSerialization.data(withJSONObject: document)
            #expect(throws: error) { try LedgerExport.verify(data, anchor: anchor) }
        }
        for (key, value) in [
            ("noise_multiplier", 9 as Any), ("steps", 1), ("noise", "exact"), ("round", 4),
            ("entry", "00"), ("time", "2001-01-01T00:00:00Z"),
        ] {
            var changed = lines
            changed[1][key] = value
            document["lines"] = changed
            try expect(LedgerError.edited(line: 1), document)
        }
        document["lines"] = Array(lines.dropLast())
        try expect(LedgerError.truncated(lines: 5, anchored: 5), document)
        document["lines"] = [lines[0], lines[2]]
        try expect(LedgerError.brokenChain(line: 1), document)
        document["lines"] = lines
        document["epsilon_spent"] = 0.1
        try expect(LedgerExportError.summaryDiffers, document)
        for text in ["", "[]", "{}", "{\"format\":\"aegis-privacy-ledger-1\"}"] {
            #expect(throws: LedgerExportError.notAnExport) {
                try LedgerExport.verify(Data(text.utf8))
            }
        }
    }
}
