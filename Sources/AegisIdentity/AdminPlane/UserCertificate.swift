package import AegisCore
import AegisCrypto
import FoundationEssentials
import SwiftASN1
import X509

/// A user's certificate as a file has it: whose it is, and what it is known by.
package struct UserCertificate: Sendable {
    package let user: AdminUser
    /// SHA-256 of the certificate.
    package let fingerprint: Digest
    package let serial: String
    /// Seconds since 1970.
    package let notAfter: UInt64

    package init(pem: String, mesh: MeshID) throws(AdminUserError) {
        do {
            let certificate = try Certificate(pemEncoded: pem)
            let der = try derBytes(of: certificate)
            user = try AdminUser(leafDER: der, mesh: mesh)
            fingerprint = SHA256.digest(of: der)
            serial = Hexadecimal.encode(certificate.serialNumber.bytes)
            notAfter = UInt64(max(0, certificate.notValidAfter.timeIntervalSince1970))
        } catch let error as AdminUserError { throw error } catch { throw .malformedCertificate }
    }
}
