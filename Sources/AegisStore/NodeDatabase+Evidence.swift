package import AegisCore
import FoundationEssentials
import GRDB

/// What proves a decision beyond its certificate.
package struct StoredEvidence: Hashable, Sendable {
    package enum Kind: Int, Sendable {
        /// A signed update that a round may include.
        case update = 1
        /// The timeouts that elected the coordinator of the view that decided.
        case election = 2
    }

    package let kind: Kind
    /// Of `bytes`.
    package let digest: Digest
    package let bytes: [UInt8]

    package init(kind: Kind, digest: Digest, bytes: [UInt8]) {
        self.kind = kind
        self.digest = digest
        self.bytes = bytes
    }
}

extension NodeDatabase {
    static func insert(
        _ evidence: [StoredEvidence], at height: UInt64, in database: Database
    ) throws {
        for item in evidence {
            try database.execute(
                sql: """
                    INSERT INTO evidence (height, kind, digest, bytes) VALUES (?, ?, ?, ?)
                    ON CONFLICT DO NOTHING
                    """,
                arguments: [
                    Int64(clamping: height), item.kind.rawValue, Data(item.digest.bytes),
                    Data(item.bytes),
                ])
        }
    }

    /// In the order of their digests.
    package func evidence(
        _ kind: StoredEvidence.Kind, at height: UInt64
    ) throws(NodeDatabaseError) -> [StoredEvidence] {
        try read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT digest, bytes FROM evidence WHERE height = ? AND kind = ?
                    ORDER BY digest
                    """,
                arguments: [Int64(clamping: height), kind.rawValue]
            ).compactMap { row in
                Digest([UInt8](row[0] as Data)).map {
                    StoredEvidence(kind: kind, digest: $0, bytes: [UInt8](row[1] as Data))
                }
            }
        }
    }
}
