package import AegisCore
package import AegisCrypto
package import AegisProtocol
import Crypto
import FoundationEssentials
import SwiftASN1
import X509

package enum TLSIdentityError: Error, Hashable, Sendable {
    case notIssued(reason: String)
    case unreadable(reason: String)
}

/// The names and numbers inside a node's leaf certificate.
package enum NodeCertificate {
    /// The extension that carries the COSE_Sign1 of a `TLSBinding`, in an OCTET STRING. It is in
    /// the arc that anyone may take a number in without registration (2.25, ITU-T X.667): a random
    /// one of 62 bits, since SwiftASN1 and others keep an arc in 64.
    package static let bindingOID = "2.25.2849527880889853336"
    /// PROTOCOL.md §4.3: 30 days, and renewed at two thirds of them.
    package static let validitySeconds: UInt64 = 30 * 86_400
    /// A peer's clock may be behind by a day.
    package static let backdatedSeconds: UInt64 = 86_400

    package static func uri(of node: NodeID, in mesh: MeshID) -> String {
        "aegis://\(mesh)/node/\(node)"
    }
}

/// A node's TLS key with a self-issued leaf, bound to the node's identity by the identity key
/// (PROTOCOL.md §4.3). Made afresh at a start or a rotation; a lost one is replaced, not restored.
package struct TLSIdentity: Sendable {
    package let node: NodeID
    package let mesh: MeshID
    package let binding: TLSBinding
    package let bindingEnvelope: SignedEnvelope
    package let leafDER: [UInt8]
    /// What is presented behind the leaf.
    package var organisation: OrganisationChain?
    private let key: P256.Signing.PrivateKey

    /// SHA-256 of the leaf's SubjectPublicKeyInfo.
    package var spkiDigest: AegisCore.Digest { binding.tlsKey }
    package var privateKeyDER: [UInt8] { Array(key.derRepresentation) }
    package var privateKeyPEM: String { key.pemRepresentation }
    package var leafPEM: String {
        PEMDocument(type: "CERTIFICATE", derBytes: leafDER).pemString
    }
    /// When to rotate, in seconds since 1970: two thirds of the time from its issue have passed.
    package var renewAt: UInt64 {
        let issued = min(binding.notBefore + NodeCertificate.backdatedSeconds, binding.notAfter)
        return issued + (binding.notAfter - issued) / 3 * 2
    }

    /// `sequence` must be above every earlier one of this node: the time of issue in milliseconds
    /// does. `now` in seconds since 1970.
    package static func issue(
        for identity: IdentityKey, mesh: MeshID, sequence: UInt64, now: UInt64,
        validitySeconds: UInt64 = NodeCertificate.validitySeconds
    ) throws(TLSIdentityError) -> TLSIdentity {
        let key = P256.Signing.PrivateKey()
        let binding = TLSBinding(
            mesh: mesh, node: identity.publicKey, tlsKey: spkiDigest(of: key.publicKey),
            sequence: sequence,
            notBefore: now - min(now, NodeCertificate.backdatedSeconds),
            notAfter: now + validitySeconds)
        let envelope = EnvelopeSigner(identity).sign(.tlsBinding, binding.payload)
        do {
            let leaf = try leaf(for: binding, envelope: envelope.bytes, key: key)
            return TLSIdentity(
                node: binding.node, mesh: mesh, binding: binding, bindingEnvelope: envelope,
                leafDER: leaf, key: key)
        } catch {
            throw .notIssued(reason: "\(error)")
        }
    }

    /// From the two PEM documents that `leafPEM` and `privateKeyPEM` give, in one file.
    package init(
        leafPEM: String, privateKeyPEM: String, mesh: MeshID, now: UInt64
    ) throws(TLSIdentityError) {
        let leafDER: [UInt8]
        let key: P256.Signing.PrivateKey
        let peer: VerifiedPeer
        do {
            leafDER = try PEMDocument(pemString: leafPEM).derBytes
            key = try P256.Signing.PrivateKey(pemRepresentation: privateKeyPEM)
            peer = try PeerCertificate.verify(leafDER: leafDER, mesh: mesh, now: now)
        } catch {
            throw .unreadable(reason: "\(error)")
        }
        guard peer.spkiDigest == Self.spkiDigest(of: key.publicKey) else {
            throw .unreadable(reason: "the private key is not the certificate's")
        }
        self.init(
            node: peer.node, mesh: mesh, binding: peer.binding,
            bindingEnvelope: peer.bindingEnvelope, leafDER: leafDER, key: key)
    }

    private init(
        node: NodeID, mesh: MeshID, binding: TLSBinding, bindingEnvelope: SignedEnvelope,
        leafDER: [UInt8], key: P256.Signing.PrivateKey
    ) {
        self.node = node
        self.mesh = mesh
        self.binding = binding
        self.bindingEnvelope = bindingEnvelope
        self.leafDER = leafDER
        self.key = key
    }

    static func spkiDigest(of key: P256.Signing.PublicKey) -> AegisCore.Digest {
        AegisCrypto.SHA256.digest(of: Array(key.derRepresentation))
    }

    /// No KeyUsage: with one, OpenSSL and BoringSSL take a self-signed certificate for its own
    /// issuer only if it may sign certificates, and a leaf that may is no leaf (RFC 5280
    /// §4.2.1.9). Without one, a peer can pin exactly this certificate as its trust root.
    private static func leaf(
        for binding: TLSBinding, envelope: [UInt8], key: P256.Signing.PrivateKey
    ) throws -> [UInt8] {
        let name = try DistinguishedName { CommonName(binding.node.short) }
        let carried = try derBytes(of: ASN1OctetString(contentBytes: envelope[...]))
        let certificate = try Certificate(
            version: .v3,
            serialNumber: Certificate.SerialNumber(),
            publicKey: .init(key.publicKey),
            notValidBefore: Date(timeIntervalSince1970: Double(binding.notBefore)),
            notValidAfter: Date(timeIntervalSince1970: Double(binding.notAfter)),
            issuer: name, subject: name,
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                try ExtendedKeyUsage([.serverAuth, .clientAuth])
                SubjectAlternativeNames([
                    .dnsName(binding.node.hostName),
                    .uniformResourceIdentifier(
                        NodeCertificate.uri(of: binding.node, in: binding.mesh)),
                ])
                Certificate.Extension(
                    oid: try ASN1ObjectIdentifier(
                        dotRepresentation: NodeCertificate.bindingOID[...]), critical: false,
                    value: carried[...])
            },
            issuerPrivateKey: .init(key))
        return try derBytes(of: certificate)
    }
}
