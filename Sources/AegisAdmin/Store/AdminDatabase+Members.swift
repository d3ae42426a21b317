package import AegisAPI
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
    package let limits: TokenLimits
    /// In no order.
    package let users: [NodeID]
}

/// What a token is good for.
package struct TokenLimits: Hashable, Sendable {
    package typealias Kind = JoinTokenView.Kind

    package let kind: Kind
    /// How many nodes may use it, each once.
    package let uses: Int
    /// Of a replacement: whose place the new key takes.
    package let replaces: NodeID?

    package init(kind: Kind = .participant, uses: Int = 1, replaces: NodeID? = nil) {
        self.kind = kind
        self.uses = uses
        self.replaces = replaces
    }
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
        _ grant: TokenGrant, limits: TokenLimits = TokenLimits(), purpose: String,
        at time: UInt64, by actor: String
    ) async throws {
        try await change { db in
            let isOpen = try Self.genesis(db) == nil
            guard isOpen || limits.kind == .replacement else { throw MembershipError.closed }
            let taken = try Bool.fetchOne(
                db, sql: "SELECT EXISTS (SELECT 1 FROM participant WHERE name = ?)",
                arguments: [grant.name])
            guard taken != true || limits.kind == .replacement else {
                throw MembershipError.nameTaken(grant.name)
            }
            try Self.insert(grant, limits: limits, purpose: purpose, by: actor, at: time, db)
        }
    }

    static func insert(
        _ grant: TokenGrant, limits: TokenLimits, purpose: String, by actor: String,
        at time: UInt64, _ db: Database
    ) throws {
        try db.execute(
            sql: """
                INSERT INTO token
                (id, public_key, name, not_after, created_at, created_by, purpose, uses, kind,
                 replaces)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                Data(grant.tokenID), Data(grant.tokenKey.bytes), grant.name,
                Int64(grant.notAfter), Int64(time), actor, purpose, limits.uses,
                limits.kind.rawValue, limits.replaces.map { Data($0.bytes) },
            ])
    }

    package func grants() async throws -> [StoredGrant] {
        try await writer.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM token ORDER BY created_at, rowid").map {
                try Self.grant($0, db)
            }
        }
    }

    /// Nil where there is no such token, or it was revoked.
    package func liveGrant(_ id: [UInt8]) async throws -> StoredGrant? {
        try await writer.read { try Self.liveGrant(id, $0) }
    }

    private static func liveGrant(_ id: [UInt8], _ db: Database) throws -> StoredGrant? {
        try Row.fetchOne(
            db, sql: "SELECT * FROM token WHERE id = ? AND revoked_at IS NULL",
            arguments: [Data(id)]
        ).map { try grant($0, db) }
    }

    /// The token has served this node.
    package func useToken(_ id: [UInt8], by node: NodeID) async throws {
        try await write { try Self.use(id, by: node, $0) }
    }

    static func use(_ token: [UInt8], by node: NodeID, _ db: Database) throws {
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO token_use (token, node)
                SELECT id, ? FROM token WHERE id = ?
                """, arguments: [Data(node.bytes), Data(token)])
        try db.execute(
            sql: "UPDATE token SET used_by = coalesce(used_by, ?) WHERE id = ?",
            arguments: [Data(node.bytes), Data(token)])
    }

    /// Checks a join with `verify`, which is given a look at the grants, and records it: token
    /// used, participant added, both or neither. A repeat changes nothing. `node` says that it is
    /// the one that asks.
    package func join(
        of node: NodeID?, at time: UInt64,
        verify: @Sendable (_ grantOf: ([UInt8]) -> TokenGrant?) throws -> Acceptor.Accepted
    ) async throws -> Acceptor.Accepted {
        try await write { db in
            let accepted = try verify { id in
                (try? Self.liveGrant(id, db)).flatMap { $0 }?.grant(asking: node)
            }
            if accepted.isRepeat { return accepted }
            guard try Self.genesis(db) == nil else { throw MembershipError.closed }
            let request = accepted.request
            let name = accepted.name
            for participant in try Self.participants(db) {
                guard participant.entry.node != request.node else {
                    throw MembershipError.alreadyParticipant(request.node)
                }
                guard participant.entry.name != name else {
                    throw MembershipError.nameTaken(name)
                }
            }
            try Self.use(request.tokenID, by: request.node, db)
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

    /// Takes over a mesh that another admin has founded; a mesh that is here already stays as it
    /// is.
    func adopt(_ document: [UInt8]) throws {
        let genesis = try GenesisVerifier().verify(try GenesisDocument(decoding: document))
        let time = Int64(genesis.founding.statement.foundedAt)
        try writer.write { db in
            guard try Self.genesis(db) == nil else { return }
            try db.execute(
                sql: "INSERT INTO genesis (id, payload, document) VALUES (1, ?, ?)",
                arguments: [Data(genesis.statement.payload), Data(document)])
            for entry in genesis.roster.entries {
                try db.execute(
                    sql: "INSERT INTO participant (node, name, address, joined_at) "
                        + "VALUES (?, ?, ?, ?)",
                    arguments: [Data(entry.node.bytes), entry.name, entry.address, time])
            }
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

    private static func grant(_ row: Row, _ db: Database) throws -> StoredGrant {
        let users = try Data.fetchAll(
            db, sql: "SELECT node FROM token_use WHERE token = ?",
            arguments: [row["id"] as Data]
        ).map { NodeID(Array($0)) }
        guard let key = NodeID(Array(row["public_key"] as Data)), !users.contains(nil),
            let kind = TokenLimits.Kind(rawValue: row["kind"])
        else { throw AdminDatabaseError.damaged(table: "token") }
        return StoredGrant(
            grant: TokenGrant(
                tokenID: Array(row["id"] as Data), tokenKey: key, name: row["name"],
                notAfter: UInt64(row["not_after"] as Int64)),
            createdAt: UInt64(row["created_at"] as Int64), createdBy: row["created_by"],
            revokedAt: (row["revoked_at"] as Int64?).map { UInt64($0) }, purpose: row["purpose"],
            limits: TokenLimits(
                kind: kind, uses: row["uses"],
                replaces: (row["replaces"] as Data?).flatMap { NodeID(Array($0)) }),
            users: users.compactMap(\.self))
    }

    /// False where there is no such token, or it is used up: then revoking it would say too much.
    package func revokeGrant(_ id: [UInt8], at time: UInt64) async throws -> Bool {
        try await change { db in
            try db.execute(
                sql: "UPDATE token SET revoked_at = coalesce(revoked_at, ?) "
                    + "WHERE id = ? AND uses > "
                    + "(SELECT count(*) FROM token_use WHERE token = token.id)",
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

extension StoredGrant {
    /// As an acceptor checks it: used up where it is, unless by the one who asks again.
    package func grant(asking node: NodeID?) -> TokenGrant {
        var grant = grant
        let isUsedUp = users.count >= limits.uses
        grant.usedBy = users.first { $0 == node } ?? (isUsedUp ? users.first : nil)
        return grant
    }
}
