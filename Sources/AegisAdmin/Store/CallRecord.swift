import AegisCore
import AegisTelemetry
import FoundationEssentials
import GRDB
import Synchronization

/// What a changing call leaves behind: its audit record, and its idempotency key where it has one.
/// Both are written in the transaction of the change itself, so that a process that dies leaves the
/// change with its record or neither.
final class CallRecord: Sendable {
    @TaskLocal static var current: CallRecord?

    struct Key: Hashable, Sendable {
        let text: String
        /// Of method, path and body: the same key for another request is a mistake.
        let request: Digest
    }

    let actor: String
    let action: String
    let parameters: Digest
    let request: String
    let key: Key?
    private let written = Mutex(false)

    init(actor: String, action: String, parameters: Digest, request: String, key: Key?) {
        self.actor = actor
        self.action = action
        self.parameters = parameters
        self.request = request
        self.key = key
    }

    var isWritten: Bool { written.withLock { $0 } }

    func entry(_ outcome: String) -> AuditEntry {
        AuditEntry(
            at: Timestamp.now(), actor: actor, action: action, parameters: parameters,
            outcome: outcome, request: request)
    }

    fileprivate func write(_ db: Database) throws {
        try AdminDatabase.appendAudit(entry("done"), db)
        guard let key else { return }
        try AdminDatabase.forgetCalls(now: Timestamp.now(), db)
        try db.execute(
            sql: "INSERT INTO idempotency (actor, key, request, at) VALUES (?, ?, ?, ?)",
            arguments: [actor, key.text, Data(key.request.bytes), Int64(Timestamp.now())])
    }

    fileprivate func committed() { written.withLock { $0 = true } }
}

extension AdminDatabase {
    /// A change that somebody asked for: with the record of the call that is being served. Only
    /// the first change of a call writes it.
    func change<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws -> Value {
        let record = CallRecord.current.flatMap { $0.isWritten ? nil : $0 }
        let value = try await write { db in
            let value = try body(db)
            try record?.write(db)
            return value
        }
        record?.committed()
        return value
    }
}

/// The answer that was given to a call with an idempotency key.
struct RememberedCall: Sendable {
    let request: Digest
    let status: Int?
    let type: String?
    let location: String?
    let body: [UInt8]?
}

extension AdminDatabase {
    static let idempotencyMilliseconds: UInt64 = 86_400_000

    func rememberedCall(actor: String, key: String, now: UInt64) async throws -> RememberedCall? {
        try await writer.read { db in
            try Row.fetchOne(
                db, sql: "SELECT * FROM idempotency WHERE actor = ? AND key = ? AND at > ?",
                arguments: [
                    actor, key, Int64(now - min(now, Self.idempotencyMilliseconds)),
                ]
            ).map { row in
                guard let request = Digest(Array(row["request"] as Data)) else {
                    throw AdminDatabaseError.damaged(table: "idempotency")
                }
                return RememberedCall(
                    request: request, status: row["status"], type: row["type"],
                    location: row["location"], body: (row["body"] as Data?).map { Array($0) })
            }
        }
    }

    /// Keeps the answer beside its key.
    func rememberAnswer(
        actor: String, key: String, status: Int, type: String?, location: String?,
        body: [UInt8]?
    ) async throws {
        try await writer.write { db in
            try db.execute(
                sql: "UPDATE idempotency SET status = ?, type = ?, location = ?, body = ? "
                    + "WHERE actor = ? AND key = ?",
                arguments: [status, type, location, body.map { Data($0) }, actor, key])
        }
    }

    fileprivate static func forgetCalls(now: UInt64, _ db: Database) throws {
        try db.execute(
            sql: "DELETE FROM idempotency WHERE at < ?",
            arguments: [Int64(now - min(now, Self.idempotencyMilliseconds))])
    }
}
