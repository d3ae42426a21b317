import AegisAPI
package import AegisCore
import AegisIdentity
import AegisProtocol
import AegisTelemetry
package import Hummingbird
import Logging
import NIOCore

/// The resources of `/api/v1`.
package struct AdminRoutes: Sendable {
    private let mesh: MeshID
    private let desk: FoundingDesk
    private let runs: RunDesk
    private let observer: MeshObserver
    /// host:port of the mesh listener, which joiners are told.
    private let listen: String

    package init(
        mesh: MeshID, desk: FoundingDesk, runs: RunDesk, observer: MeshObserver, listen: String
    ) {
        self.mesh = mesh
        self.desk = desk
        self.runs = runs
        self.observer = observer
        self.listen = listen
    }

    package func router() -> Router<AdminContext> {
        let router = Router(context: AdminContext.self)
        router.add(middleware: ProblemMiddleware())
        router.add(middleware: PrincipalMiddleware(mesh: mesh))
        router.add(middleware: AuditMiddleware(database: desk.database))
        let api = router.group(RouterPath(AegisAPI.basePath))
        api.get("health") { _, context in
            _ = try context.require(.readHealth)
            return try Response.json(HealthView(status: "up"))
        }
        addMembers(to: api)
        addRuns(to: api)
        return router
    }

    private func addMembers(to api: RouterGroup<AdminContext>) {
        api.post("join-tokens") { request, context in
            let principal = try context.require(.createToken)
            return try await createToken(request, by: principal)
        }
        api.get("join-tokens") { _, context in
            _ = try context.require(.readTokens)
            return try Response.json(Items(items: try await tokens()))
        }
        api.get("participants") { _, context in
            _ = try context.require(.readParticipants)
            return try Response.json(Items(items: try await participants()))
        }
        api.get("mesh") { _, context in
            _ = try context.require(.readMesh)
            return try Response.json(try await meshView())
        }
        api.get("mesh/genesis") { _, context in
            _ = try context.require(.readMesh)
            guard let document = try await desk.database.genesis()?.document else {
                throw Problem(.meshOpen)
            }
            return Response.bytes(document, type: "application/cbor")
        }
        api.post("mesh/found") { request, context in
            _ = try context.require(.foundMesh)
            let faults = FaultList()
            FieldReader(try await request.document(), faults: faults).finish()
            guard faults.faults.isEmpty else {
                throw Problem(.invalidRequest, faults: faults.faults)
            }
            try await desk.found()
            return try Response.json(try await meshView(), status: .accepted)
        }
    }

    private func addRuns(to api: RouterGroup<AdminContext>) {
        api.post("runs") { request, context in
            let principal = try context.require(.submitRun)
            let run = try await runs.submit(
                try await request.document(), by: principal.name, now: Timestamp.now())
            return try Response.json(run, status: .created)
        }
        api.get("runs") { _, context in
            _ = try context.require(.readRuns)
            return try Response.json(Items(items: try await runs.list()))
        }
        api.get("runs/:run") { _, context in
            _ = try context.require(.readRuns)
            return try Response.json(try await runs.view(try runName(context)))
        }
        api.get("runs/:run/rounds") { _, context in
            _ = try context.require(.readRuns)
            return try Response.json(Items(items: try await runs.rounds(try runName(context))))
        }
        api.get("runs/:run/certificates") { _, context in
            _ = try context.require(.readEvidence)
            return try Response.json(
                Items(items: try await runs.certificates(try runName(context))))
        }
        api.get("runs/:run/model") { _, context in
            _ = try context.require(.readModel)
            return try await model(try runName(context))
        }
        api.post("runs/:run/stop") { request, context in
            let principal = try context.require(.stopRun)
            let faults = FaultList()
            var fields = FieldReader(try await request.document(), faults: faults)
            let reason = fields.text("reason", "text of 1 to 64 bytes") {
                (1...Limits.nameBytesMax).contains($0.utf8.count)
            }
            fields.finish()
            guard faults.faults.isEmpty, let reason else {
                throw Problem(.invalidRequest, faults: faults.faults)
            }
            let run = try await runs.stop(
                try runName(context), reason: reason, by: principal.name, now: Timestamp.now())
            return try Response.json(run, status: .accepted)
        }
    }

    private func runName(_ context: AdminContext) throws -> String {
        try context.parameters.require("run")
    }

    private func createToken(_ request: Request, by principal: AdminUser) async throws -> Response {
        let faults = FaultList()
        var fields = FieldReader(try await request.document(), faults: faults)
        let name = fields.text(
            "name", "1 to 64 of a-z, 0-9, -, _ and . beginning with a letter or digit",
            where: Names.isValid)
        let seconds = fields.integer(
            "expires_seconds", in: 1...FoundingDesk.tokenSecondsMax, default: 3_600)
        fields.finish()
        guard faults.faults.isEmpty, let name, let seconds else {
            throw Problem(.invalidRequest, faults: faults.faults)
        }
        let token = try await desk.createToken(
            name: name, seconds: seconds, by: principal.name, now: Timestamp.now())
        return try Response.json(
            JoinTokenCreated(
                id: token.idText, name: name, token: token.secretText,
                expiresAt: Timestamp.text(token.notAfter * 1_000), admin: listen),
            status: .created)
    }

    private func tokens() async throws -> [JoinTokenView] {
        let now = Timestamp.now() / 1_000
        return try await desk.database.grants().map { stored in
            let grant = stored.grant
            let state: JoinTokenView.State =
                grant.usedBy != nil ? .used : now > grant.notAfter ? .expired : .unused
            return JoinTokenView(
                id: Hexadecimal.encode(grant.tokenID), name: grant.name, state: state,
                createdAt: Timestamp.text(stored.createdAt), createdBy: stored.createdBy,
                expiresAt: Timestamp.text(grant.notAfter * 1_000), usedBy: grant.usedBy?.text)
        }
    }

    private func participants() async throws -> [ParticipantView] {
        let seen = await observer.nodes()
        return try await desk.database.participants().map { participant in
            let node = seen[participant.entry.node]
            return ParticipantView(
                node: participant.entry.node.text, name: participant.entry.name,
                address: participant.entry.address,
                joinedAt: Timestamp.text(participant.joinedAt),
                reachable: node?.reachable ?? false,
                lastSeen: node?.lastSeen.map(Timestamp.text), status: node?.status)
        }
    }

    private func meshView() async throws -> MeshView {
        let founding = desk.founding.statement
        let participants = try await desk.database.participants()
        let progress = try await desk.database.genesis()
        let waiting = participants.filter { progress?.signed.contains($0.entry.node) == false }
        let roster = try progress.map { try GenesisStatement(payload: $0.payload).roster }
        let chain = try await observer.chain()
        return MeshView(
            mesh: founding.mesh.description, name: founding.name,
            state: progress == nil ? .open : progress?.document == nil ? .signing : .founded,
            admin: founding.admin.text, participants: participants.count,
            waitingFor: progress?.document == nil ? waiting.map(\.entry.name) : [],
            quorum: roster?.quorum, faultTolerance: roster?.faultTolerance,
            strictThree: founding.policy.strictThree,
            viewTimeoutMilliseconds: founding.policy.viewTimeoutMilliseconds,
            height: chain?.state.height ?? 0, genesisDigest: chain?.genesis.description,
            fork: chain?.fork)
    }

    private func model(_ name: String) async throws -> Response {
        let model = try await runs.model(name)
        return Response(
            status: .ok,
            headers: [
                .contentType: "application/octet-stream",
                .contentDisposition: "attachment; filename=\"model.safetensors\"",
                .contentLength: "\(model.bytes)",
            ],
            body: model.body)
    }
}
