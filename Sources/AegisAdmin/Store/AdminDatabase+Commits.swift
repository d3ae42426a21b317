import AegisAPI
package import AegisCore
package import AegisProtocol
import FoundationEssentials
import GRDB

/// A commit record as it was received.
package struct StoredCommit: Hashable, Sendable {
    package let height: UInt64
    package let digest: Digest
    package let bytes: [UInt8]
    package let run: RunID?
    package let round: Int?
}

/// What the mesh decided of a round.
package struct StoredRound: Hashable, Sendable {
    package let round: Int
    package let height: UInt64
    package let view: Int
    package let coordinator: NodeID
    package let participants: [NodeID]
    package let model: Digest
    package let digest: Digest
}

extension AdminDatabase {
    /// Keeps a verified commit with all that follows from it, or nothing of it.
    package func insertCommit(
        _ commit: Commit, coordinator: NodeID, participants: [NodeID], from node: String
    ) async throws {
        try await write { db in
            let header = commit.header
            let run = header.run ?? commit.commands.lazy.compactMap(\.run).first
            try db.execute(
                sql: """
                    INSERT INTO commit_record (height, digest, bytes, run, round, seen_from)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    Int64(header.height), Data(commit.digest.bytes), Data(commit.record.encoded),
                    run.map { Data($0.bytes) }, header.kind == .round ? header.round : nil, node,
                ])
            if header.kind == .round, let run {
                try Self.insertRound(
                    commit, run: run, coordinator: coordinator, participants: participants, db)
            }
            for command in commit.commands {
                if case .start(let specification) = command.action {
                    try Self.insertForeign(specification, at: header.committedTime, db)
                }
                try db.execute(
                    sql: "UPDATE command SET committed_height = ? WHERE sequence = ?",
                    arguments: [Int64(header.height), Int64(command.sequence)])
                try Self.insertWitness(of: command, height: header.height, db)
            }
            try Self.keepMembership(of: commit, db)
            try Self.update(commit.state, height: header.height, db)
        }
    }

    /// A run that another admin has started, or this one before its store was restored: what the
    /// mesh's decision says of it.
    private static func insertForeign(
        _ specification: RunSpecification, at time: UInt64, _ db: Database
    ) throws {
        let request: JSONValue = .object([
            "name": .text(specification.name), "dataset": .text(specification.dataset),
            "rounds": .integer(Int64(specification.rounds)),
        ])
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO run
                (id, name, specification, request, submitted_at, submitted_by)
                VALUES (?, ?, ?, ?, ?, 'the mesh')
                """,
            arguments: [
                Data(specification.run.bytes), specification.name,
                Data(specification.cbor.encoded), Data(try AegisAPI.encodeDocument(request)),
                Int64(time),
            ])
    }

    private static func insertRound(
        _ commit: Commit, run: RunID, coordinator: NodeID, participants: [NodeID], _ db: Database
    ) throws {
        let nodes = CBOR.array(participants.map { .node($0) }).encoded
        try db.execute(
            sql: """
                INSERT INTO committed_round
                (run, round, height, view, coordinator, participants, model, digest)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                Data(run.bytes), commit.header.round, Int64(commit.header.height),
                Int64(commit.view), Data(coordinator.bytes), Data(nodes),
                Data(commit.header.model.bytes), Data(commit.digest.bytes),
            ])
    }

    /// What the chain says of its runs, in the words of the table.
    private static func update(_ state: ChainState, height: UInt64, _ db: Database) throws {
        if let active = state.active {
            try db.execute(
                sql: "UPDATE run SET started_height = ?, rounds_committed = ?, model = ? "
                    + "WHERE id = ?",
                arguments: [
                    Int64(active.startedAt), active.round - 1, Data(active.model.bytes),
                    Data(active.specification.run.bytes),
                ])
        }
        for run in state.finished where run.endedAt == height {
            let outcome: (String, String?) =
                switch run.outcome {
                case .completed: ("completed", nil)
                case .stopped(let reason): ("stopped", reason)
                case .paused: ("paused", nil)
                }
            try db.execute(
                sql: "UPDATE run SET rounds_committed = ?, model = ?, ended_height = ?, "
                    + "outcome = ?, reason = ? WHERE id = ?",
                arguments: [
                    run.rounds, Data(run.model.bytes), Int64(height), outcome.0, outcome.1,
                    Data(run.run.bytes),
                ])
        }
    }

    /// All from `first` through `last`, or the first `limit` of them.
    package func commits(
        from first: UInt64 = 1, through last: UInt64, limit: Int? = nil
    ) async throws -> [StoredCommit] {
        try await writer.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT * FROM commit_record WHERE height BETWEEN ? AND ?
                    ORDER BY height LIMIT ?
                    """,
                arguments: [Int64(clamping: first), Int64(clamping: last), limit ?? -1]
            ).map { row in
                guard let digest = Digest(Array(row["digest"] as Data)) else {
                    throw AdminDatabaseError.damaged(table: "commit_record")
                }
                return StoredCommit(
                    height: UInt64(row["height"] as Int64), digest: digest,
                    bytes: Array(row["bytes"] as Data),
                    run: (row["run"] as Data?).flatMap { RunID(Array($0)) }, round: row["round"])
            }
        }
    }

    package func insertFork(_ commit: Commit, from node: String) async throws {
        try await write { db in
            try db.execute(
                sql: "INSERT OR IGNORE INTO fork (height, digest, bytes, seen_from) "
                    + "VALUES (?, ?, ?, ?)",
                arguments: [
                    Int64(commit.header.height), Data(commit.digest.bytes),
                    Data(commit.record.encoded), node,
                ])
        }
    }

    /// The lowest height that has two certified values, and the node that showed the second.
    package func fork() async throws -> (height: UInt64, node: String)? {
        try await writer.read { db in
            try Row.fetchOne(db, sql: "SELECT height, seen_from FROM fork ORDER BY height LIMIT 1")
                .map { (UInt64($0["height"] as Int64), $0["seen_from"] as String) }
        }
    }

    /// The last committed round of a run.
    package func lastRound(of run: RunID) async throws -> (round: Int, height: UInt64)? {
        try await writer.read { db in
            try Row.fetchOne(
                db,
                sql: """
                    SELECT round, height FROM committed_round
                    WHERE run = ? ORDER BY round DESC LIMIT 1
                    """, arguments: [Data(run.bytes)]
            ).map { ($0["round"], UInt64($0["height"] as Int64)) }
        }
    }

    /// The first `limit` rounds after `round`.
    package func rounds(
        of run: RunID, after round: Int, limit: Int
    ) async throws -> [StoredRound] {
        try await writer.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT * FROM committed_round WHERE run = ? AND round > ?
                    ORDER BY round LIMIT ?
                    """, arguments: [Data(run.bytes), round, limit]
            ).map { row in
                guard let coordinator = NodeID(Array(row["coordinator"] as Data)),
                    let model = Digest(Array(row["model"] as Data)),
                    let digest = Digest(Array(row["digest"] as Data)),
                    case .array(let nodes) = try CBOR.decode(Array(row["participants"] as Data))
                else { throw AdminDatabaseError.damaged(table: "committed_round") }
                let participants = nodes.compactMap { node -> NodeID? in
                    guard case .bytes(let bytes) = node else { return nil }
                    return NodeID(bytes)
                }
                return StoredRound(
                    round: row["round"], height: UInt64(row["height"] as Int64),
                    view: row["view"], coordinator: coordinator, participants: participants,
                    model: model, digest: digest)
            }
        }
    }
}

extension Command {
    /// Nil where it isn't about a run.
    var run: RunID? {
        switch action {
        case .start(let specification): specification.run
        case .stop(let run, _): run
        case .witness: nil
        case .membership: nil
        }
    }
}
