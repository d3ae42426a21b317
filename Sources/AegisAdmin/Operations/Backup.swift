import AegisAPI
import AegisCore
import AegisCrypto
import AegisTelemetry
import FoundationEssentials
import GRDB

package enum BackupError: Error, Hashable, Sendable {
    case exists(path: String)
    case notABackup(path: String)
    case changed(file: String)
    case damagedStore(String)
    case failed(String)
}

/// What a backup is of, and the digest of each of its files; `backup.json`.
package struct BackupManifest: Codable, Sendable, Equatable {
    package var createdAt: String
    package var auditRecords: Int64
    package var auditHead: String
    /// SHA-256 by path.
    package var files: [String: String]
}

/// Copies of an admin's folder. The store is copied while it is in use, as one moment of it
/// (SQLite's online backup); blobs are left out, since nodes have them.
package enum Backup {
    private static let store = "admin.sqlite"
    private static let manifestName = "backup.json"

    /// The folder `target` is there whole or not at all.
    package static func make(of directory: String, to target: String) async throws -> BackupManifest
    {
        guard !FileManager.default.fileExists(atPath: target) else {
            throw BackupError.exists(path: target)
        }
        let partial = target + ".partial"
        try? FileManager.default.removeItem(atPath: partial)
        do {
            try makeFolder(partial)
            for file in try files(of: directory) where !isLeftOut(file) {
                try copy(directory + "/" + file, to: partial + "/" + file)
            }
            try await copyStore(directory + "/" + store, to: partial + "/" + store)
            let manifest = try await describe(partial)
            let bytes = try AegisAPI.encode(manifest, pretty: true)
            try bytes.write(to: URL(filePath: partial + "/" + manifestName))
            try FileManager.default.moveItem(atPath: partial, toPath: target)
            return manifest
        } catch {
            try? FileManager.default.removeItem(atPath: partial)
            throw error
        }
    }

    /// Checks every file, the store and the audit chain, and only then makes `directory`.
    package static func restore(from backup: String, to directory: String) async throws
        -> BackupManifest
    {
        guard !FileManager.default.fileExists(atPath: directory) else {
            throw BackupError.exists(path: directory)
        }
        let manifest = try await verify(backup)
        let partial = directory + ".partial"
        try? FileManager.default.removeItem(atPath: partial)
        try makeFolder(partial)
        for file in manifest.files.keys.sorted() {
            try copy(backup + "/" + file, to: partial + "/" + file)
        }
        try FileManager.default.moveItem(atPath: partial, toPath: directory)
        return manifest
    }

    package static func verify(_ backup: String) async throws -> BackupManifest {
        guard let bytes = FileManager.default.contents(atPath: backup + "/" + manifestName),
            let manifest = try? AegisAPI.decode(BackupManifest.self, from: bytes)
        else { throw BackupError.notABackup(path: backup) }
        for (file, digest) in manifest.files.sorted(by: { $0.key < $1.key }) {
            guard let bytes = FileManager.default.contents(atPath: backup + "/" + file),
                SHA256.digest(of: Array(bytes)).description == digest
            else { throw BackupError.changed(file: file) }
        }
        // Opened read-only: a look must not change what it looks at.
        var configuration = Configuration()
        configuration.readonly = true
        let queue = try DatabaseQueue(path: backup + "/" + store, configuration: configuration)
        let finding = try await queue.read { db in
            try String.fetchOne(db, sql: "PRAGMA integrity_check")
        }
        guard finding == "ok" else { throw BackupError.damagedStore(finding ?? "") }
        let audit = try await AdminDatabase(reading: queue).verifyAudit()
        guard audit.intact, audit.head == manifest.auditHead else {
            throw BackupError.damagedStore(audit.fault ?? "its audit log has another head")
        }
        return manifest
    }

    private static func copyStore(_ source: String, to target: String) async throws {
        guard FileManager.default.fileExists(atPath: source) else {
            throw BackupError.notABackup(path: source)
        }
        let from = try DatabaseQueue(path: source)
        let to = try DatabaseQueue(path: target)
        try from.backup(to: to)
        // One file, without a log beside it.
        try await to.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode = DELETE") }
        try to.close()
        try from.close()
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: target)
    }

    private static func describe(_ folder: String) async throws -> BackupManifest {
        let queue = try DatabaseQueue(path: folder + "/" + store)
        let head = try await AdminDatabase(reading: queue).auditHead()
        try queue.close()
        var digests: [String: String] = [:]
        for file in try files(of: folder) {
            guard let bytes = FileManager.default.contents(atPath: folder + "/" + file) else {
                throw BackupError.failed("\(file) can't be read")
            }
            digests[file] = SHA256.digest(of: Array(bytes)).description
        }
        return BackupManifest(
            createdAt: Timestamp.text(Timestamp.now()), auditRecords: head.sequence,
            auditHead: head.digest, files: digests)
    }

    private static func files(of folder: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: folder).filter { path in
            var isFolder = false
            return FileManager.default.fileExists(
                atPath: folder + "/" + path, isDirectory: &isFolder) && !isFolder
        }.sorted()
    }

    private static func isLeftOut(_ file: String) -> Bool {
        file.hasPrefix("blobs/") || file.hasPrefix(store) || file.hasSuffix(".lock")
    }

    private static func makeFolder(_ path: String) throws {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
    }

    private static func copy(_ source: String, to target: String) throws {
        if let slash = target.lastIndex(of: "/") { try makeFolder(String(target[..<slash])) }
        try FileManager.default.copyItem(atPath: source, toPath: target)
    }
}
