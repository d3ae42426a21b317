package import AegisAPI
import AegisCore
package import AegisIdentity
package import Hummingbird
package import NIOCore
import NIOSSL

/// What a request of the admin API carries: who asks, under which number.
package struct AdminContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    package let channel: any Channel
    /// Names this request in the answer, the log and the audit.
    package let requestID: String
    /// Set by `PrincipalMiddleware` from the client's certificate, and by nothing else.
    package fileprivate(set) var principal: AdminUser?

    package init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
        requestID = Hexadecimal.encode(
            (0..<8).map { _ in UInt8.random(in: .min ... .max) })
    }

    /// The principal, if its role is in the table for `permission`.
    package func require(_ permission: Permission) throws(Problem) -> AdminUser {
        guard let principal else { throw Problem(.unauthenticated) }
        guard permission.roles.contains(principal.role) else {
            throw Problem(
                .forbidden,
                detail: "\(principal.name) is \(principal.role.rawValue); "
                    + "\(permission.rawValue) is for "
                    + permission.roles.map(\.rawValue).sorted().joined(separator: ", "))
        }
        return principal
    }
}

/// Who asks: the leaf that TLS has verified against the admin plane's authority.
struct PrincipalMiddleware: RouterMiddleware {
    let mesh: MeshID

    func handle(
        _ request: Request, context: AdminContext,
        next: @concurrent (Request, AdminContext) async throws -> Response
    ) async throws -> Response {
        let leaf = try? await context.channel.nioSSL_peerCertificate().get()
        guard let leaf else { throw Problem(.unauthenticated) }
        let user: AdminUser
        do { user = try AdminUser(leafDER: try leaf.toDERBytes(), mesh: mesh) } catch {
            throw Problem(.unauthenticated, detail: "\(error)")
        }
        var context = context
        context.principal = user
        return try await next(request, context)
    }
}
