package import AegisCore
import AegisCrypto
import FoundationEssentials
import GRDB

/// One act on the admin, as it is remembered: who, what, with what, how it ended.
package struct AuditRecord: Hashable, Sendable {
    package var sequence: Int64
    /// Milliseconds since 1970, UTC.
    package var at: UInt64
    package var actor: String
    package var action: String
    /// SHA-256 of the request body: says what was asked to whoever has it, and nothing to others.
    package var parameters: Digest
    package var outcome: String
    package var request: String
    package var previous: Digest
    package var digest: Digest

    /// What the chain is over.
    var digestOfFields: Digest {
        SHA256.digest(
            of: CBOR.array([
                "aegis/1/audit", .integer(sequence), .unsigned(at), .text(actor), .text(action),
                .digest(parameters), .text(outcome), .text(request), .digest(previous),
            ]).encoded)
    }
}

package enum AuditFault: Error, Hashable, Sendable {
    case gap(after: Int64)
    case changed(sequence: Int64)
    case unchained(sequence: Int64)
}

/// Append-only and hash-chained: a record that is changed, removed or inserted shows.
extension AdminDatabase {
    package func appendAudit(
        at time: UInt64, actor: String, action: String, parameters: Digest, outcome: String,
        request: String
    ) async throws {
        try await writer.write { db in
            let last = try Row.fetchOne(
                db, sql: "SELECT sequence, digest FROM audit ORDER BY sequence DESC LIMIT 1")
            var previous = Digest.zero
            var sequence: Int64 = 1
            if let last {
                guard let digest = Digest(Array(last["digest"] as Data)) else {
                    throw AdminDatabaseError.damaged(table: "audit")
                }
                previous = digest
                sequence = (last["sequence"] as Int64) + 1
            }
            var record = AuditRecord(
                sequence: sequence, at: time, actor: actor, action: action,
                parameters: parameters, outcome: outcome, request: request,
                previous: previous, digest: .zero)
            record.digest = record.digestOfFields
            try db.execute(
                sql: """
                    INSERT INTO audit (sequence, at, actor, action, parameters, outcome, request,
                    previous, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    record.sequence, Int64(record.at), record.actor, record.action,
                    Data(record.parameters.bytes), record.outcome, record.request,
                    Data(record.previous.bytes), Data(record.digest.bytes),
                ])
        }
    }

    package func auditRecords() async throws -> [AuditRecord] {
        try await writer.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM audit ORDER BY sequence").map { row in
                guard let parameters = Digest(Array(row["parameters"] as Data)),
                    let previous = Digest(Array(row["previous"] as Data)),
                    let digest = Digest(Array(row["digest"] as Data))
                else { throw AdminDatabaseError.damaged(table: "audit") }
                return AuditRecord(
                    sequence: row["sequence"], at: UInt64(row["at"] as Int64),
                    actor: row["actor"], action: row["action"], parameters: parameters,
                    outcome: row["outcome"], request: row["request"], previous: previous,
                    digest: digest)
            }
        }
    }

    /// Walks the chain from its start.
    package static func verifyAudit(_ records: [AuditRecord]) throws(AuditFault) {
        var previous = Digest.zero
        var sequence: Int64 = 0
        for record in records {
            guard record.sequence == sequence + 1 else { throw .gap(after: sequence) }
            guard record.digest == record.digestOfFields else {
                throw .changed(sequence: record.sequence)
            }
            guard record.previous == previous else {
                throw .unchained(sequence: record.sequence)
            }
            previous = record.digest
            sequence = record.sequence
        }
    }
}
