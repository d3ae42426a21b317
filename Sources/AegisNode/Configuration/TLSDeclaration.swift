import AegisCore
import AegisCrypto
import AegisIdentity
import AegisTransport
import FoundationEssentials
import Glibc
import NIOCore

/// `tls` in node.yaml: an organisation's certificate authority as an additional requirement. It can
/// keep members out; who is a member is for the roster to say.
package struct TLSDeclaration: Codable, Hashable, Sendable {
    /// A PEM file of authorities, one of which must vouch for every member that connects here or is
    /// called; none has to where it is absent. Paths are from the node's folder.
    package var organisationCA: String?
    /// A PEM file with what vouches for this node: a certificate over its identity key, and those
    /// between it and its authority.
    package var certificate: String?

    package init(organisationCA: String? = nil, certificate: String? = nil) {
        self.organisationCA = organisationCA
        self.certificate = certificate
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case organisationCA = "organisation_ca"
        case certificate
    }

    package init(from decoder: any Decoder) throws {
        try UnknownKeys.refuse(in: decoder, known: CodingKeys.allCases.map(\.rawValue))
        let container = try decoder.container(keyedBy: CodingKeys.self)
        organisationCA = try container.decodeIfPresent(String.self, forKey: .organisationCA)
        certificate = try container.decodeIfPresent(String.self, forKey: .certificate)
    }
}

extension NodeDirectory {
    /// The authorities that must vouch for members, where the owner wants that.
    func authorities(
        _ configuration: NodeConfiguration
    ) throws(OrganisationFileError) -> OrganisationAuthorities? {
        guard let file = configuration.tls?.organisationCA else { return nil }
        let (pem, path) = try read(file)
        return try OrganisationAuthorities(pem: pem, path: path)
    }

    /// What this node presents behind its leaf, read anew for each.
    func organisationChain(
        _ configuration: NodeConfiguration, of node: NodeID
    ) throws(OrganisationFileError) -> OrganisationChain? {
        guard let file = configuration.tls?.certificate else { return nil }
        let (pem, path) = try read(file)
        return try OrganisationChain(pem: pem, path: path, node: node)
    }

    /// Whether the organisation has certified this key, where it has to.
    func isCertified(_ configuration: NodeConfiguration, _ node: NodeID) -> Bool {
        guard configuration.tls?.certificate != nil else { return true }
        return (try? organisationChain(configuration, of: node)) != nil
    }

    /// Presents a leaf of `key`, with what the organisation says of it.
    func client(
        as key: IdentityKey, _ mesh: MeshID, _ configuration: NodeConfiguration,
        _ group: any EventLoopGroup
    ) throws -> MeshClient {
        let leaf = try LeafIssuer(
            identity: key, mesh: mesh, directory: try identityDirectory(),
            organisation: { try organisationChain(configuration, of: key.publicKey) }
        ).issue()
        return MeshClient(
            identity: leaf, eventLoopGroup: group, authorities: try authorities(configuration))
    }

    private func read(
        _ file: String
    ) throws(OrganisationFileError) -> (pem: String, path: String) {
        let path = file.hasPrefix("/") ? file : self.path + "/" + file
        do {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
            return (String(decoding: bytes, as: UTF8.self), path)
        } catch { throw .unreadable(path: path, reason: "\(error)") }
    }
}
