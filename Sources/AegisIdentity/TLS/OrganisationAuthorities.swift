package import AegisCore
import Crypto
import FoundationEssentials
import SwiftASN1
@_spi(FixedExpiryValidationTime) import X509

/// Why a peer does not show what organisations' authorities have to vouch for.
package enum OrganisationError: Error, Hashable, Sendable {
    /// No certificate over the node's identity key came with its leaf.
    case missing
    /// There is one, and no authority that is required here stands behind it, or not now.
    case notTrusted(reason: String)
}

package enum OrganisationFileError: Error, Hashable, Sendable {
    case unreadable(path: String, reason: String)
    /// A file without a certificate in it.
    case empty(path: String)
    /// None of the certificates is over this node's identity key.
    case ofAnotherKey(path: String, node: NodeID)
}

/// Certificate authorities of which one must vouch for every member, in addition to the roster:
/// they can keep a member out, never let anybody in. They certify identity keys, which outlive TLS
/// keys; the certificate travels behind the leaf in the TLS handshake.
package struct OrganisationAuthorities: Sendable {
    private let roots: [Certificate]
    private static let chainMax = 8

    /// One PEM file with one or more certificates.
    package init(pem: String, path: String) throws(OrganisationFileError) {
        roots = try OrganisationChain.certificates(in: pem, path: path)
    }

    /// `shown`: what came behind the leaf, DER. `now` in seconds since 1970; clocks may be as far
    /// apart as for leaves.
    package func check(
        _ node: NodeID, shown: [[UInt8]], now: UInt64
    ) async throws(OrganisationError) {
        let certificates = shown.prefix(Self.chainMax).compactMap {
            try? Certificate(derEncoded: $0)
        }
        guard let own = certificates.first(where: { $0.isOver(node) }) else { throw .missing }
        var reason = ""
        for time in [now, now + tolerance, now - min(now, tolerance)] {
            var verifier = Verifier(rootCertificates: CertificateStore(roots)) {
                RFC5280Policy(
                    fixedExpiryValidationTime: Date(timeIntervalSince1970: Double(time)))
            }
            switch await verifier.validate(
                leaf: own,
                intermediates: CertificateStore(certificates.filter { $0 != own }))
            {
            case .validCertificate: return
            case .couldNotValidate(let failures):
                if reason.isEmpty {
                    reason = failures.first.map { "\($0.policyFailureReason)" } ?? "no path"
                }
            }
        }
        throw .notTrusted(reason: reason)
    }

    private var tolerance: UInt64 { PeerCertificate.clockToleranceSeconds }
}

/// The certificates with which an organisation vouches for a node: over its identity key, and those
/// between it and the authority.
package struct OrganisationChain: Hashable, Sendable {
    /// DER, as they are presented behind the leaf.
    package let certificates: [[UInt8]]
    private static let certificatesMax = 8

    /// For the node's present key; whatever is there for its next one is presented too.
    package init(
        pem: String, path: String, node: NodeID
    ) throws(OrganisationFileError) {
        let found = try Self.certificates(in: pem, path: path)
        guard found.contains(where: { $0.isOver(node) }) else {
            throw .ofAnotherKey(path: path, node: node)
        }
        do {
            certificates = try found.prefix(Self.certificatesMax).map { try derBytes(of: $0) }
        } catch { throw .unreadable(path: path, reason: "\(error)") }
    }

    static func certificates(
        in pem: String, path: String
    ) throws(OrganisationFileError) -> [Certificate] {
        let found: [Certificate]
        do {
            found = try PEMDocument.parseMultiple(pemString: pem)
                .filter { $0.discriminator == "CERTIFICATE" }
                .map { try Certificate(derEncoded: $0.derBytes) }
        } catch { throw .unreadable(path: path, reason: "\(error)") }
        guard !found.isEmpty else { throw .empty(path: path) }
        return found
    }
}

extension NodeID {
    /// The identity key as OpenSSL reads one: SubjectPublicKeyInfo (RFC 8410 §4) in PEM.
    package var publicKeyPEM: String {
        PEMDocument(type: "PUBLIC KEY", derBytes: Self.ed25519Info + bytes).pemString + "\n"
    }

    /// SEQUENCE { SEQUENCE { 1.3.101.112 }, BIT STRING of 32 bytes }, up to the key itself.
    private static let ed25519Info: [UInt8] = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ]
}

extension Certificate {
    func isOver(_ node: NodeID) -> Bool {
        publicKey == Certificate.PublicKey(pemOf: node)
    }
}

extension Certificate.PublicKey {
    fileprivate init?(pemOf node: NodeID) {
        guard let key = try? Certificate.PublicKey(pemEncoded: node.publicKeyPEM) else {
            return nil
        }
        self = key
    }
}
