/// A person or program that may use the admin API.
package struct UserView: Codable, Sendable, Equatable {
    package struct Certificate: Codable, Sendable, Equatable {
        /// SHA-256 of the certificate, by which the admin knows it.
        package var fingerprint: String
        package var serial: String
        package var issuedAt: String
        package var issuedBy: String
        package var expiresAt: String
        package var revoked: Bool

        package init(
            fingerprint: String, serial: String, issuedAt: String, issuedBy: String,
            expiresAt: String, revoked: Bool
        ) {
            self.fingerprint = fingerprint
            self.serial = serial
            self.issuedAt = issuedAt
            self.issuedBy = issuedBy
            self.expiresAt = expiresAt
            self.revoked = revoked
        }
    }

    package var name: String
    package var role: String
    package var disabled: Bool
    package var createdAt: String
    package var createdBy: String
    package var certificates: [Certificate]

    package init(
        name: String, role: String, disabled: Bool, createdAt: String, createdBy: String,
        certificates: [Certificate]
    ) {
        self.name = name
        self.role = role
        self.disabled = disabled
        self.createdAt = createdAt
        self.createdBy = createdBy
        self.certificates = certificates
    }
}

/// New credentials. The only answer that ever has the private key and the passphrase.
package struct CredentialsView: Codable, Sendable, Equatable {
    package var user: String
    package var role: String
    package var fingerprint: String
    package var expiresAt: String
    package var certificatePem: String
    package var privateKeyPem: String
    package var authorityPem: String
    /// The same as PKCS#12 in base64, for a browser.
    package var pkcs12: String
    package var passphrase: String

    package init(
        user: String, role: String, fingerprint: String, expiresAt: String,
        certificatePem: String, privateKeyPem: String, authorityPem: String, pkcs12: String,
        passphrase: String
    ) {
        self.user = user
        self.role = role
        self.fingerprint = fingerprint
        self.expiresAt = expiresAt
        self.certificatePem = certificatePem
        self.privateKeyPem = privateKeyPem
        self.authorityPem = authorityPem
        self.pkcs12 = pkcs12
        self.passphrase = passphrase
    }
}

package struct RoleView: Codable, Sendable, Equatable {
    package var role: String
    package var permissions: [String]

    package init(role: String, permissions: [String]) {
        self.role = role
        self.permissions = permissions
    }
}

/// Who asks, as the admin sees it.
package struct PrincipalView: Codable, Sendable, Equatable {
    package var name: String
    package var role: String
    package var permissions: [String]
    package var fingerprint: String
    package var expiresAt: String

    package init(
        name: String, role: String, permissions: [String], fingerprint: String,
        expiresAt: String
    ) {
        self.name = name
        self.role = role
        self.permissions = permissions
        self.fingerprint = fingerprint
        self.expiresAt = expiresAt
    }
}

package struct VersionView: Codable, Sendable, Equatable {
    package var version: String
    package var api: String

    package init(version: String, api: String) {
        self.version = version
        self.api = api
    }
}
