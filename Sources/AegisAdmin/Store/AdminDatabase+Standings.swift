package import AegisAPI
package import AegisCore
import FoundationEssentials
import GRDB

/// Why the admin has nothing to do with a participant for now, or any more.
package struct StoredStanding: Hashable, Sendable {
    package let standing: ParticipantView.Standing
    package let reason: String
    /// Milliseconds since 1970.
    package let at: UInt64
    package let by: String
}

extension AdminDatabase {
    /// Of those that are not active.
    package func standings() async throws -> [NodeID: StoredStanding] {
        try await writer.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM standing").reduce(into: [:]) { all, row in
                guard let node = NodeID(Array(row["node"] as Data)),
                    let standing = ParticipantView.Standing(rawValue: row["standing"])
                else { throw AdminDatabaseError.damaged(table: "standing") }
                all[node] = StoredStanding(
                    standing: standing, reason: row["reason"], at: UInt64(row["at"] as Int64),
                    by: row["by"])
            }
        }
    }

    /// False where the participant was revoked: that is for good. `command` is what the mesh is
    /// asked to decide with it.
    package func setStanding(
        of node: NodeID, _ standing: ParticipantView.Standing, reason: String,
        command: StoredCommand?, by actor: String, at time: UInt64
    ) async throws -> Bool {
        try await change { db in
            try db.execute(
                sql: "DELETE FROM standing WHERE node = ? AND standing != 'revoked'",
                arguments: [Data(node.bytes)])
            let isRevoked = try Bool.fetchOne(
                db, sql: "SELECT EXISTS (SELECT 1 FROM standing WHERE node = ?)",
                arguments: [Data(node.bytes)])
            guard isRevoked != true else { return false }
            if let command { try Self.insert(command, db) }
            guard standing != .active else { return true }
            try db.execute(
                sql: "INSERT INTO standing (node, standing, reason, at, by) VALUES (?, ?, ?, ?, ?)",
                arguments: [Data(node.bytes), standing.rawValue, reason, Int64(time), actor])
            return true
        }
    }
}
