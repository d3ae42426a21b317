package import AegisAPI
import AegisCore
import AegisCrypto
package import AegisIdentity
import AegisTelemetry
import FoundationEssentials
import Synchronization

/// Who may use the API. The store decides, so that a change takes effect at the next request,
/// whatever a certificate says of itself.
package final class UserDesk: Sendable {
    private let database: AdminDatabase
    private let authority: CertificateAuthority
    private let meshName: String
    private let book = Mutex(Book())

    /// What the store says, by the certificate's fingerprint.
    private struct Book {
        var known: [String: Entry] = [:]
        /// When the store was read last because of a certificate that was not in it.
        var lookedAt: UInt64 = 0
    }

    private struct Entry {
        let principal: Principal
        let disabled: Bool
        let revoked: Bool
    }

    package static let daysMax = 365

    package init(database: AdminDatabase, authority: CertificateAuthority, meshName: String) {
        self.database = database
        self.authority = authority
        self.meshName = meshName
    }

    /// Reads the store again.
    package func reload() async throws {
        var known: [String: Entry] = [:]
        for user in try await database.users() {
            for certificate in user.certificates {
                known[certificate.fingerprint] = Entry(
                    principal: Principal(
                        name: user.name, role: user.role, fingerprint: certificate.fingerprint,
                        notAfter: certificate.notAfter),
                    disabled: user.disabledAt != nil, revoked: certificate.revokedAt != nil)
            }
        }
        let snapshot = known
        book.withLock { $0.known = snapshot }
    }

    /// The user of a certificate that TLS has verified. `now` in milliseconds since 1970.
    package func principal(leafDER: [UInt8], now: UInt64) async throws -> Principal {
        let fingerprint = SHA256.digest(of: leafDER).description
        var entry = book.withLock { $0.known[fingerprint] }
        // Another process may have issued it; a stranger can't make the store be read more often.
        if entry == nil, isDueForReload(now) {
            try await reload()
            entry = book.withLock { $0.known[fingerprint] }
        }
        guard let entry else {
            throw Problem(
                .unauthenticated, detail: "this admin has not issued certificate \(fingerprint)")
        }
        guard !entry.disabled else {
            throw Problem(.userDisabled, detail: "\(entry.principal.name) is disabled")
        }
        guard !entry.revoked else {
            throw Problem(.unauthenticated, detail: "the certificate was revoked")
        }
        guard now / 1_000 <= entry.principal.notAfter else {
            throw Problem(.unauthenticated, detail: "the certificate has expired")
        }
        return entry.principal
    }

    private func isDueForReload(_ now: UInt64) -> Bool {
        book.withLock { book in
            guard now > book.lookedAt + 1_000 else { return false }
            book.lookedAt = now
            return true
        }
    }

    /// Takes the first administrator from the folder's credentials where there is no user yet.
    package func adopt(_ certificatePEM: String?, now: UInt64) async throws {
        guard try await database.users().isEmpty, let certificatePEM else {
            return try await reload()
        }
        let certificate = try UserCertificate(pem: certificatePEM, mesh: authority.mesh)
        try await database.insertUser(
            certificate.user,
            certificate: StoredUser.Certificate(
                fingerprint: certificate.fingerprint.description, serial: certificate.serial,
                issuedAt: now, issuedBy: "init", notAfter: certificate.notAfter, revokedAt: nil),
            at: now, by: "init")
        try await reload()
    }

    package func create(
        _ user: AdminUser, days: Int, by actor: String, now: UInt64
    ) async throws -> CredentialsView {
        let credentials = try issue(user, days: days, by: actor, now: now)
        do {
            try await database.insertUser(
                user, certificate: credentials.stored, at: now, by: actor)
        } catch UserStoreError.nameTaken {
            throw Problem(.nameTaken, detail: "there is a user \(user.name) already")
        }
        try await reload()
        return credentials.view
    }

    /// Another certificate for a user; with `revokingOthers` the only one that is taken.
    package func renew(
        _ name: String, days: Int, revokingOthers: Bool, by actor: String, now: UInt64
    ) async throws -> CredentialsView {
        let user = try await stored(name)
        let credentials = try issue(
            AdminUser(name: user.name, role: user.role), days: days, by: actor, now: now)
        try await database.insertCertificate(
            credentials.stored, of: user.name, revokingOthers: revokingOthers)
        try await reload()
        return credentials.view
    }

    package func change(
        _ user: StoredUser, role: AdminRole?, disabled: Bool?, now: UInt64
    ) async throws {
        do {
            try await database.changeUser(
                user, role: role ?? user.role, disabled: disabled ?? (user.disabledAt != nil),
                at: now)
        } catch UserStoreError.changedMeanwhile {
            throw Problem(.changed)
        } catch UserStoreError.lastAdministrator {
            throw Problem(
                .lastAdministrator, detail: "\(user.name) is the last enabled administrator",
                hint: "make another first: aegis user create NAME --role admin")
        }
        try await reload()
    }

    package func revoke(_ fingerprint: String, of name: String, now: UInt64) async throws {
        let user = try await stored(name)
        do {
            try await database.revokeCertificate(fingerprint, of: user.name, at: now)
        } catch UserStoreError.notFound {
            throw Problem(.notFound, detail: "\(user.name) has no such certificate")
        }
        try await reload()
    }

    package func stored(_ name: String) async throws -> StoredUser {
        guard let user = try await database.user(name) else {
            throw Problem(.notFound, detail: "there is no user \(name.prefix(64))")
        }
        return user
    }

    package func list() async throws -> [StoredUser] { try await database.users() }

    private struct Credentials {
        let view: CredentialsView
        let stored: StoredUser.Certificate
    }

    private func issue(
        _ user: AdminUser, days: Int, by actor: String, now: UInt64
    ) throws -> Credentials {
        let issued = try authority.issueUser(user, now: now / 1_000, days: UInt64(days))
        let passphrase = PKCS12.makePassphrase()
        let bundle = try PKCS12.encode(
            issued, authorityDER: authority.certificateDER,
            friendlyName: "Aegis \(meshName) \(user.name)", passphrase: passphrase)
        let fingerprint = SHA256.digest(of: issued.der).description
        return Credentials(
            view: CredentialsView(
                user: user.name, role: user.role.rawValue, fingerprint: fingerprint,
                expiresAt: Timestamp.text(issued.notAfter * 1_000),
                certificatePem: issued.pem, privateKeyPem: issued.privateKeyPEM,
                authorityPem: authority.certificatePEM,
                pkcs12: Data(bundle).base64EncodedString(), passphrase: passphrase),
            stored: StoredUser.Certificate(
                fingerprint: fingerprint, serial: issued.serial, issuedAt: now, issuedBy: actor,
                notAfter: issued.notAfter, revokedAt: nil))
    }
}

extension StoredUser {
    package var view: UserView {
        UserView(
            name: name, role: role.rawValue, disabled: disabledAt != nil,
            createdAt: Timestamp.text(createdAt), createdBy: createdBy,
            certificates: certificates.map { certificate in
                UserView.Certificate(
                    fingerprint: certificate.fingerprint, serial: certificate.serial,
                    issuedAt: Timestamp.text(certificate.issuedAt),
                    issuedBy: certificate.issuedBy,
                    expiresAt: Timestamp.text(certificate.notAfter * 1_000),
                    revoked: certificate.revokedAt != nil)
            })
    }
}
