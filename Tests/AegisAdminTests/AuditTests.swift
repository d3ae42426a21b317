import AegisAdmin
import AegisCore
import AegisCrypto
import GRDB
import Testing

@Suite("The audit log") struct AuditTests {
    private func filled(_ database: AdminDatabase) async throws {
        for index in 1...4 {
            try await database.appendAudit(
                at: noon + UInt64(index), actor: "admin", action: "POST /api/v1/runs",
                parameters: SHA256.digest(of: [UInt8(index)]), outcome: "done 201",
                request: "r\(index)")
        }
    }

    @Test("a chain of records verifies")
    func verifies() async throws {
        let database = try AdminDatabase()
        try AdminDatabase.verifyAudit(try await database.auditRecords())
        try await filled(database)
        let records = try await database.auditRecords()
        #expect(records.map(\.sequence) == [1, 2, 3, 4])
        try AdminDatabase.verifyAudit(records)
    }

    @Test("a record that is changed, removed or put in another's place shows")
    func tampered() async throws {
        let database = try AdminDatabase()
        try await filled(database)
        let records = try await database.auditRecords()
        var changed = records
        changed[1].actor = "mallory"
        #expect(throws: AuditFault.changed(sequence: 2)) {
            try AdminDatabase.verifyAudit(changed)
        }
        var removed = records
        removed.remove(at: 2)
        #expect(throws: AuditFault.gap(after: 2)) { try AdminDatabase.verifyAudit(removed) }
        #expect(throws: AuditFault.gap(after: 0)) {
            try AdminDatabase.verifyAudit(Array(records.dropFirst()))
        }
    }

    @Test("the file itself refuses changes and deletions")
    func triggers() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/admin.sqlite"
        let database = try AdminDatabase(path: path)
        try await filled(database)
        let other = try DatabaseQueue(path: path)
        for sql in ["UPDATE audit SET actor = 'x'", "DELETE FROM audit WHERE sequence = 4"] {
            await #expect(throws: DatabaseError.self) {
                try await other.write { try $0.execute(sql: sql) }
            }
        }
        #expect(try await database.auditRecords().count == 4)
    }
}
