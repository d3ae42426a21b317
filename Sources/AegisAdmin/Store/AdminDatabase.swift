import FoundationEssentials
import GRDB
import Synchronization

package enum AdminDatabaseError: Error, Hashable, Sendable {
    /// SQLite did not take `synchronous = FULL`: a used token could be unused after a power cut.
    case durabilityUnavailable
    /// The file was written by a newer version of this program.
    case newerSchema
    /// A row that this program wrote is not what it wrote.
    case damaged(table: String)
}

/// What the admin remembers: one SQLite file, every commit on disk before it is answered.
package struct AdminDatabase: Sendable {
    let writer: any DatabaseWriter
    private let changes = Changes()

    /// Counts what this process has changed but for the audit log.
    private final class Changes: Sendable { let count = Atomic<UInt64>(0) }

    /// Grows with each change, before who made it is answered.
    var revision: UInt64 { changes.count.load(ordering: .acquiring) }

    /// A change that is to be seen at once.
    func write<Value: Sendable>(
        _ body: @Sendable (Database) throws -> Value
    ) async throws -> Value {
        defer { changes.count.add(1, ordering: .acquiringAndReleasing) }
        return try await writer.write(body)
    }

    /// Opens or makes the file.
    package init(path: String) throws {
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        configuration.maximumReaderCount = 2
        configuration.label = "admin"
        let pool = try DatabasePool(path: path, configuration: configuration)
        // GRDB sets NORMAL itself when it turns WAL on, so FULL comes after opening.
        try pool.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA synchronous = FULL")
            guard try Int.fetchOne(db, sql: "PRAGMA synchronous") == 2 else {
                throw AdminDatabaseError.durabilityUnavailable
            }
        }
        try self.init(writer: pool)
    }

    /// A file as it is, without bringing it up to date.
    init(reading writer: any DatabaseWriter) { self.writer = writer }

    /// In memory, for tests.
    package init() throws { try self.init(writer: DatabaseQueue()) }

    private init(writer: any DatabaseWriter) throws {
        self.writer = writer
        let migrator = Self.migrator
        guard try writer.read(migrator.hasBeenSuperseded) == false else {
            throw AdminDatabaseError.newerSchema
        }
        try migrator.migrate(writer)
    }

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("v1 members") { try $0.execute(sql: members) }
        migrator.registerMigration("v1 runs") { try $0.execute(sql: runs) }
        migrator.registerMigration("v1 audit") { try $0.execute(sql: audit) }
        migrator.registerMigration("v2 explanations") {
            try $0.execute(sql: "ALTER TABLE measure ADD COLUMN explanation BLOB")
        }
        migrator.registerMigration("v2 control plane") { try $0.execute(sql: controlPlane) }
        migrator.registerMigration("v3 witnesses") { try $0.execute(sql: witnesses) }
        migrator.registerMigration("v3 purposes") {
            try $0.execute(sql: "ALTER TABLE token ADD COLUMN purpose TEXT NOT NULL DEFAULT ''")
        }
        migrator.registerMigration("v3 quality") {
            try $0.execute(sql: "ALTER TABLE measure ADD COLUMN quality BLOB")
        }
        migrator.registerMigration("v4 finality") {
            try $0.execute(
                sql: """
                    CREATE TABLE final_certificate (
                        height INTEGER PRIMARY KEY, signatures INTEGER NOT NULL,
                        participants INTEGER NOT NULL, resists INTEGER NOT NULL,
                        bytes BLOB NOT NULL
                    ) STRICT;
                    """)
        }
        migrator.registerMigration("v5 tokens for many") { try $0.execute(sql: tokenUses) }
        migrator.registerMigration("v6 members of another admin") {
            try $0.execute(sql: foreignMembers)
        }
        migrator.registerMigration("v7 places of measures") {
            try $0.execute(
                sql: """
                    CREATE TABLE measured (
                        node BLOB PRIMARY KEY NOT NULL, place INTEGER NOT NULL
                    ) STRICT;
                    CREATE INDEX measured_loss ON measure (run, round) WHERE loss IS NOT NULL;
                    CREATE INDEX measured_accuracy ON measure (run, round)
                        WHERE accuracy IS NOT NULL;
                    CREATE INDEX measured_epsilon ON measure (run, epsilon);
                    CREATE INDEX measured_explanation ON measure (run, round)
                        WHERE explanation IS NOT NULL;
                    """)
        }
        return migrator
    }

    /// Whoever takes a mesh over has not made the tokens of its members.
    private static let foreignMembers = """
        CREATE TABLE member (
            node BLOB PRIMARY KEY NOT NULL, name TEXT NOT NULL UNIQUE, address TEXT NOT NULL,
            token BLOB REFERENCES token(id), joined_at INTEGER NOT NULL
        ) STRICT;
        INSERT INTO member SELECT node, name, address, token, joined_at FROM participant;
        DROP TABLE participant;
        ALTER TABLE member RENAME TO participant;
        """

    /// Which nodes have used a token. A participant's key may change: what the founders signed
    /// stays under the key that signed.
    private static let tokenUses = """
        ALTER TABLE token ADD COLUMN uses INTEGER NOT NULL DEFAULT 1;
        ALTER TABLE token ADD COLUMN kind TEXT NOT NULL DEFAULT 'participant';
        ALTER TABLE token ADD COLUMN replaces BLOB;
        CREATE TABLE token_use (
            token BLOB NOT NULL REFERENCES token(id), node BLOB NOT NULL,
            PRIMARY KEY (token, node)
        ) STRICT;
        INSERT INTO token_use SELECT id, used_by FROM token WHERE used_by IS NOT NULL;
        CREATE TABLE founding_signature (
            node BLOB PRIMARY KEY NOT NULL, envelope BLOB NOT NULL
        ) STRICT;
        INSERT INTO founding_signature SELECT node, envelope FROM genesis_signature;
        DROP TABLE genesis_signature;
        ALTER TABLE founding_signature RENAME TO genesis_signature;
        CREATE TABLE former_key (node BLOB PRIMARY KEY NOT NULL, name TEXT NOT NULL) STRICT;
        """

    /// Of a token only the public key is kept: who steals this file can't join with it.
    private static let members = """
        CREATE TABLE token (
            id BLOB PRIMARY KEY NOT NULL, public_key BLOB NOT NULL, name TEXT NOT NULL,
            not_after INTEGER NOT NULL, created_at INTEGER NOT NULL, created_by TEXT NOT NULL,
            used_by BLOB
        ) STRICT;
        CREATE TABLE participant (
            node BLOB PRIMARY KEY NOT NULL, name TEXT NOT NULL UNIQUE, address TEXT NOT NULL,
            token BLOB NOT NULL REFERENCES token(id), joined_at INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE genesis (
            id INTEGER PRIMARY KEY CHECK (id = 1), payload BLOB NOT NULL, document BLOB
        ) STRICT;
        CREATE TABLE genesis_signature (
            node BLOB PRIMARY KEY NOT NULL REFERENCES participant(node), envelope BLOB NOT NULL
        ) STRICT;
        """

    private static let runs = """
        CREATE TABLE run (
            id BLOB PRIMARY KEY NOT NULL, name TEXT NOT NULL UNIQUE, specification BLOB NOT NULL,
            request BLOB NOT NULL, submitted_at INTEGER NOT NULL, submitted_by TEXT NOT NULL,
            started_height INTEGER, rounds_committed INTEGER NOT NULL DEFAULT 0, model BLOB,
            ended_height INTEGER, outcome TEXT, reason TEXT
        ) STRICT;
        CREATE TABLE command (
            sequence INTEGER PRIMARY KEY NOT NULL, run BLOB NOT NULL REFERENCES run(id),
            kind TEXT NOT NULL, envelope BLOB NOT NULL, expires_at INTEGER NOT NULL,
            committed_height INTEGER
        ) STRICT;
        CREATE TABLE commit_record (
            height INTEGER PRIMARY KEY NOT NULL, digest BLOB NOT NULL, bytes BLOB NOT NULL,
            run BLOB, round INTEGER, seen_from TEXT NOT NULL
        ) STRICT;
        CREATE TABLE fork (
            height INTEGER NOT NULL, digest BLOB NOT NULL, bytes BLOB NOT NULL,
            seen_from TEXT NOT NULL, PRIMARY KEY (height, digest)
        ) STRICT;
        CREATE TABLE committed_round (
            run BLOB NOT NULL, round INTEGER NOT NULL, height INTEGER NOT NULL,
            view INTEGER NOT NULL, coordinator BLOB NOT NULL, participants BLOB NOT NULL,
            model BLOB NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (run, round)
        ) STRICT;
        CREATE TABLE measure (
            run BLOB NOT NULL, round INTEGER NOT NULL, node BLOB NOT NULL,
            seconds REAL NOT NULL, loss REAL, accuracy REAL, epsilon REAL,
            PRIMARY KEY (run, round, node)
        ) STRICT;
        """

    /// Read no more: its records are chained by another encoding than those of `audit_record`.
    private static let audit = """
        CREATE TABLE audit (
            sequence INTEGER PRIMARY KEY NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL,
            action TEXT NOT NULL, parameters BLOB NOT NULL, outcome TEXT NOT NULL,
            request TEXT NOT NULL, previous BLOB NOT NULL, digest BLOB NOT NULL UNIQUE
        ) STRICT;
        CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
            BEGIN SELECT RAISE(ABORT, 'audit records are not changed'); END;
        CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit
            BEGIN SELECT RAISE(ABORT, 'audit records are not deleted'); END;
        """

    /// A command of no run is a request to witness the audit log; what came of it is in the chain.
    private static let witnesses = """
        CREATE TABLE command_of_any (
            sequence INTEGER PRIMARY KEY NOT NULL, run BLOB REFERENCES run(id),
            kind TEXT NOT NULL, envelope BLOB NOT NULL, expires_at INTEGER NOT NULL,
            committed_height INTEGER
        ) STRICT;
        INSERT INTO command_of_any SELECT * FROM command;
        DROP TABLE command;
        ALTER TABLE command_of_any RENAME TO command;
        CREATE INDEX command_by_run ON command (run);
        CREATE INDEX command_pending ON command (expires_at) WHERE committed_height IS NULL;
        CREATE INDEX audit_of_actor ON audit_record (actor, sequence);
        CREATE TABLE audit_witness (
            height INTEGER PRIMARY KEY NOT NULL, records INTEGER NOT NULL, digest TEXT NOT NULL
        ) STRICT;
        """

    /// Times are milliseconds since 1970. A call that was answered with a secret keeps no answer.
    private static let controlPlane = """
        ALTER TABLE token ADD COLUMN revoked_at INTEGER;
        CREATE TABLE user (
            name TEXT PRIMARY KEY NOT NULL, role TEXT NOT NULL, created_at INTEGER NOT NULL,
            created_by TEXT NOT NULL, disabled_at INTEGER, version INTEGER NOT NULL DEFAULT 1
        ) STRICT;
        CREATE TABLE user_certificate (
            fingerprint TEXT PRIMARY KEY NOT NULL, user TEXT NOT NULL REFERENCES user(name),
            serial TEXT NOT NULL, issued_at INTEGER NOT NULL, issued_by TEXT NOT NULL,
            not_after INTEGER NOT NULL, revoked_at INTEGER
        ) STRICT;
        CREATE TABLE dataset (
            name TEXT PRIMARY KEY NOT NULL, description TEXT NOT NULL, features INTEGER,
            classes INTEGER, registered_at INTEGER NOT NULL, registered_by TEXT NOT NULL,
            retired_at INTEGER, version INTEGER NOT NULL DEFAULT 1
        ) STRICT;
        CREATE TABLE idempotency (
            actor TEXT NOT NULL, key TEXT NOT NULL, request BLOB NOT NULL, at INTEGER NOT NULL,
            status INTEGER, type TEXT, location TEXT, body BLOB, PRIMARY KEY (actor, key)
        ) STRICT;
        CREATE INDEX idempotency_age ON idempotency (at);
        CREATE TABLE audit_record (
            sequence INTEGER PRIMARY KEY NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL,
            action TEXT NOT NULL, outcome TEXT NOT NULL, request TEXT NOT NULL,
            line TEXT NOT NULL, digest TEXT NOT NULL
        ) STRICT;
        CREATE INDEX audit_by_actor ON audit_record (actor, at, sequence);
        CREATE INDEX audit_by_time ON audit_record (at, sequence);
        CREATE INDEX audit_by_request ON audit_record (request);
        CREATE TRIGGER audit_record_is_not_changed BEFORE UPDATE ON audit_record
            BEGIN SELECT RAISE(ABORT, 'audit records are not changed'); END;
        CREATE TRIGGER audit_record_is_not_deleted BEFORE DELETE ON audit_record
            BEGIN SELECT RAISE(ABORT, 'audit records are not deleted'); END;
        """
}
