package import AegisAPI
package import AegisCore
import AegisCrypto
import AegisTelemetry
import FoundationEssentials
import GRDB

/// One act on the admin before it has its place in the chain.
package struct AuditEntry: Hashable, Sendable {
    /// Milliseconds since 1970, UTC.
    package var at: UInt64
    package var actor: String
    package var action: String
    /// SHA-256 of the request body: says what was asked to whoever has it, and nothing to others.
    package var parameters: Digest
    package var outcome: String
    package var request: String

    package init(
        at: UInt64, actor: String, action: String, parameters: Digest, outcome: String,
        request: String
    ) {
        self.at = at
        self.actor = actor
        self.action = action
        self.parameters = parameters
        self.outcome = outcome
        self.request = request
    }
}

/// Append-only and hash-chained: a record that is changed, removed or inserted shows. A record is
/// the line that is hashed; the columns beside it are there to search by.
extension AdminDatabase {
    package func appendAudit(_ entry: AuditEntry) async throws {
        try await writer.write { try Self.appendAudit(entry, $0) }
    }

    static func appendAudit(_ entry: AuditEntry, _ db: Database) throws {
        let last = try Row.fetchOne(
            db, sql: "SELECT sequence, digest FROM audit_record ORDER BY sequence DESC LIMIT 1")
        let sequence = (last?["sequence"] as Int64? ?? 0) + 1
        let body = AuditLine.body(
            sequence: sequence, time: Timestamp.text(entry.at), actor: entry.actor,
            action: entry.action, parameters: entry.parameters.description,
            outcome: entry.outcome, request: entry.request,
            previous: last?["digest"] ?? AuditChain.start)
        let digest = SHA256.digest(of: Array(body.utf8)).description
        try db.cachedStatement(
            sql: """
                INSERT INTO audit_record
                (sequence, at, actor, action, outcome, request, line, digest)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            sequence, Int64(entry.at), entry.actor, entry.action, entry.outcome, entry.request,
            AuditLine.line(body: body, digest: digest), digest,
        ])
    }

    /// Lines after `sequence`, in the order of the chain.
    package func auditLines(after sequence: Int64, limit: Int) async throws
        -> [(sequence: Int64, line: String)]
    {
        try await writer.read { db in
            try Row.fetchAll(
                db,
                sql: "SELECT sequence, line FROM audit_record WHERE sequence > ? "
                    + "ORDER BY sequence LIMIT ?",
                arguments: [sequence, limit]
            ).map { ($0["sequence"], $0["line"]) }
        }
    }

    package func auditHead() async throws -> AuditHeadView {
        try await writer.read { db in
            let row = try Row.fetchOne(
                db, sql: "SELECT sequence, digest FROM audit_record ORDER BY sequence DESC LIMIT 1")
            return AuditHeadView(
                sequence: row?["sequence"] ?? 0, digest: row?["digest"] ?? AuditChain.start)
        }
    }

    /// With what the mesh has signed of it.
    package func witnessedHead() async throws -> AuditHeadView {
        var head = try await auditHead()
        head.witnessed = try await lastWitness()
        return head
    }

    /// Walks the whole chain, a stretch at a time, so that writers are not held up.
    package func verifyAudit() async throws -> AuditVerificationView {
        var chain = AuditChain(witnesses: try await auditWitnesses()) {
            SHA256.digest(of: $0).description
        }
        do {
            while true {
                let lines = try await auditLines(after: chain.sequence, limit: 5_000)
                for (_, line) in lines { try chain.take(line) }
                if lines.count < 5_000 { break }
            }
            try chain.finish()
        } catch let fault as AuditChain.Fault {
            return AuditVerificationView(
                intact: false, records: chain.sequence, head: chain.head,
                witnessed: chain.witnessed, fault: "\(fault)")
        }
        return AuditVerificationView(
            intact: true, records: chain.sequence, head: chain.head, witnessed: chain.witnessed)
    }
}

/// What is looked for in the audit log.
package struct AuditQuery: Sendable {
    package var actor: String?
    package var action: String?
    package var outcome: String?
    package var request: String?
    /// Milliseconds since 1970.
    package var from: UInt64?
    package var until: UInt64?
    /// The newest first, before this sequence.
    package var before: Int64?
    package var limit = 100

    package init() {}

    fileprivate var conditions: (sql: String, arguments: StatementArguments) {
        var terms: [String] = []
        var arguments = StatementArguments()
        func add(_ term: String, _ value: (any DatabaseValueConvertible)?) {
            guard let value else { return }
            terms.append(term)
            arguments += [value]
        }
        add("actor = ?", actor)
        add("instr(action, ?) > 0", action)
        if let outcome {
            terms.append("(outcome = ? OR outcome LIKE ? || ' %')")
            arguments += [outcome, outcome]
        }
        add("request = ?", request)
        add("at >= ?", from.map { Int64(clamping: $0) })
        add("at < ?", until.map { Int64(clamping: $0) })
        add("sequence < ?", before)
        return (terms.isEmpty ? "1" : terms.joined(separator: " AND "), arguments)
    }
}

extension AdminDatabase {
    package func audit(_ query: AuditQuery) async throws -> [AuditView] {
        let (condition, arguments) = query.conditions
        // By time within an actor, or by time alone; both indexes end in the sequence.
        let order =
            query.from == nil && query.until == nil ? "sequence DESC" : "at DESC, sequence DESC"
        return try await writer.read { db in
            try String.fetchAll(
                db,
                sql: "SELECT line FROM audit_record WHERE \(condition) ORDER BY \(order) LIMIT ?",
                arguments: arguments + [query.limit]
            ).map { line in
                guard let view = try? AegisAPI.decode(AuditView.self, from: line.utf8) else {
                    throw AdminDatabaseError.damaged(table: "audit_record")
                }
                return view
            }
        }
    }
}
