import AegisAPI
import AegisAdmin
import AegisCore
import AegisCrypto
import FoundationEssentials
import GRDB
import Testing

@Suite("The audit log") struct AuditTests {
    private func fill(_ database: AdminDatabase, _ count: Int = 4) async throws {
        for index in 1...count {
            try await database.appendAudit(
                AuditEntry(
                    at: noon + UInt64(index), actor: index % 2 == 0 ? "ada" : "olga",
                    action: "POST /api/v1/runs", parameters: SHA256.digest(of: [UInt8(index)]),
                    outcome: index % 3 == 0 ? "refused forbidden" : "done",
                    request: "r\(index)"))
        }
    }

    private func walk(_ lines: [String]) throws -> AuditChain {
        var chain = AuditChain { SHA256.digest(of: $0).description }
        for line in lines { try chain.take(line) }
        return chain
    }

    private func lines(_ database: AdminDatabase) async throws -> [String] {
        try await database.auditLines(after: 0, limit: 100).map(\.line)
    }

    @Test("a chain of records verifies, and its head is the last digest")
    func verifies() async throws {
        let database = try AdminDatabase()
        #expect(try await database.verifyAudit().records == 0)
        try await fill(database)
        let finding = try await database.verifyAudit()
        #expect(finding.intact)
        #expect(finding.records == 4)
        #expect(try await database.auditHead().digest == finding.head)
        #expect(try walk(try await lines(database)).head == finding.head)
    }

    @Test("a record that is changed, removed, put in or left out at the start is named")
    func tampered() async throws {
        let database = try AdminDatabase()
        try await fill(database)
        let lines = try await lines(database)
        var changed = lines
        changed[1] = changed[1].replacing("\"ada\"", with: "\"eve\"")
        #expect(throws: AuditChain.Fault.changed(sequence: 2)) { try walk(changed) }
        #expect(throws: AuditChain.Fault.gap(afterSequence: 2)) {
            try walk([lines[0], lines[1], lines[3]])
        }
        #expect(throws: AuditChain.Fault.gap(afterSequence: 0)) {
            try walk(Array(lines.dropFirst()))
        }
        #expect(throws: AuditChain.Fault.unreadable(afterSequence: 1)) {
            try walk([lines[0], "{}", lines[1]])
        }
        // Rewritten with a digest that fits: the next one doesn't follow.
        let (body, _) = try unwrap(AuditLine.split(changed[1]))
        let digest = SHA256.digest(of: Array(body.utf8)).description
        changed[1] = AuditLine.line(body: body, digest: digest)
        #expect(throws: AuditChain.Fault.unchained(sequence: 3)) { try walk(changed) }
    }

    @Test("no value can end its line, start another or turn its direction")
    func forgery() async throws {
        let database = try AdminDatabase()
        let hostile = "x\",\"actor\":\"root\"}\n{\"sequence\":2}\r\u{2028}\u{202e}\u{0}\u{7f}é"
        try await database.appendAudit(
            AuditEntry(
                at: noon, actor: hostile, action: hostile, parameters: .zero, outcome: hostile,
                request: hostile))
        let line = try unwrap(try await lines(database).first)
        #expect(line.utf8.allSatisfy { (0x20...0x7e).contains($0) })
        let record = try AegisAPI.decode(AuditView.self, from: line.utf8)
        #expect(record.actor == hostile)
        #expect(try await database.verifyAudit().intact)
    }

    @Test("the file itself refuses changes and deletions")
    func triggers() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/admin.sqlite"
        let database = try AdminDatabase(path: path)
        try await fill(database)
        let other = try DatabaseQueue(path: path)
        for sql in [
            "UPDATE audit_record SET actor = 'x'", "DELETE FROM audit_record WHERE sequence = 4",
        ] {
            await #expect(throws: DatabaseError.self) {
                try await other.write { try $0.execute(sql: sql) }
            }
        }
        #expect(try await database.auditHead().sequence == 4)
    }

    @Test("records are found by who, how and when, the newest first")
    func query() async throws {
        let database = try AdminDatabase()
        try await fill(database, 6)
        func found(_ change: (inout AuditQuery) -> Void) async throws -> [Int64] {
            var query = AuditQuery()
            change(&query)
            return try await database.audit(query).map(\.sequence)
        }
        #expect(try await found { $0.actor = "ada" } == [6, 4, 2])
        #expect(try await found { $0.outcome = "refused" } == [6, 3])
        #expect(try await found { $0.outcome = "refused forbidden" } == [6, 3])
        #expect(
            try await found {
                $0.from = noon + 3; $0.until = noon + 5
            } == [4, 3])
        #expect(
            try await found {
                $0.actor = "olga"; $0.from = noon + 2
            } == [5, 3])
        #expect(try await found { $0.request = "r5" } == [5])
        #expect(
            try await found {
                $0.action = "runs"; $0.limit = 2
            } == [6, 5])
        #expect(try await found { $0.before = 3 } == [2, 1])
    }

    @Test("the files have every record once, in files of so many, also after a torn line")
    func files() async throws {
        let folder = try TemporaryFolder()
        let database = try AdminDatabase()
        let files = AuditFiles(
            directory: folder.path + "/audit", database: database, recordsPerFile: 3)
        #expect(try await files.catchUp(after: nil) == 0)
        try await fill(database, 4)
        #expect(try await files.catchUp(after: 0) == 4)
        let second = files.path(ofRecord: 4)
        #expect(second.hasSuffix("/audit-000000000004.jsonl"))
        // A crash in the middle of a line.
        let torn = try unwrap(FileManager.default.contents(atPath: second)) + Data("{\"seq".utf8)
        try torn.write(to: URL(filePath: second))
        try await fill(database, 4)
        #expect(try await files.catchUp(after: nil) == 8)
        var all: [String] = []
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path + "/audit")
            .sorted()
        {
            let text = try unwrap(
                FileManager.default.contents(atPath: folder.path + "/audit/" + name))
            let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
            #expect(lines.count <= 3)
            all += lines.map(String.init)
        }
        #expect(all == (try await lines(database)))
        #expect(try walk(all).sequence == 8)
    }
}
