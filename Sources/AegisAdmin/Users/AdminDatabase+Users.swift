package import AegisIdentity
import FoundationEssentials
import GRDB

/// A user with all certificates that were ever issued to it.
package struct StoredUser: Hashable, Sendable {
    package struct Certificate: Hashable, Sendable {
        package let fingerprint: String
        package let serial: String
        package let issuedAt: UInt64
        package let issuedBy: String
        /// Seconds since 1970.
        package let notAfter: UInt64
        package let revokedAt: UInt64?
    }

    package let name: String
    package let role: AdminRole
    package let createdAt: UInt64
    package let createdBy: String
    package let disabledAt: UInt64?
    package let version: Int64
    package let certificates: [Certificate]
}

enum UserStoreError: Error, Hashable {
    case nameTaken
    case notFound
    case changedMeanwhile
    case lastAdministrator
}

extension AdminDatabase {
    package func users() async throws -> [StoredUser] {
        try await writer.read { try Self.users($0) }
    }

    private static func users(_ db: Database, named name: String? = nil) throws -> [StoredUser] {
        let rows = try Row.fetchAll(
            db, sql: "SELECT * FROM user_certificate ORDER BY issued_at, fingerprint")
        let certificates = Dictionary(grouping: rows) { $0["user"] as String }
        return try Row.fetchAll(
            db, sql: "SELECT * FROM user WHERE ? IS NULL OR name = ? ORDER BY name",
            arguments: [name, name]
        ).map { row in
            guard let role = AdminRole(rawValue: row["role"]) else {
                throw AdminDatabaseError.damaged(table: "user")
            }
            return StoredUser(
                name: row["name"], role: role, createdAt: UInt64(row["created_at"] as Int64),
                createdBy: row["created_by"],
                disabledAt: (row["disabled_at"] as Int64?).map { UInt64($0) },
                version: row["version"],
                certificates: (certificates[row["name"]] ?? []).map(certificate))
        }
    }

    private static func certificate(_ row: Row) -> StoredUser.Certificate {
        StoredUser.Certificate(
            fingerprint: row["fingerprint"], serial: row["serial"],
            issuedAt: UInt64(row["issued_at"] as Int64), issuedBy: row["issued_by"],
            notAfter: UInt64(row["not_after"] as Int64),
            revokedAt: (row["revoked_at"] as Int64?).map { UInt64($0) })
    }

    func user(_ name: String) async throws -> StoredUser? {
        try await writer.read { try Self.users($0, named: name).first }
    }

    func insertUser(
        _ user: AdminUser, certificate: StoredUser.Certificate, at time: UInt64, by actor: String
    ) async throws {
        try await change { db in
            let taken = try Bool.fetchOne(
                db, sql: "SELECT EXISTS (SELECT 1 FROM user WHERE name = ?)",
                arguments: [user.name])
            guard taken != true else { throw UserStoreError.nameTaken }
            try db.execute(
                sql: "INSERT INTO user (name, role, created_at, created_by) VALUES (?, ?, ?, ?)",
                arguments: [user.name, user.role.rawValue, Int64(time), actor])
            try Self.insert(certificate, of: user.name, db)
        }
    }

    /// `revokingOthers`: none of the user's older certificates is taken any more.
    func insertCertificate(
        _ certificate: StoredUser.Certificate, of user: String, revokingOthers: Bool
    ) async throws {
        try await change { db in
            if revokingOthers {
                try db.execute(
                    sql: "UPDATE user_certificate SET revoked_at = ? "
                        + "WHERE user = ? AND revoked_at IS NULL",
                    arguments: [Int64(certificate.issuedAt), user])
            }
            try Self.insert(certificate, of: user, db)
        }
    }

    private static func insert(
        _ certificate: StoredUser.Certificate, of user: String, _ db: Database
    ) throws {
        try db.execute(
            sql: """
                INSERT INTO user_certificate
                (fingerprint, user, serial, issued_at, issued_by, not_after)
                VALUES (?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                certificate.fingerprint, user, certificate.serial, Int64(certificate.issuedAt),
                certificate.issuedBy, Int64(certificate.notAfter),
            ])
    }

    /// Of the version that the caller has seen, and never so that nobody could administrate.
    func changeUser(
        _ user: StoredUser, role: AdminRole, disabled: Bool, at time: UInt64
    ) async throws {
        try await change { db in
            try db.execute(
                sql: "UPDATE user SET role = ?, disabled_at = ?, version = version + 1 "
                    + "WHERE name = ? AND version = ?",
                arguments: [
                    role.rawValue, disabled ? Int64(user.disabledAt ?? time) : nil, user.name,
                    user.version,
                ])
            guard db.changesCount == 1 else { throw UserStoreError.changedMeanwhile }
            let administrators = try Int.fetchOne(
                db,
                sql: "SELECT COUNT(*) FROM user WHERE role = 'admin' AND disabled_at IS NULL")
            guard administrators ?? 0 > 0 else { throw UserStoreError.lastAdministrator }
        }
    }

    func revokeCertificate(_ fingerprint: String, of user: String, at time: UInt64) async throws {
        try await change { db in
            try db.execute(
                sql: "UPDATE user_certificate SET revoked_at = coalesce(revoked_at, ?) "
                    + "WHERE user = ? AND fingerprint = ?",
                arguments: [Int64(time), user, fingerprint])
            guard db.changesCount == 1 else { throw UserStoreError.notFound }
        }
    }
}
