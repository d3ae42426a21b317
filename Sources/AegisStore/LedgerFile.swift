package import AegisCore
import FoundationEssentials
import GRDB

import struct Crypto.SHA256

package enum LedgerFileError: Error, Hashable, Sendable {
    /// Another process has the ledger open for writing.
    case heldByAnother(path: String, process: Int32?)
    /// The entry is not the next one of its ledger.
    case outOfSequence(dataset: String, expected: UInt64)
    /// There is no ledger in this file, or no such file.
    case missing(path: String)
    case database(NodeDatabaseError)
    case file(FileError)
}

/// The SQLite file of a node's privacy ledgers: lines by data set and number, each on the disk
/// when its writing returns. One process writes; others may read.
///
/// It is a file of its own so that it can lie outside the node's folder: a node that joins again
/// from an empty folder goes on with the same ledgers.
package final class LedgerFile: Sendable {
    package struct Line: Hashable, Sendable {
        package let entry: [UInt8]
        /// As stored beside the entry.
        package let digest: Digest
    }

    package let path: String
    private let queue: DatabaseQueue
    /// Held while the value lives; nil for a reader, and in simulations of power cuts.
    private let lock: ProcessLock?

    /// Opens for writing, and makes the file where there is none. A second process is refused.
    package convenience init(path: String) throws(LedgerFileError) {
        let lock: ProcessLock
        do throws(ProcessLockError) {
            lock = try ProcessLock(file: path + ".lock", of: path)
        } catch {
            switch error {
            case .held(_, let process): throw .heldByAnother(path: path, process: process)
            case .file(let error): throw .file(error)
            }
        }
        try self.init(path: path, lock: lock)
        do throws(FileError) { try Directory.flush(Directory.parent(of: path)) } catch {
            throw .file(error)
        }
    }

    /// Opens without the lock: where the disk is a simulated one.
    package convenience init(simulated path: String) throws(LedgerFileError) {
        try self.init(path: path, lock: nil)
    }

    private init(path: String, lock: consuming ProcessLock?) throws(LedgerFileError) {
        self.path = path
        self.lock = lock
        queue = try Self.typed {
            var configuration = Configuration()
            configuration.label = "ledger"
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.writeWithoutTransaction { database in
                // Of journal modes, only the write-ahead log makes a commit last with one flush
                // that needs no directory's. Read back: SQLite answers rather than fails.
                let mode = try String.fetchOne(database, sql: "PRAGMA journal_mode = WAL")
                try database.execute(sql: "PRAGMA synchronous = FULL")
                let level = try Int.fetchOne(database, sql: "PRAGMA synchronous")
                guard mode == "wal", level == 2 else {
                    throw NodeDatabaseError.durabilityUnavailable
                }
                try database.execute(sql: "PRAGMA cache_size = -256")
            }
            guard try !queue.read(Self.migrator.hasBeenSuperseded) else {
                throw NodeDatabaseError.newerSchema
            }
            try Self.migrator.migrate(queue)
            return queue
        }
    }

    /// Opens to read while a node may be writing.
    package init(reading path: String) throws(LedgerFileError) {
        self.path = path
        lock = nil
        guard Directory.byteCount(of: path) != nil else { throw .missing(path: path) }
        queue = try Self.typed {
            var configuration = Configuration()
            configuration.readonly = true
            configuration.busyMode = .timeout(5)
            return try DatabaseQueue(path: path, configuration: configuration)
        }
        let found = try Self.typed {
            try queue.read { try $0.tableExists("ledger") }
        }
        guard found else { throw .missing(path: path) }
    }

    /// Appends `entry` as number `sequence` (from 0) of this data set's ledger. Durable when it
    /// returns, and nothing can change or remove it afterwards.
    package func append(
        _ entry: [UInt8], sequence: UInt64, dataset: String
    ) throws(LedgerFileError) {
        let expected = try Self.typed {
            try queue.write { database -> UInt64? in
                let count = try Int64.fetchOne(
                    database, sql: "SELECT COUNT(*) FROM ledger WHERE dataset = ?",
                    arguments: [dataset])
                guard Int64(clamping: sequence) == count else {
                    return UInt64(clamping: count ?? 0)
                }
                try database.execute(
                    sql: """
                        INSERT INTO ledger (dataset, sequence, entry, digest)
                        VALUES (?, ?, ?, ?)
                        """,
                    arguments: [
                        dataset, Int64(clamping: sequence), Data(entry),
                        Data(Self.digest(of: entry).bytes),
                    ])
                return nil
            }
        }
        if let expected { throw .outOfSequence(dataset: dataset, expected: expected) }
    }

    package func lines(of dataset: String) throws(LedgerFileError) -> [Line] {
        try Self.typed {
            try queue.read { database in
                try Row.fetchAll(
                    database,
                    sql: "SELECT entry, digest FROM ledger WHERE dataset = ? ORDER BY sequence",
                    arguments: [dataset]
                ).map { row in
                    Line(
                        entry: [UInt8](row[0] as Data),
                        digest: Digest([UInt8](row[1] as Data)) ?? .zero)
                }
            }
        }
    }

    /// The data sets that have a ledger.
    package func datasets() throws(LedgerFileError) -> [String] {
        try Self.typed {
            try queue.read {
                try String.fetchAll(
                    $0, sql: "SELECT DISTINCT dataset FROM ledger ORDER BY dataset")
            }
        }
    }

    @Sendable static func digest(of bytes: [UInt8]) -> Digest {
        Digest(Array(SHA256.hash(data: bytes))) ?? .zero
    }

    private static func typed<R>(_ body: () throws -> R) throws(LedgerFileError) -> R {
        do throws(NodeDatabaseError) { return try NodeDatabase.typed(body) } catch {
            throw .database(error)
        }
    }

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("v1") { database in
            try database.execute(
                sql: """
                    CREATE TABLE ledger (
                        dataset TEXT NOT NULL, sequence INTEGER NOT NULL, entry BLOB NOT NULL,
                        digest BLOB NOT NULL, PRIMARY KEY (dataset, sequence)
                    ) STRICT, WITHOUT ROWID;
                    CREATE TRIGGER ledger_is_not_updated BEFORE UPDATE ON ledger
                    BEGIN SELECT RAISE(ABORT, 'the privacy ledger is append-only'); END;
                    CREATE TRIGGER ledger_is_not_deleted BEFORE DELETE ON ledger
                    BEGIN SELECT RAISE(ABORT, 'the privacy ledger is append-only'); END;
                    """)
        }
        return migrator
    }
}
