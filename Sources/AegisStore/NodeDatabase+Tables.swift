import AegisCore
import FoundationEssentials
import GRDB

extension NodeDatabase {
    // MARK: What was measured

    /// Keeps the measurements of a round; the last ones written count.
    package func setMetrics(
        _ metrics: [UInt8], run: [UInt8], round: Int
    ) throws(NodeDatabaseError) {
        try write {
            try $0.execute(
                sql: "INSERT OR REPLACE INTO measurement (run, round, metrics) VALUES (?, ?, ?)",
                arguments: [Data(run), round, Data(metrics)])
        }
    }

    /// The measurements of a run by round, `limit` at most, of those after `round`.
    package func metrics(
        run: [UInt8], after round: Int = 0, limit: Int
    ) throws(NodeDatabaseError) -> [(round: Int, metrics: [UInt8])] {
        try read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT round, metrics FROM measurement WHERE run = ? AND round > ?
                    ORDER BY round LIMIT ?
                    """, arguments: [Data(run), round, limit]
            ).map { ($0[0], [UInt8]($0[1] as Data)) }
        }
    }

    /// What was measured after `place`, `limit` at most, and the place of the last of it: where to
    /// go on. A place that this file has never reached is another file's: it begins anew.
    package func metrics(
        after place: UInt64, limit: Int
    ) throws(NodeDatabaseError) -> (metrics: [[UInt8]], through: UInt64) {
        try read { database in
            let last = try Int64.fetchOne(database, sql: "SELECT MAX(place) FROM measurement") ?? 0
            let from = Int64(exactly: place).flatMap { $0 > last ? nil : $0 } ?? 0
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT place, metrics FROM measurement WHERE place > ?
                    ORDER BY place LIMIT ?
                    """, arguments: [from, limit])
            return (
                rows.map { [UInt8]($0[1] as Data) },
                UInt64(rows.last.map { $0[0] as Int64 } ?? from)
            )
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

    package func keys(withPrefix prefix: String) throws(NodeDatabaseError) -> [String] {
        try read {
            try String.fetchAll(
                $0, sql: "SELECT key FROM meta WHERE substr(key, 1, ?) = ? ORDER BY key",
                arguments: [prefix.count, prefix])
        }
    }

    /// The values under all keys with a prefix, by the rest of the key, read from a file that a
    /// node may be writing; none where there is no such file.
    static func values(
        withPrefix prefix: String, reading path: String
    ) throws(NodeDatabaseError) -> [String: [UInt8]] {
        guard Directory.byteCount(of: path) != nil else { return [:] }
        return try typed {
            var configuration = Configuration()
            configuration.readonly = true
            configuration.busyMode = .timeout(5)
            return try DatabaseQueue(path: path, configuration: configuration).read { database in
                guard try database.tableExists("meta") else { return [:] }
                let rows = try Row.fetchAll(
                    database, sql: "SELECT key, value FROM meta WHERE substr(key, 1, ?) = ?",
                    arguments: [prefix.count, prefix])
                return Dictionary(
                    rows.map {
                        (String(($0[0] as String).dropFirst(prefix.count)), [UInt8]($0[1] as Data))
                    }, uniquingKeysWith: { first, _ in first })
            }
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
                    CREATE TABLE metrics (
                        run BLOB NOT NULL, round INTEGER NOT NULL, metrics BLOB NOT NULL,
                        PRIMARY KEY (run, round)
                    ) STRICT, WITHOUT ROWID;
                    CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL)
                    STRICT, WITHOUT ROWID;
                    """)
        }
        migrator.registerMigration("evidence") { database in
            try database.execute(
                sql: """
                    CREATE TABLE evidence (
                        height INTEGER NOT NULL, kind INTEGER NOT NULL, digest BLOB NOT NULL,
                        bytes BLOB NOT NULL, PRIMARY KEY (height, kind, digest)
                    ) STRICT, WITHOUT ROWID;
                    """)
        }
        migrator.registerMigration("finality") { database in
            try database.execute(
                sql: """
                    CREATE TABLE finals (
                        height INTEGER PRIMARY KEY, signatures INTEGER NOT NULL,
                        participants INTEGER NOT NULL, certificate BLOB NOT NULL
                    ) STRICT;
                    """)
        }
        // A measurement that is written again takes the next place.
        migrator.registerMigration("places of measurements") { database in
            try database.execute(
                sql: """
                    CREATE TABLE measurement (
                        place INTEGER PRIMARY KEY AUTOINCREMENT, run BLOB NOT NULL,
                        round INTEGER NOT NULL, metrics BLOB NOT NULL, UNIQUE (run, round)
                    ) STRICT;
                    INSERT INTO measurement (run, round, metrics)
                    SELECT run, round, metrics FROM metrics ORDER BY run, round;
                    DROP TABLE metrics;
                    """)
        }
        return migrator
    }
}
