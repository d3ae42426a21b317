package import AegisCore
package import AegisIdentity
package import AegisProtocol
import FoundationEssentials
import GRDB

extension AdminDatabase {
    /// A signed change of the members; `grant` where it is a token's, which the list shows.
    package func insertChange(
        _ command: StoredCommand, grant: TokenGrant? = nil,
        limits: TokenLimits = TokenLimits(), purpose: String = "", by actor: String = "",
        at time: UInt64 = 0
    ) async throws {
        try await change { db in
            try Self.insert(command, db)
            guard let grant else { return }
            try Self.insert(grant, limits: limits, purpose: purpose, by: actor, at: time, db)
        }
    }

    /// Names of members under the keys that they have given up.
    package func formerNames() async throws -> [NodeID: String] {
        try await writer.read { db in
            try Row.fetchAll(db, sql: "SELECT node, name FROM former_key").reduce(into: [:]) {
                guard let node = NodeID(Array($1["node"] as Data)) else { return }
                $0[node] = $1["name"]
            }
        }
    }

    /// Who has joined with which token, and under which key a participant goes now, by a decision
    /// of the mesh.
    static func keepMembership(of commit: Commit, _ db: Database) throws {
        for command in commit.commands {
            guard case .membership(let change) = command.action else { continue }
            switch change {
            case .join(let request, _): try keep(request, of: commit, db)
            case .rotateKey(let replacement), .replaceLostKey(let replacement):
                try keep(replacement, db)
            case .moveAddress(let node, let address):
                try db.execute(
                    sql: "UPDATE participant SET address = ? WHERE node = ?",
                    arguments: [address, Data(node.bytes)])
            case .word(_, .admin(let replacement)):
                // The next admin's log is another one; what was signed of the last is not its.
                guard commit.state.admin == replacement.new else { continue }
                try db.execute(sql: "DELETE FROM audit_witness")
            case .grantToken, .revokeToken, .promote, .suspend, .resume, .evict, .ready, .leave,
                .word, .withdraw:
                break
            }
        }
    }

    /// Whoever joins again under an earlier name takes its place in the list.
    private static func keep(_ request: JoinRequest, of commit: Commit, _ db: Database) throws {
        guard let entry = commit.state.roster.member(request.node) else { return }
        try use(request.tokenID, by: request.node, db)
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO former_key (node, name)
                SELECT node, name FROM participant WHERE name = ?
                """, arguments: [entry.name])
        try db.execute(
            sql: """
                INSERT INTO participant (node, name, address, joined_at, token)
                VALUES (?, ?, ?, ?, (SELECT id FROM token WHERE id = ?))
                ON CONFLICT (name) DO UPDATE SET node = excluded.node,
                address = excluded.address, token = excluded.token,
                joined_at = excluded.joined_at
                """,
            arguments: [
                Data(request.node.bytes), entry.name, entry.address,
                Int64(commit.header.committedTime), Data(request.tokenID),
            ])
    }

    private static func keep(_ replacement: KeyReplacement, _ db: Database) throws {
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO former_key (node, name)
                SELECT node, name FROM participant WHERE node = ?
                """, arguments: [Data(replacement.old.bytes)])
        // What it measured goes with it: of a round that it measured under the old key it may tell
        // more under the new one.
        for table in ["participant", "measured", "measure"] {
            try db.execute(
                sql: "UPDATE \(table) SET node = ? WHERE node = ?",
                arguments: [Data(replacement.new.bytes), Data(replacement.old.bytes)])
        }
    }
}
