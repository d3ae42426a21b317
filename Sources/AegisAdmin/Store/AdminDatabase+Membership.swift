import AegisCore
package import AegisIdentity
package import AegisProtocol
import FoundationEssentials
import GRDB

extension AdminDatabase {
    /// A signed change of the members; `grant` where it is a token's, which the list shows.
    package func insertChange(
        _ command: StoredCommand, grant: TokenGrant? = nil, purpose: String = "",
        by actor: String = "", at time: UInt64 = 0
    ) async throws {
        try await change { db in
            try Self.insert(command, db)
            guard let grant else { return }
            try Self.insert(grant, purpose: purpose, by: actor, at: time, db)
        }
    }

    /// Who has joined with which token, by a decision of the mesh.
    static func keepMembership(of commit: Commit, _ db: Database) throws {
        let joined = commit.commands.compactMap { command -> JoinRequest? in
            guard case .membership(.join(let request, _)) = command.action else { return nil }
            return request
        }
        let roster = commit.state.roster
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
                    Data(request.node.bytes), entry.name, entry.address,
                    Int64(commit.header.committedTime), Data(request.tokenID),
                ])
        }
    }
}
