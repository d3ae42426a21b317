package import AegisCore
package import AegisIdentity
package import AegisProtocol
import FoundationEssentials
import GRDB

/// A token as the admin keeps it.
package struct StoredGrant: Hashable, Sendable {
    package let grant: TokenGrant
    /// Milliseconds since 1970.
    package let createdAt: UInt64
    package let createdBy: String
    package let revokedAt: UInt64?
    package let purpose: String
}

package struct EnrolledParticipant: Hashable, Sendable {
    package let entry: RosterEntry
    package let joinedAt: UInt64
}

/// How far the founding is.
package struct GenesisProgress: Hashable, Sendable {
    package let payload: [UInt8]
    package let signed: Set<NodeID>
    package let document: [UInt8]?
}

package enum MembershipError: Error, Hashable, Sendable {
    /// The roster is frozen: the mesh is being founded or is founded.
    case closed
    case nameTaken(String)
    case noParticipants
    case alreadyParticipant(NodeID)
    case rosterRefused
}

extension AdminDatabase {
    package func insertGrant(
        _ grant: TokenGrant, purpose: String, at time: UInt64, by actor: String
    ) async throws {
        try await change { db in
            guard try Self.genesis(db) == nil else { throw MembershipError.closed }
            let taken = try Bool.fetchOne(
                db, sql: "SELECT EXISTS (SELECT 1 FROM participant WHERE name = ?)",
                arguments: [grant.name])
            guard taken != true else { throw MembershipError.nameTaken(grant.name) }
            try Self.insert(grant, purpose: purpose, by: actor, at: time, db)
        }
    }

    static func insert(
        _ grant: TokenGrant, purpose: String, by actor: String, at time: UInt64, _ db: Database
    ) throws {
        try db.execute(
            sql: """
                INSERT INTO token
                (id, public_key, name, not_after, created_at, created_by, purpose)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                Data(grant.tokenID), Data(grant.tokenKey.bytes), grant.name,
                Int64(grant.notAfter), Int64(time), actor, purpose,
            ])
    }

    package func grants() async throws -> [StoredGrant] {
        try await writer.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM token ORDER BY created_at, rowid").map {
                try Self.grant($0)
            }
        }
    }

    /// Checks a join with `verify`, which is given a look at the grants, and records it: token
    /// used, participant added, both or neither. A repeat changes nothing.
    package func join(
        at time: UInt64,
        verify: @Sendable (_ grantOf: ([UInt8]) -> TokenGrant?) throws -> Acceptor.Accepted
    ) async throws -> Acceptor.Accepted {
        try await write { db in
            let accepted = try verify { id in
                let row = try? Row.fetchOne(
                    db, sql: "SELECT * FROM token WHERE id = ? AND revoked_at IS NULL",
                    arguments: [Data(id)])
                return row.flatMap { try? Self.grant($0).grant }
            }
            if accepted.isRepeat { return accepted }
            guard try Self.genesis(db) == nil else { throw MembershipError.closed }
            let request = accepted.request
            let name = accepted.grant.name
            for participant in try Self.participants(db) {
                guard participant.entry.node != request.node else {
                    throw MembershipError.alreadyParticipant(request.node)
                }
                guard participant.entry.name != name else {
                    throw MembershipError.nameTaken(name)
                }
            }
            try db.execute(
                sql: "UPDATE token SET used_by = ? WHERE id = ? AND used_by IS NULL",
                arguments: [Data(request.node.bytes), Data(request.tokenID)])
            guard db.changesCount == 1 else {
                throw AdminDatabaseError.damaged(table: "token")
            }
            try db.execute(
                sql: """
                    INSERT INTO participant (node, name, address, token, joined_at)
                    VALUES (?, ?, ?, ?, ?)
                    """,
                arguments: [
                    Data(request.node.bytes), name, request.address, Data(request.tokenID),
                    Int64(time),
                ])
            return accepted
        }
    }

    package func participants() async throws -> [EnrolledParticipant] {
        try await writer.read { try Self.participants($0) }
    }

    package func genesis() async throws -> GenesisProgress? {
        try await writer.read { try Self.genesis($0) }
    }

    /// Freezes the roster: the genesis statement of those who have joined. The frozen one where it
    /// is frozen already.
    package func freezeRoster(
        make: @escaping @Sendable ([RosterEntry]) throws -> [UInt8]
    ) async throws -> GenesisProgress {
        try await change { db in
            if let progress = try Self.genesis(db) { return progress }
            let entries = try Self.participants(db).map(\.entry)
            guard !entries.isEmpty else { throw MembershipError.noParticipants }
            let payload = try make(entries)
            try db.execute(
                sql: "INSERT INTO genesis (id, payload) VALUES (1, ?)",
                arguments: [Data(payload)])
            return GenesisProgress(payload: payload, signed: [], document: nil)
        }
    }

    /// Keeps a founder's signature; `complete` makes the document once all are there.
    package func insertGenesisSignature(
        _ envelope: [UInt8], by node: NodeID,
        complete: @Sendable ([[UInt8]]) throws -> [UInt8]?
    ) async throws {
        try await write { db in
            try db.execute(
                sql: "INSERT OR IGNORE INTO genesis_signature (node, envelope) VALUES (?, ?)",
                arguments: [Data(node.bytes), Data(envelope)])
            let signatures = try Data.fetchAll(
                db, sql: "SELECT envelope FROM genesis_signature ORDER BY node"
            ).map { Array($0) }
            guard let document = try complete(signatures) else { return }
            try db.execute(
                sql: "UPDATE genesis SET document = ? WHERE document IS NULL",
                arguments: [Data(document)])
        }
    }

    private static func grant(_ row: Row) throws -> StoredGrant {
        let user = (row["used_by"] as Data?).map { NodeID(Array($0)) }
        guard let key = NodeID(Array(row["public_key"] as Data)), user != .some(nil) else {
            throw AdminDatabaseError.damaged(table: "token")
        }
        return StoredGrant(
            grant: TokenGrant(
                tokenID: Array(row["id"] as Data), tokenKey: key, name: row["name"],
                notAfter: UInt64(row["not_after"] as Int64), usedBy: user ?? nil),
            createdAt: UInt64(row["created_at"] as Int64), createdBy: row["created_by"],
            revokedAt: (row["revoked_at"] as Int64?).map { UInt64($0) }, purpose: row["purpose"])
    }

    /// False where there is no such token, or it was used: then revoking it would say too much.
    package func revokeGrant(_ id: [UInt8], at time: UInt64) async throws -> Bool {
        try await change { db in
            try db.execute(
                sql: "UPDATE token SET revoked_at = coalesce(revoked_at, ?) "
                    + "WHERE id = ? AND used_by IS NULL",
                arguments: [Int64(time), Data(id)])
            return db.changesCount == 1
        }
    }

    private static func participants(_ db: Database) throws -> [EnrolledParticipant] {
        try Row.fetchAll(db, sql: "SELECT * FROM participant ORDER BY name").map { row in
            guard let node = NodeID(Array(row["node"] as Data)) else {
                throw AdminDatabaseError.damaged(table: "participant")
            }
            return EnrolledParticipant(
                entry: RosterEntry(node: node, name: row["name"], address: row["address"]),
                joinedAt: UInt64(row["joined_at"] as Int64))
        }
    }

    private static func genesis(_ db: Database) throws -> GenesisProgress? {
        guard let row = try Row.fetchOne(db, sql: "SELECT * FROM genesis") else { return nil }
        let signed = try Data.fetchAll(db, sql: "SELECT node FROM genesis_signature")
            .compactMap { NodeID(Array($0)) }
        return GenesisProgress(
            payload: Array(row["payload"] as Data), signed: Set(signed),
            document: (row["document"] as Data?).map { Array($0) })
    }
}
