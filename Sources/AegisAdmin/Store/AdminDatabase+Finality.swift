package import AegisAPI
package import AegisProtocol
import FoundationEssentials
import GRDB

/// What makes a height, and all before it, final: verified here, its bytes as they came.
package struct StoredFinality: Hashable, Sendable {
    package let view: FinalityView
    package let bytes: [UInt8]
}

extension AdminDatabase {
    /// Of each height the one with the most signatures stays.
    package func insertFinal(_ finality: Finality, bytes: [UInt8]) async throws {
        try await write { db in
            try db.execute(
                sql: """
                    INSERT INTO final_certificate
                        (height, signatures, participants, resists, bytes)
                    VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
                    signatures = excluded.signatures, resists = excluded.resists,
                    bytes = excluded.bytes
                    WHERE excluded.signatures > final_certificate.signatures
                    """,
                arguments: [
                    Int64(clamping: finality.height), finality.signatures, finality.participants,
                    finality.resists, Data(bytes),
                ])
        }
    }

    /// The lowest one from `height` on: it makes `height` final, too.
    package func final(from height: UInt64) async throws -> StoredFinality? {
        try await final("height >= ? ORDER BY height", height)
    }

    /// The highest there is.
    package func lastFinal() async throws -> StoredFinality? {
        try await final("height <= ? ORDER BY height DESC", .max)
    }

    private func final(_ condition: String, _ height: UInt64) async throws -> StoredFinality? {
        try await writer.read { db in
            try Row.fetchOne(
                db, sql: "SELECT * FROM final_certificate WHERE \(condition) LIMIT 1",
                arguments: [Int64(clamping: height)]
            ).map { row in
                StoredFinality(
                    view: FinalityView(
                        height: UInt64(row["height"] as Int64), signatures: row["signatures"],
                        participants: row["participants"], resists: row["resists"]),
                    bytes: Array(row["bytes"] as Data))
            }
        }
    }
}
