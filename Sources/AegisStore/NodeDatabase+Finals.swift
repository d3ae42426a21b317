import FoundationEssentials
import GRDB

/// What makes a height, and all before it, final.
package struct StoredFinal: Hashable, Sendable {
    package let height: UInt64
    package let signatures: Int
    /// Of the roster that decided the height.
    package let participants: Int
    package let certificate: [UInt8]

    package init(height: UInt64, signatures: Int, participants: Int, certificate: [UInt8]) {
        self.height = height
        self.signatures = signatures
        self.participants = participants
        self.certificate = certificate
    }
}

extension NodeDatabase {
    /// Of each height the one with the most signatures stays.
    package func insertFinals(_ finals: [StoredFinal]) throws(NodeDatabaseError) {
        guard !finals.isEmpty else { return }
        try write { try Self.insert(finals, in: $0) }
    }

    static func insert(_ finals: [StoredFinal], in database: Database) throws {
        for final in finals {
            try database.execute(
                sql: """
                    INSERT INTO finals (height, signatures, participants, certificate)
                    VALUES (?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET signatures = excluded.signatures,
                    certificate = excluded.certificate
                    WHERE excluded.signatures > finals.signatures
                    """,
                arguments: [
                    Int64(clamping: final.height), final.signatures, final.participants,
                    Data(final.certificate),
                ])
        }
    }

    /// The lowest one from `height` on: it makes `height` final, too.
    package func final(from height: UInt64) throws(NodeDatabaseError) -> StoredFinal? {
        try read { try Self.final("height >= ? ORDER BY height", height, in: $0) }
    }

    /// The highest one up to `height`.
    package func final(upTo height: UInt64) throws(NodeDatabaseError) -> StoredFinal? {
        try read { try Self.final("height <= ? ORDER BY height DESC", height, in: $0) }
    }

    private static func final(
        _ condition: String, _ height: UInt64, in database: Database
    ) throws -> StoredFinal? {
        try Row.fetchOne(
            database,
            sql: """
                SELECT height, signatures, participants, certificate FROM finals
                WHERE \(condition) LIMIT 1
                """,
            arguments: [Int64(clamping: height)]
        ).map { row in
            StoredFinal(
                height: UInt64(row[0] as Int64), signatures: row[1], participants: row[2],
                certificate: [UInt8](row[3] as Data))
        }
    }
}
