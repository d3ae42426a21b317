package import AegisCore
package import AegisProtocol
import FoundationEssentials
import GRDB

/// A run as the admin keeps it: what was asked, and how far the commits say it is.
package struct StoredRun: Hashable, Sendable {
    package let specification: RunSpecification
    /// The submitted JSON.
    package let request: [UInt8]
    package let submittedAt: UInt64
    package let submittedBy: String
    package let startedHeight: UInt64?
    package let endedHeight: UInt64?
    package let roundsCommitted: Int
    package let model: Digest?
    package let outcome: FinishedRun.Outcome?
}

/// A signed command on its way to a commit.
package struct StoredCommand: Hashable, Sendable {
    package enum Kind: String, Sendable { case start, stop, witness, membership }

    package let sequence: UInt64
    /// Nil for what is of no run.
    package let run: RunID?
    package let kind: Kind
    package let envelope: [UInt8]
    package let expiresAt: UInt64
    package let committedHeight: UInt64?
}

package enum RunStoreError: Error, Hashable, Sendable {
    case nameTaken(String)
    case alreadyStarted
}

extension AdminDatabase {
    package func insertRun(
        _ specification: RunSpecification, request: [UInt8], at time: UInt64, by actor: String,
        start: StoredCommand?
    ) async throws {
        try await change { db in
            let taken = try Bool.fetchOne(
                db, sql: "SELECT EXISTS (SELECT 1 FROM run WHERE name = ?)",
                arguments: [specification.name])
            guard taken != true else { throw RunStoreError.nameTaken(specification.name) }
            try db.execute(
                sql: """
                    INSERT INTO run (id, name, specification, request, submitted_at, submitted_by)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    Data(specification.run.bytes), specification.name,
                    Data(specification.cbor.encoded), Data(request), Int64(time), actor,
                ])
            if let start { try Self.insert(start, db) }
        }
    }

    package func insertCommand(_ command: StoredCommand) async throws {
        try await change { try Self.insert(command, $0) }
    }

    /// The start of a draft, once.
    package func insertStart(_ command: StoredCommand) async throws {
        try await change { db in
            let started = try Bool.fetchOne(
                db, sql: "SELECT EXISTS (SELECT 1 FROM command WHERE run = ? AND kind = 'start')",
                arguments: [command.run.map { Data($0.bytes) }])
            guard started != true else { throw RunStoreError.alreadyStarted }
            try Self.insert(command, db)
        }
    }

    /// False where it is no draft.
    package func deleteDraft(_ run: RunID) async throws -> Bool {
        try await change { db in
            try db.execute(
                sql: "DELETE FROM run WHERE id = ?1 AND started_height IS NULL "
                    + "AND NOT EXISTS (SELECT 1 FROM command WHERE run = ?1)",
                arguments: [Data(run.bytes)])
            return db.changesCount == 1
        }
    }

    static func insert(_ command: StoredCommand, _ db: Database) throws {
        try db.execute(
            sql: """
                INSERT INTO command (sequence, run, kind, envelope, expires_at)
                VALUES (?, ?, ?, ?, ?)
                """,
            arguments: [
                Int64(command.sequence), command.run.map { Data($0.bytes) }, command.kind.rawValue,
                Data(command.envelope), Int64(command.expiresAt),
            ])
    }

    /// Of runs, oldest first.
    package func commands() async throws -> [StoredCommand] {
        try await writer.read { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM command WHERE run IS NOT NULL ORDER BY sequence"
            ).map(Self.command)
        }
    }

    /// What is neither committed nor too old to be.
    package func pendingCommands(now: UInt64) async throws -> [StoredCommand] {
        try await writer.read { db in
            try Row.fetchAll(
                db,
                sql: "SELECT * FROM command WHERE committed_height IS NULL AND expires_at > ? "
                    + "ORDER BY sequence", arguments: [Int64(now)]
            ).map(Self.command)
        }
    }

    /// Of the newest command; 0 where there is none.
    package func lastCommandSequence() async throws -> UInt64 {
        try await writer.read { db in
            UInt64(try Int64.fetchOne(db, sql: "SELECT MAX(sequence) FROM command") ?? 0)
        }
    }

    private static func command(_ row: Row) throws -> StoredCommand {
        guard let kind = StoredCommand.Kind(rawValue: row["kind"]) else {
            throw AdminDatabaseError.damaged(table: "command")
        }
        return StoredCommand(
            sequence: UInt64(row["sequence"] as Int64),
            run: (row["run"] as Data?).flatMap { RunID(Array($0)) }, kind: kind,
            envelope: Array(row["envelope"] as Data),
            expiresAt: UInt64(row["expires_at"] as Int64),
            committedHeight: (row["committed_height"] as Int64?).map { UInt64($0) })
    }

    /// The newest first.
    package func runs() async throws -> [StoredRun] {
        try await writer.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM run ORDER BY submitted_at DESC, rowid DESC")
                .map(Self.run)
        }
    }

    /// By id or by name.
    package func run(_ name: String) async throws -> StoredRun? {
        try await writer.read { db in
            try Row.fetchOne(
                db, sql: "SELECT * FROM run WHERE id = ? OR name = ?",
                arguments: [RunID(text: name).map { Data($0.bytes) }, name]
            ).map(Self.run)
        }
    }

    private static func run(_ row: Row) throws -> StoredRun {
        let bytes = Array(row["specification"] as Data)
        guard let value = try? CBOR.decode(bytes),
            let specification = try? RunSpecification(value)
        else { throw AdminDatabaseError.damaged(table: "run") }
        let outcome: FinishedRun.Outcome? =
            switch row["outcome"] as String? {
            case "completed": .completed
            case "stopped": .stopped(reason: row["reason"] ?? "")
            case "paused": .paused
            case nil: nil
            case .some: throw AdminDatabaseError.damaged(table: "run")
            }
        return StoredRun(
            specification: specification, request: Array(row["request"] as Data),
            submittedAt: UInt64(row["submitted_at"] as Int64), submittedBy: row["submitted_by"],
            startedHeight: (row["started_height"] as Int64?).map { UInt64($0) },
            endedHeight: (row["ended_height"] as Int64?).map { UInt64($0) },
            roundsCommitted: row["rounds_committed"],
            model: (row["model"] as Data?).flatMap { Digest(Array($0)) }, outcome: outcome)
    }
}
