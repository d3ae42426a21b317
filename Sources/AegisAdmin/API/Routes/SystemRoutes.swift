import AegisAPI
import AegisIdentity
import AegisProtocol
import AegisTelemetry

/// What the admin says of itself.
enum SystemRoutes {
    static let all: [Route] = [
        Route(
            .get, "/api/v1/health", .readStatus, tag: "system", "Whether the admin is up",
            answer: .init(200, .named("Health"), example: .object(["status": "up"]), "It is."),
            handler: { _, _ in try .json(HealthView(status: "up")) }),
        Route(
            .get, "/api/v1/version", .readStatus, tag: "system", "The admin's version",
            answer: .init(200, .named("Version"), "The version."),
            handler: { _, _ in try .json(VersionView(version: "0.1.0", api: "v1")) }),
        Route(
            .get, "/api/v1/whoami", .readStatus, tag: "system", "Who the certificate is of",
            answer: .init(200, .named("Principal"), "The caller."),
            handler: { _, call in
                let principal = call.principal
                return try .json(
                    PrincipalView(
                        name: principal.name, role: principal.role.rawValue,
                        permissions: Permission.of(principal.role),
                        fingerprint: principal.fingerprint,
                        expiresAt: Timestamp.text(principal.notAfter * 1_000)))
            }),
        Route(
            .get, "/metrics", .readStatus, tag: "system", "Counts for Prometheus",
            answer: .init(
                200, type: "text/plain", "Text format 0.0.4."),
            handler: { desks, _ in
                .bytes(
                    Array(desks.metrics.text(try await desks.meshMetrics()).utf8),
                    type: PrometheusText.contentType)
            }),
        Route(
            .get, "/openapi.json", .readStatus, tag: "system", "This document, OpenAPI 3.1",
            answer: .init(200, .any, "The document."),
            handler: { _, _ in .bytes(OpenAPIDocument.bytes, type: "application/json") }),
    ]
}

extension Permission {
    static func of(_ role: AdminRole) -> [String] {
        allCases.filter { $0.roles.contains(role) }.map(\.rawValue)
    }
}

extension Desks {
    func meshMetrics() async throws -> AdminMetrics.Mesh {
        let chain = try await observer.chain()
        let seen = await observer.nodes()
        let active = try await runs.active()
        return AdminMetrics.Mesh(
            height: chain?.state.height ?? 0, hasFork: chain?.fork != nil,
            nodes: try await database.participants().map { participant in
                let node = seen[participant.entry.node]
                return AdminMetrics.Mesh.Node(
                    name: participant.entry.name, isReachable: node?.reachable ?? false,
                    height: node?.status?.height,
                    residentMegabytes: node?.status?.peakResidentMegabytes,
                    privacy: (node?.status?.privacy ?? []).map {
                        ($0.dataset, $0.epsilon, $0.budgetEpsilon)
                    })
            },
            activeRun: active.map { ($0.name, $0.roundsCommitted) },
            auditRecords: try await database.auditHead().sequence,
            auditWitnessed: try await database.lastWitness()?.sequence ?? 0)
    }
}
