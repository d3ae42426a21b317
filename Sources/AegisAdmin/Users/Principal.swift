package import AegisIdentity

/// Who a request comes from: a user of the store, known by the certificate that TLS has verified.
package struct Principal: Hashable, Sendable {
    package let name: String
    package let role: AdminRole
    /// SHA-256 of the certificate, `sha256:…`.
    package let fingerprint: String
    /// Seconds since 1970.
    package let notAfter: UInt64

    package init(name: String, role: AdminRole, fingerprint: String, notAfter: UInt64) {
        self.name = name
        self.role = role
        self.fingerprint = fingerprint
        self.notAfter = notAfter
    }

    package func has(_ permission: Permission) -> Bool { permission.roles.contains(role) }
}
