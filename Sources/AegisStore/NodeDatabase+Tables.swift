package import AegisCore
import FoundationEssentials
import GRDB

extension NodeDatabase {
    // MARK: Privacy ledgers

    /// Charges: appends `entry` as number `sequence` (from 0) of this data set's ledger. Durable
    /// when it returns, and nothing can change or remove it afterwards.
    package func appendLedgerEntry(
        _ entry: [UInt8], sequence: UInt64, dataset: String
    ) throws(NodeDatabaseError) {
        try write { database in
            let expected = try Int64.fetchOne(
                database, sql: "SELECT COUNT(*) FROM ledger WHERE dataset = ?",
                arguments: [dataset])
            guard Int64(clamping: sequence) == expected else {
                throw NodeDatabaseError.outOfSequence(
                    dataset: dataset, expected: UInt64(clamping: expected ?? 0))
            }
            try database.execute(
                sql: "INSERT INTO ledger (dataset, sequence, entry) VALUES (?, ?, ?)",
                arguments: [dataset, Int64(clamping: sequence), Data(entry)])
        }
    }

    package func ledger(of dataset: String) throws(NodeDatabaseError) -> [[UInt8]] {
        try read { database in
            try Data.fetchAll(
                database, sql: "SELECT entry FROM ledger WHERE dataset = ? ORDER BY sequence",
                arguments: [dataset]
            ).map { [UInt8]($0) }
        }
    }

    /// The data sets that have a ledger.
    package func ledgers() throws(NodeDatabaseError) -> [String] {
        try read {
            try String.fetchAll($0, sql: "SELECT DISTINCT dataset FROM ledger ORDER BY dataset")
        }
    }

    // MARK: What was measured

    /// Keeps the measurements of a round; the last ones written count.
    package func setMetrics(
        _ metrics: [UInt8], run: [UInt8], round: Int
    ) throws(NodeDatabaseError) {
        try write {
            try $0.execute(
                sql: """
                    INSERT INTO metrics (run, round, metrics) VALUES (?, ?, ?)
                    ON CONFLICT DO UPDATE SET metrics = excluded.metrics
                    """,
                arguments: [Data(run), round, Data(metrics)])
        }
    }

    /// The measurements of a run by round.
    package func metrics(
        run: [UInt8]
    ) throws(NodeDatabaseError) -> [(round: Int, metrics: [UInt8])] {
        try read { database in
            try Row.fetchAll(
                database, sql: "SELECT round, metrics FROM metrics WHERE run = ? ORDER BY round",
                arguments: [Data(run)]
            ).map { ($0[0], [UInt8]($0[1] as Data)) }
        }
    }

    // MARK: Anything else that is one value under a name

    package func value(forKey key: String) throws(NodeDatabaseError) -> [UInt8]? {
        try read {
            try Data.fetchOne(
                $0, sql: "SELECT value FROM meta WHERE key = ?", arguments: [key]
            ).map { [UInt8]($0) }
        }
    }

    /// Nil removes the key.
    package func setValue(_ value: [UInt8]?, forKey key: String) throws(NodeDatabaseError) {
        try write { database in
            guard let value else {
                try database.execute(sql: "DELETE FROM meta WHERE key = ?", arguments: [key])
                return
            }
            try database.execute(
                sql: """
                    INSERT INTO meta (key, value) VALUES (?, ?)
                    ON CONFLICT DO UPDATE SET value = excluded.value
                    """,
                arguments: [key, Data(value)])
        }
    }

    /// A migration that was released is never edited, only followed by another one.
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("v1") { database in
            try database.execute(
                sql: """
                    CREATE TABLE commits (
                        height INTEGER PRIMARY KEY, digest BLOB NOT NULL, record BLOB NOT NULL
                    ) STRICT;
                    CREATE TABLE ledger (
                        dataset TEXT NOT NULL, sequence INTEGER NOT NULL, entry BLOB NOT NULL,
                        PRIMARY KEY (dataset, sequence)
                    ) STRICT, WITHOUT ROWID;
                    CREATE TRIGGER ledger_is_not_updated BEFORE UPDATE ON ledger
                    BEGIN SELECT RAISE(ABORT, 'the privacy ledger is append-only'); END;
                    CREATE TRIGGER ledger_is_not_deleted BEFORE DELETE ON ledger
                    BEGIN SELECT RAISE(ABORT, 'the privacy ledger is append-only'); END;
                    CREATE TABLE metrics (
                        run BLOB NOT NULL, round INTEGER NOT NULL, metrics BLOB NOT NULL,
                        PRIMARY KEY (run, round)
                    ) STRICT, WITHOUT ROWID;
                    CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL)
                    STRICT, WITHOUT ROWID;
                    """)
        }
        return migrator
    }
}
