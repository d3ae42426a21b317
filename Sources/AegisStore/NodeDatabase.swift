package import AegisCore
import FoundationEssentials
import GRDB

package enum NodeDatabaseError: Error, Hashable, Sendable {
    /// SQLite would not promise to flush each transaction.
    case durabilityUnavailable
    /// The file was written by a newer version of the program.
    case newerSchema
    /// Another commit is recorded at this height: a fork, or a bug.
    case conflictingCommit(height: UInt64)
    case sqlite(code: Int32, message: String)
}

/// Everything durable that is neither a signature (SafetyJournal) nor a blob (BlobStore). Each
/// write is on the disk when it returns. Bytes whose meaning belongs to another module stay bytes.
package final class NodeDatabase: Sendable {
    private let pool: DatabasePool

    package init(path: String) throws(NodeDatabaseError) {
        pool = try Self.typed {
            var configuration = Configuration()
            configuration.label = "aegis"
            configuration.busyMode = .timeout(5)
            configuration.maximumReaderCount = 2
            let pool = try DatabasePool(path: path, configuration: configuration)
            // GRDB sets NORMAL when it turns the write-ahead log on, after any preparation. The
            // pool has one writing connection for life, so once is enough.
            try pool.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA synchronous = FULL")
                let level = try Int.fetchOne(database, sql: "PRAGMA synchronous")
                guard level == 2 else { throw NodeDatabaseError.durabilityUnavailable }
                // An idle node keeps little: pages are read again when they are needed.
                try database.execute(sql: "PRAGMA cache_size = -1024")
            }
            let migrator = Self.migrator
            guard try !pool.read(migrator.hasBeenSuperseded) else {
                throw NodeDatabaseError.newerSchema
            }
            try migrator.migrate(pool)
            return pool
        }
    }

    // MARK: Commits

    /// Records what was decided at `height`, with what proves it, and which heights are final by
    /// now. The same bytes again change nothing.
    package func insertCommit(
        _ record: [UInt8], digest: Digest, at height: UInt64, evidence: [StoredEvidence] = [],
        finals: [StoredFinal] = []
    ) throws(NodeDatabaseError) {
        try write { database in
            let existing = try Data.fetchOne(
                database, sql: "SELECT record FROM commits WHERE height = ?",
                arguments: [Int64(clamping: height)])
            if let existing {
                guard [UInt8](existing) == record else {
                    throw NodeDatabaseError.conflictingCommit(height: height)
                }
                return
            }
            try database.execute(
                sql: "INSERT INTO commits (height, digest, record) VALUES (?, ?, ?)",
                arguments: [Int64(clamping: height), Data(digest.bytes), Data(record)])
            try Self.insert(evidence, at: height, in: database)
            try Self.insert(finals, in: database)
        }
    }

    package func commit(at height: UInt64) throws(NodeDatabaseError) -> [UInt8]? {
        try read {
            try Data.fetchOne(
                $0, sql: "SELECT record FROM commits WHERE height = ?",
                arguments: [Int64(clamping: height)]
            ).map { [UInt8]($0) }
        }
    }

    /// Commits in a row from `height`: at most `count`, and no more than `bytesMax` together
    /// unless the first alone is larger.
    package func commits(
        from height: UInt64, count: Int, bytesMax: Int = Limits.batchBytesMax
    ) throws(NodeDatabaseError) -> [[UInt8]] {
        try read { database in
            let rows = try Row.fetchCursor(
                database,
                sql: "SELECT record FROM commits WHERE height >= ? ORDER BY height LIMIT ?",
                arguments: [Int64(clamping: height), count])
            var records: [[UInt8]] = []
            var total = 0
            while let row = try rows.next() {
                let record = [UInt8](row[0] as Data)
                total += record.count
                if total > bytesMax, !records.isEmpty { break }
                records.append(record)
            }
            return records
        }
    }

    /// The highest committed height and its digest, nil before the first commit.
    package func tip() throws(NodeDatabaseError) -> (height: UInt64, digest: Digest)? {
        try read { database in
            let row = try Row.fetchOne(
                database,
                sql: "SELECT height, digest FROM commits ORDER BY height DESC LIMIT 1")
            guard let row, let digest = Digest([UInt8](row[1] as Data)) else { return nil }
            return (UInt64(row[0] as Int64), digest)
        }
    }
}

extension NodeDatabase {
    func read<R>(_ body: (Database) throws -> R) throws(NodeDatabaseError) -> R {
        try Self.typed { try pool.read(body) }
    }

    func write<R>(_ body: (Database) throws -> R) throws(NodeDatabaseError) -> R {
        try Self.typed { try pool.write(body) }
    }

    static func typed<R>(_ body: () throws -> R) throws(NodeDatabaseError) -> R {
        do { return try body() } catch let error as NodeDatabaseError {
            throw error
        } catch let error as GRDB.DatabaseError {
            throw .sqlite(
                code: error.extendedResultCode.rawValue, message: error.message ?? "")
        } catch {
            throw .sqlite(code: 0, message: "\(error)")
        }
    }
}
