import AegisAPI
import AegisCore
import AegisIdentity
import AegisProtocol
import AegisTelemetry
import FoundationEssentials

package enum RecoveryError: Error, Hashable, Sendable {
    case exists(path: String)
    case unknownRole(String)
    case refused(String)
}

/// What only somebody with the admin's folder can do: let a user in who has no working certificate.
package enum Recovery {
    /// Makes or renews a user, enabled and in this role, and writes its credentials to `target`.
    /// A running admin takes it from the next request on. Returns the passphrase of the .p12.
    package static func issue(
        _ name: String, role: String, directory: String, to target: String, passphrase: [UInt8]?
    ) async throws -> String {
        guard let role = AdminRole(rawValue: role) else { throw RecoveryError.unknownRole(role) }
        guard !FileManager.default.fileExists(atPath: target) else {
            throw RecoveryError.exists(path: target)
        }
        let folder = try AdminFolder(opening: directory, passphrase: passphrase)
        let database = try AdminDatabase(path: folder.databasePath)
        let users = UserDesk(
            database: database, authority: folder.authority,
            meshName: folder.founding.statement.name)
        let now = Timestamp.now()
        let made: CredentialsView
        do {
            if let user = try await database.user(name) {
                try await users.change(user, role: role, disabled: false, now: now)
                made = try await users.renew(
                    name, days: UserDesk.daysMax, revokingOthers: false, by: "host", now: now)
            } else {
                made = try await users.create(
                    AdminUser(name: name, role: role), days: UserDesk.daysMax, by: "host",
                    now: now)
            }
        } catch let problem as Problem {
            throw RecoveryError.refused(problem.detail ?? problem.title)
        }
        try await database.appendAudit(
            AuditEntry(
                at: now, actor: "host", action: "aegis-admin user \(name)", parameters: .zero,
                outcome: "done", request: "offline"))
        try write(made, url: "https://" + folder.settings.api, to: target)
        return made.passphrase
    }

    private static func write(_ made: CredentialsView, url: String, to folder: String) throws {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o700])
        let context: JSONValue = .object([
            "url": .text(url), "ca": "ca.pem", "certificate": "certificate.pem", "key": "key.pem",
        ])
        for (name, bytes) in [
            ("ca.pem", Data(made.authorityPem.utf8)),
            ("certificate.pem", Data(made.certificatePem.utf8)),
            ("key.pem", Data(made.privateKeyPem.utf8)),
            ("browser.p12", Data(base64Encoded: made.pkcs12) ?? Data()),
            ("context.json", try AegisAPI.encodeDocument(context)),
        ] {
            guard
                FileManager.default.createFile(
                    atPath: folder + "/" + name, contents: bytes,
                    attributes: [.posixPermissions: 0o600])
            else { throw RecoveryError.refused("\(folder)/\(name) can't be written") }
        }
    }
}
