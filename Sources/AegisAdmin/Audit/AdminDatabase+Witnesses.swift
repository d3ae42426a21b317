package import AegisAPI
import AegisCore
import AegisProtocol
import GRDB

// What the mesh's commits say of the audit log.
extension AdminDatabase {
    static func insertWitness(of command: Command, height: UInt64, _ db: Database) throws {
        guard case .witness(let head) = command.action else { return }
        try db.execute(
            sql: "INSERT OR REPLACE INTO audit_witness (height, records, digest) VALUES (?, ?, ?)",
            arguments: [Int64(height), Int64(clamping: head.records), head.digest.description])
    }

    /// The heads that the mesh has signed, in the order of the log; of those after `sequence`.
    package func auditWitnesses(
        after sequence: Int64 = 0, limit: Int = -1
    ) async throws -> [AuditWitnessView] {
        try await writer.read { db in
            try Row.fetchAll(
                db,
                sql: "SELECT * FROM audit_witness WHERE records > ? ORDER BY records LIMIT ?",
                arguments: [sequence, limit]
            ).map(Self.witness)
        }
    }

    package func lastWitness() async throws -> AuditWitnessView? {
        try await writer.read { db in
            try Row.fetchOne(
                db, sql: "SELECT * FROM audit_witness ORDER BY records DESC LIMIT 1"
            ).map(Self.witness)
        }
    }

    /// Milliseconds since 1970 of the first record that the mesh has not signed yet; nil where it
    /// has signed all.
    package func firstUnwitnessed() async throws -> UInt64? {
        try await writer.read { db in
            try Int64.fetchOne(
                db,
                sql: "SELECT at FROM audit_record WHERE sequence > "
                    + "(SELECT COALESCE(MAX(records), 0) FROM audit_witness) "
                    + "ORDER BY sequence LIMIT 1"
            ).map { UInt64($0) }
        }
    }

    private static func witness(_ row: Row) -> AuditWitnessView {
        AuditWitnessView(
            sequence: row["records"], digest: row["digest"],
            height: UInt64(row["height"] as Int64))
    }
}
