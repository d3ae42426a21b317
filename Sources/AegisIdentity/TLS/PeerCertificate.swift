package import AegisCore
import AegisCrypto
package import AegisProtocol
import Crypto
import FoundationEssentials
import SwiftASN1
import X509

/// Why a peer's certificate proves nothing here. Each attack has its own case.
package enum PeerCertificateError: Error, Hashable, Sendable {
    case tooLarge(Int)
    case malformedCertificate
    /// Only P-256 leaves are issued.
    case unsupportedKey
    case missingBinding
    case malformedBinding(EnvelopeError)
    case malformedBindingStatement(StatementError)
    case badBindingSignature(NodeID)
    /// The binding is of another TLS key: copied from that node's certificate.
    case foreignBinding(of: NodeID)
    /// Somebody signed a binding, or made a certificate, in another node's name.
    case anotherIdentity(named: String, bound: NodeID)
    case otherMesh(MeshID, expected: MeshID)
    case notYetValid(NodeID, from: UInt64)
    case expired(NodeID, at: UInt64)
    case badCertificateSignature(NodeID)
}

/// What a leaf proves about who presents it, once the handshake has shown possession of its key.
/// Whether that node may do anything is the `PeerRegistry`'s question.
package struct VerifiedPeer: Hashable, Sendable {
    package let node: NodeID
    package let binding: TLSBinding
    package let bindingEnvelope: SignedEnvelope
    package let leafDER: [UInt8]
    /// Why no organisation vouches for it, where one has to; nil otherwise.
    package var organisation: OrganisationError?

    package var spkiDigest: AegisCore.Digest { binding.tlsKey }

    fileprivate init(
        binding: TLSBinding, bindingEnvelope: SignedEnvelope, leafDER: [UInt8]
    ) {
        self.node = binding.node
        self.binding = binding
        self.bindingEnvelope = bindingEnvelope
        self.leafDER = leafDER
    }
}

package enum PeerCertificate {
    /// Ours have about 900 bytes.
    package static let bytesMax = 8_192
    /// How far two clocks may be apart.
    package static let clockToleranceSeconds: UInt64 = 600

    /// `now` in seconds since 1970.
    package static func verify(
        leafDER: [UInt8], mesh: MeshID, now: UInt64
    ) throws(PeerCertificateError) -> VerifiedPeer {
        guard leafDER.count <= bytesMax else { throw .tooLarge(leafDER.count) }
        let certificate: Certificate
        do { certificate = try Certificate(derEncoded: leafDER) } catch {
            throw .malformedCertificate
        }
        guard let key = P256.Signing.PublicKey(certificate.publicKey) else {
            throw .unsupportedKey
        }
        let envelope = try bindingEnvelope(in: certificate)
        let binding = try verifiedBinding(envelope)
        guard binding.mesh == mesh else { throw .otherMesh(binding.mesh, expected: mesh) }
        guard binding.tlsKey == TLSIdentity.spkiDigest(of: key) else {
            throw .foreignBinding(of: binding.node)
        }
        try checkNames(in: certificate, binding: binding)
        guard certificate.publicKey.isValidSignature(certificate.signature, for: certificate)
        else { throw .badCertificateSignature(binding.node) }
        let (latest, overflow) = now.addingReportingOverflow(clockToleranceSeconds)
        guard overflow || binding.notBefore <= latest else {
            throw .notYetValid(binding.node, from: binding.notBefore)
        }
        guard now <= clockToleranceSeconds || now - clockToleranceSeconds <= binding.notAfter
        else { throw .expired(binding.node, at: binding.notAfter) }
        return VerifiedPeer(binding: binding, bindingEnvelope: envelope, leafDER: leafDER)
    }

    private static func bindingEnvelope(
        in certificate: Certificate
    ) throws(PeerCertificateError) -> SignedEnvelope {
        guard
            let carrier = certificate.extensions.first(where: {
                $0.oid.description == NodeCertificate.bindingOID
            })
        else { throw .missingBinding }
        let bytes: [UInt8]
        do { bytes = Array(try ASN1OctetString(derEncoded: carrier.value).bytes) } catch {
            throw .malformedCertificate
        }
        do { return try SignedEnvelope(parsing: bytes) } catch { throw .malformedBinding(error) }
    }

    private static func verifiedBinding(
        _ envelope: SignedEnvelope
    ) throws(PeerCertificateError) -> TLSBinding {
        guard envelope.type == .tlsBinding else {
            throw .malformedBinding(.unexpectedType(envelope.type, expected: .tlsBinding))
        }
        let verified: Verified<[UInt8]>
        do { verified = try EnvelopeVerifier().verify(envelope) } catch {
            throw .badBindingSignature(envelope.sender)
        }
        let binding: TLSBinding
        do { binding = try TLSBinding(payload: verified.payload) } catch {
            throw .malformedBindingStatement(error)
        }
        guard binding.node == verified.sender else {
            throw .anotherIdentity(named: binding.node.text, bound: verified.sender)
        }
        return binding
    }

    /// Exactly the two names that the binding implies: a client verifies the DNS name and people
    /// read the URI, so neither may say what the binding doesn't.
    private static func checkNames(
        in certificate: Certificate, binding: TLSBinding
    ) throws(PeerCertificateError) {
        let names: SubjectAlternativeNames?
        do { names = try certificate.extensions.subjectAlternativeNames } catch {
            throw .malformedCertificate
        }
        var expected: Set<GeneralName> = [
            .dnsName(binding.node.hostName),
            .uniformResourceIdentifier(NodeCertificate.uri(of: binding.node, in: binding.mesh)),
        ]
        for name in names ?? SubjectAlternativeNames([]) {
            guard expected.remove(name) != nil else {
                throw .anotherIdentity(named: "\(name)", bound: binding.node)
            }
        }
        guard expected.isEmpty else { throw .anotherIdentity(named: "", bound: binding.node) }
    }
}
