import AegisAPI
import AegisAdmin
import AegisCore
import AegisIdentity
import AegisTelemetry
import Foundation
import NIOHTTP1
import Testing

/// The table in the server's own code, every row of it, against everybody who may come.
@Suite("Every route for every principal", .timeLimit(.minutes(3))) struct RouteMatrixTests {
    /// A path that leads nowhere real, so that an allowed call changes nothing.
    private func path(_ route: Route) -> String {
        route.path.split(separator: "/").map { $0.hasPrefix("{") ? "nobody" : String($0) }
            .reduce("") { $0 + "/" + $1 }.nonEmpty
    }

    private func method(_ route: Route) -> HTTPMethod {
        HTTPMethod(rawValue: route.method.rawValue)
    }

    private func body(_ route: Route) -> String? {
        // Malformed: whoever is let in is told so, and nothing happens.
        route.method == .post || route.method == .patch ? "[" : nil
    }

    @Test(
        "a role may do what its permissions say and gets 403 for the rest",
        arguments: AdminRole.allCases)
    func roles(role: AdminRole) async throws {
        try await RunningAdmin.with { admin in
            let certificate = try await admin.issue("u-" + role.rawValue, role)
            try await admin.session(certificate) { session in
                for route in RouteTable.admin.routes where !route.traits.contains(.stream) {
                    let answer = try await session.call(method(route), path(route), body(route))
                    let allowed = route.permission.roles.contains(role)
                    #expect(
                        (answer.status != 403) == allowed,
                        "\(role) \(route.method) \(route.path): \(answer.status)")
                    #expect(answer.requestID?.count == 16)
                    if !allowed, !route.traits.contains(.page) {
                        let problem = try AegisAPI.decode(Problem.self, from: answer.body)
                        #expect(problem.type == "urn:aegis:problem:forbidden")
                    }
                }
            }
        }
    }

    @Test("a disabled user, a revoked certificate and one that was never issued get nowhere")
    func outsiders() async throws {
        try await RunningAdmin.with { admin in
            let gone = try await admin.issue("gone", .admin)
            let user = try await admin.users.stored("gone")
            try await admin.users.change(user, role: nil, disabled: true, now: Timestamp.now())
            let lost = try await admin.issue("lost", .admin)
            let fingerprint = try await admin.users.stored("lost").certificates[0].fingerprint
            try await admin.users.revoke(fingerprint, of: "lost", now: Timestamp.now())
            // Signed by the authority, but not through this admin.
            let minted = RunningAdmin.ClientCertificate(
                try admin.folder.authority.issueUser(
                    AdminUser(name: "mallory", role: .admin), now: Timestamp.now() / 1_000))
            for (certificate, status) in [(gone, 403), (lost, 401), (minted, 401)] {
                try await admin.session(certificate) { session in
                    for route in RouteTable.admin.routes {
                        let answer = try await session.call(
                            method(route), path(route), body(route))
                        #expect(answer.status == status, "\(route.method) \(route.path)")
                    }
                }
            }
        }
    }

    @Test("without a certificate, or with a foreign one, there is no connection at all")
    func strangers() async throws {
        try await RunningAdmin.with { admin in
            let now = Timestamp.now() / 1_000
            let foreign = RunningAdmin.ClientCertificate(
                try CertificateAuthority.create(
                    mesh: admin.folder.mesh, meshName: "hospitals", now: now
                ).issueUser(AdminUser(name: "ada", role: .admin), now: now))
            for certificate in [nil, foreign] {
                for route in RouteTable.admin.routes {
                    await #expect(throws: (any Error).self, "\(route.path)") {
                        _ = try await admin.call(
                            method(route), path(route), body(route), as: certificate)
                    }
                }
            }
        }
    }

    @Test("a disabling takes effect on the connection that is open")
    func atOnce() async throws {
        try await RunningAdmin.with { admin in
            let olga = try await admin.issue("olga", .operator)
            try await admin.session(olga) { session in
                #expect(try await session.call(.GET, "/api/v1/runs").status == 200)
                let user = try await admin.users.stored("olga")
                try await admin.users.change(user, role: .viewer, disabled: nil, now: noon)
                #expect(try await session.call(.GET, "/api/v1/participants").status == 403)
                let changed = try await admin.users.stored("olga")
                try await admin.users.change(changed, role: nil, disabled: true, now: noon)
                #expect(try await session.call(.GET, "/api/v1/runs").status == 403)
            }
        }
    }

    @Test("operations have names of their own, and every permission is used")
    func table() {
        let routes = RouteTable.admin.routes
        let operations = routes.filter { !$0.traits.contains(.page) }
        #expect(Set(operations.map(\.operationID)).count == operations.count)
        #expect(Set(routes.map(\.permission)) == Set(Permission.allCases))
        #expect(Set(routes.map { $0.method.rawValue + $0.path }).count == routes.count)
    }

    @Test("each operation is in the OpenAPI document and each of the document's is served")
    func document() throws {
        guard case .object(let document) = OpenAPIDocument.document,
            case .object(let paths)? = document["paths"]
        else { throw Missing() }
        var documented: Set<String> = []
        for (path, item) in paths {
            guard case .object(let item) = item else { continue }
            for method in item.keys where method != "parameters" {
                documented.insert(method.uppercased() + " " + path)
            }
        }
        let served = RouteTable.admin.routes.filter { !$0.traits.contains(.page) }
            .map { $0.method.rawValue + " " + $0.path }
        #expect(documented == Set(served))
    }

    @Test("every example of a body is one that its schema takes")
    func examples() {
        for route in RouteTable.admin.routes {
            guard let body = route.body else { continue }
            #expect(body.schema.faults(body.example).isEmpty, "\(route.path)")
        }
    }
}

extension String {
    fileprivate var nonEmpty: String { isEmpty ? "/" : self }
}
