package import AegisCore
import Crypto
import FoundationEssentials
import Glibc
import SwiftASN1
import X509

package enum CertificateAuthorityError: Error, Hashable, Sendable {
    case invalidHost(String)
    case invalidName(String)
    case unreadable(reason: String)
    case notIssued(reason: String)
}

/// A certificate with its private key, as its holder gets them.
package struct IssuedCertificate: Sendable {
    package let der: [UInt8]
    /// Hexadecimal, as a revocation list would name it.
    package let serial: String
    /// Seconds since 1970.
    package let notAfter: UInt64
    private let key: P256.Signing.PrivateKey

    fileprivate init(
        der: [UInt8], serial: String, notAfter: UInt64, key: P256.Signing.PrivateKey
    ) {
        self.der = der
        self.serial = serial
        self.notAfter = notAfter
        self.key = key
    }

    package var pem: String { PEMDocument(type: "CERTIFICATE", derBytes: der).pemString + "\n" }
    package var privateKeyDER: [UInt8] { Array(key.derRepresentation) }
    package var privateKeyPEM: String { key.pemRepresentation + "\n" }
}

/// The authority of the admin plane: its server and its users, and nothing of the mesh, whose
/// members the roster decides (DESIGN.md §3).
package struct CertificateAuthority: Sendable {
    package let certificateDER: [UInt8]
    private let certificate: Certificate
    private let key: P256.Signing.PrivateKey
    package let mesh: MeshID

    private static let day: UInt64 = 86_400
    private static let authorityDays: UInt64 = 3_650
    /// Under the 398 days that browsers take at most.
    package static let serverDays: UInt64 = 397
    package static let userDays: UInt64 = 365
    /// Clocks of clients that are behind.
    private static let backdatedSeconds: UInt64 = 3_600

    package var certificatePEM: String {
        PEMDocument(type: "CERTIFICATE", derBytes: certificateDER).pemString + "\n"
    }
    package var privateKeyPEM: String { key.pemRepresentation + "\n" }

    /// A new root. `now` in seconds since 1970.
    package static func create(
        mesh: MeshID, meshName: String, now: UInt64
    ) throws(CertificateAuthorityError) -> CertificateAuthority {
        let key = P256.Signing.PrivateKey()
        do {
            let name = try DistinguishedName {
                CommonName("Aegis admin plane of \(meshName)")
                OrganizationName("mesh \(mesh)")
            }
            let certificate = try Certificate(
                version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey),
                notValidBefore: date(now, minus: backdatedSeconds),
                notValidAfter: date(now + authorityDays * day),
                issuer: name, subject: name,
                extensions: Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                    Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: .init(key.publicKey))
                },
                issuerPrivateKey: .init(key))
            return CertificateAuthority(
                certificateDER: try derBytes(of: certificate), certificate: certificate, key: key,
                mesh: mesh)
        } catch {
            throw .notIssued(reason: "\(error)")
        }
    }

    package init(
        certificatePEM: String, privateKeyPEM: String, mesh: MeshID
    ) throws(CertificateAuthorityError) {
        do {
            let document = try PEMDocument(pemString: certificatePEM)
            certificateDER = document.derBytes
            certificate = try Certificate(derEncoded: document.derBytes)
            key = try P256.Signing.PrivateKey(pemRepresentation: privateKeyPEM)
        } catch { throw .unreadable(reason: "\(error)") }
        self.mesh = mesh
        guard certificate.publicKey == .init(key.publicKey) else {
            throw .unreadable(reason: "the private key is not the certificate's")
        }
    }

    private init(
        certificateDER: [UInt8], certificate: Certificate, key: P256.Signing.PrivateKey,
        mesh: MeshID
    ) {
        self.certificateDER = certificateDER
        self.certificate = certificate
        self.key = key
        self.mesh = mesh
    }

    /// The REST API's certificate for DNS names and IP addresses.
    package func issueServer(
        hosts: [String], now: UInt64, days: UInt64 = serverDays
    ) throws(CertificateAuthorityError) -> IssuedCertificate {
        guard let first = hosts.first else { throw .invalidHost("") }
        var names: [GeneralName] = []
        for host in hosts { names.append(try Self.name(ofHost: host)) }
        return try issue(
            subject: first, names: names, usages: [.serverAuth], now: now, days: days)
    }

    /// A user's certificate: who, and as what, in the URIs of its subject alternative name.
    package func issueUser(
        _ user: AdminUser, now: UInt64, days: UInt64 = userDays
    ) throws(CertificateAuthorityError) -> IssuedCertificate {
        guard Names.isValid(user.name) else { throw .invalidName(user.name) }
        return try issue(
            subject: user.name,
            names: user.uris(in: mesh).map { .uniformResourceIdentifier($0) },
            usages: [.clientAuth], now: now, days: days)
    }

    private func issue(
        subject: String, names: [GeneralName], usages: [ExtendedKeyUsage.Usage], now: UInt64,
        days: UInt64
    ) throws(CertificateAuthorityError) -> IssuedCertificate {
        let leafKey = P256.Signing.PrivateKey()
        let serial = Certificate.SerialNumber()
        let notAfter = now + days * Self.day
        do {
            let leaf = try Certificate(
                version: .v3, serialNumber: serial, publicKey: .init(leafKey.publicKey),
                notValidBefore: Self.date(now, minus: Self.backdatedSeconds),
                notValidAfter: Self.date(notAfter),
                issuer: certificate.subject,
                // X.520 ends a common name at 64 characters; the names that count are the SANs.
                subject: try DistinguishedName { CommonName(String(subject.prefix(64))) },
                extensions: Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage(usages)
                    SubjectAlternativeNames(names)
                    SubjectKeyIdentifier(hash: .init(leafKey.publicKey))
                    AuthorityKeyIdentifier(
                        keyIdentifier: SubjectKeyIdentifier(hash: .init(key.publicKey))
                            .keyIdentifier)
                },
                issuerPrivateKey: .init(key))
            return IssuedCertificate(
                der: try derBytes(of: leaf), serial: Hexadecimal.encode(serial.bytes),
                notAfter: notAfter, key: leafKey)
        } catch {
            throw .notIssued(reason: "\(error)")
        }
    }

    private static func name(
        ofHost host: String
    ) throws(CertificateAuthorityError) -> GeneralName {
        if let address = ipAddress(host) {
            return .ipAddress(ASN1OctetString(contentBytes: address[...]))
        }
        guard !host.contains(":"), !host.contains("["), MeshAddress("\(host):1") != nil else {
            throw .invalidHost(host)
        }
        return .dnsName(host)
    }

    /// The 4 or 16 bytes of an IP address, in network order.
    private static func ipAddress(_ text: String) -> [UInt8]? {
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            if inet_pton(family, text, &bytes) == 1 { return bytes }
        }
        return nil
    }

    private static func date(_ seconds: UInt64, minus earlier: UInt64 = 0) -> Date {
        Date(timeIntervalSince1970: Double(seconds - min(seconds, earlier)))
    }
}
