package import AegisCore
import SwiftASN1
import X509

/// What a principal may do at the admin API.
package enum AdminRole: String, CaseIterable, Sendable {
    case admin, `operator`, auditor, viewer
}

package enum AdminUserError: Error, Hashable, Sendable {
    case malformedCertificate
    case otherMesh(String)
    case unknownRole(String)
    /// Not exactly one user and one role.
    case notAUserCertificate
}

/// A person or program at the admin API, as its certificate says. Only worth something once the
/// TLS handshake has checked the certificate against the admin plane's authority.
package struct AdminUser: Hashable, Sendable {
    package let name: String
    package let role: AdminRole

    package init(name: String, role: AdminRole) {
        self.name = name
        self.role = role
    }

    func uris(in mesh: MeshID) -> [String] {
        ["aegis://\(mesh)/user/\(name)", "aegis://\(mesh)/role/\(role.rawValue)"]
    }

    package init(leafDER: [UInt8], mesh: MeshID) throws(AdminUserError) {
        guard leafDER.count <= PeerCertificate.bytesMax else { throw .malformedCertificate }
        let names: SubjectAlternativeNames?
        do {
            names = try Certificate(derEncoded: leafDER).extensions.subjectAlternativeNames
        } catch { throw .malformedCertificate }
        var users: [String] = []
        var roles: [String] = []
        for case .uniformResourceIdentifier(let uri) in names ?? SubjectAlternativeNames([]) {
            let parts = uri.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 5, parts[0] == "aegis:", parts[1].isEmpty else { continue }
            guard parts[2] == mesh.description else { throw .otherMesh(String(parts[2])) }
            if parts[3] == "user" { users.append(String(parts[4])) }
            if parts[3] == "role" { roles.append(String(parts[4])) }
        }
        guard users.count == 1, roles.count == 1, Names.isValid(users[0]) else {
            throw .notAUserCertificate
        }
        guard let role = AdminRole(rawValue: roles[0]) else { throw .unknownRole(roles[0]) }
        self.init(name: users[0], role: role)
    }
}
