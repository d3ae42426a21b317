import AegisCore
package import AegisIdentity
package import AegisProtocol
import FoundationEssentials
import GRDB

/// A change of the members that the admin has signed.
package struct StoredChange: Hashable, Sendable {
    package let sequence: UInt64
    package let envelope: [UInt8]
    /// Milliseconds since 1970.
    package let expiresAt: UInt64

    package init(sequence: UInt64, envelope: [UInt8], expiresAt: UInt64) {
        self.sequence = sequence
        self.envelope = envelope
        self.expiresAt = expiresAt
    }
}

extension AdminDatabase {
    static let membership = """
        CREATE TABLE membership_command (
            sequence INTEGER PRIMARY KEY NOT NULL, envelope BLOB NOT NULL,
            expires_at INTEGER NOT NULL, committed_height INTEGER
        ) STRICT;
        """

    package func insertChange(_ change: StoredChange) async throws {
        try await self.change { db in
            try db.execute(
                sql: "INSERT INTO membership_command (sequence, envelope, expires_at) "
                    + "VALUES (?, ?, ?)",
                arguments: [
                    Int64(change.sequence), Data(change.envelope), Int64(change.expiresAt),
                ])
        }
    }

    /// Those that are not decided and not expired.
    package func pendingChanges(now: UInt64) async throws -> [StoredChange] {
        try await writer.read { db in
            try Row.fetchAll(
                db,
                sql: "SELECT * FROM membership_command WHERE committed_height IS NULL "
                    + "AND expires_at > ? ORDER BY sequence",
                arguments: [Int64(now)]
            ).map { row in
                StoredChange(
                    sequence: UInt64(row["sequence"] as Int64),
                    envelope: Array(row["envelope"] as Data),
                    expiresAt: UInt64(row["expires_at"] as Int64))
            }
        }
    }

    /// The greatest number of a change so far.
    package func lastChange() async throws -> UInt64 {
        try await writer.read { db in
            UInt64(
                try Int64.fetchOne(db, sql: "SELECT max(sequence) FROM membership_command") ?? 0)
        }
    }

    /// A token for a mesh that is founded: the mesh has the grant, this is for the list.
    package func insertLiveGrant(
        _ grant: TokenGrant, at time: UInt64, by actor: String
    ) async throws {
        try await change { db in
            try db.execute(
                sql: """
                    INSERT INTO token (id, public_key, name, not_after, created_at, created_by)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    Data(grant.tokenID), Data(grant.tokenKey.bytes), grant.name,
                    Int64(grant.notAfter), Int64(time), actor,
                ])
        }
    }

    /// What a decision says of members: whose change is decided, who has joined with which token.
    package func keepMembership(of commit: Commit) async throws {
        let joined = commit.commands.compactMap { command -> JoinRequest? in
            guard case .membership(.join(let request, _)) = command.action else { return nil }
            return request
        }
        let sequences = commit.commands.map(\.sequence).filter { $0 > 0 }
        guard !joined.isEmpty || !sequences.isEmpty else { return }
        let (height, time) = (Int64(commit.header.height), Int64(commit.header.committedTime))
        let roster = commit.state.roster
        try await writer.write { db in
            for sequence in sequences {
                try db.execute(
                    sql: "UPDATE membership_command SET committed_height = ? WHERE sequence = ?",
                    arguments: [height, Int64(sequence)])
            }
            for request in joined {
                guard let entry = roster.member(request.node) else { continue }
                try db.execute(
                    sql: "UPDATE token SET used_by = ? WHERE id = ?",
                    arguments: [Data(request.node.bytes), Data(request.tokenID)])
                try db.execute(
                    sql: """
                        INSERT OR IGNORE INTO participant (node, name, address, token, joined_at)
                        SELECT ?, ?, ?, id, ? FROM token WHERE id = ?
                        """,
                    arguments: [
                        Data(request.node.bytes), entry.name, entry.address, time,
                        Data(request.tokenID),
                    ])
            }
        }
    }
}
