import AegisCore
import AegisCrypto
import AegisIdentity
import AegisLearning
import AegisNode
import AegisProtocol
import AegisStore
import AegisTransport
import Testing

/// A participant with a valid place in the roster, a real listener and a signing key, that says
/// what a test wants it to. It never votes.
final class Rogue: Sendable {
    let member: TestMesh.Member
    let mesh: TestMesh
    let client: MeshClient
    let blobs: BlobStore
    let signer: EnvelopeSigner
    private let running: Task<Void, any Error>
    private let victims: [TestMesh.Member]

    /// Hears everything, answers nothing.
    private struct Deaf: MeshHandler {
        func received(
            statements: [[UInt8]], from peer: NodeID
        ) async -> StatementReception { .accepted }
    }

    init(_ member: TestMesh.Member, in mesh: TestMesh) async throws {
        self.member = member
        self.mesh = mesh
        let identity = try mesh.tls(member.key)
        client = MeshClient(identity: identity, eventLoopGroup: AdminClient.group)
        blobs = try BlobStore(directory: member.directory.blobsPath)
        signer = EnvelopeSigner(member.key)
        let server = try MeshServer(
            .init(address: member.address, mesh: mesh.mesh), identity: identity, blobs: blobs,
            handler: Deaf(), policy: { _ in .admitted(.participant) },
            eventLoopGroup: AdminClient.group, logger: LogRecorder().logger)
        running = Task { try await server.run() }
        victims = mesh.members.filter { $0.node != member.node }
        await client.setPeers(
            Dictionary(uniqueKeysWithValues: victims.map { ($0.node, $0.address) }))
        _ = try await server.boundAddress
    }

    func stop() async {
        running.cancel()
        _ = await running.result
        await client.shutdown()
    }

    /// To every other participant.
    func send(_ statements: [[UInt8]]) async throws {
        for victim in victims {
            try await client.post(statements: statements, to: victim.node)
        }
    }

    /// The run as the nodes have decided it so far; nil when there is none.
    func activeRun() async throws -> ActiveRun? {
        let body = try await client.get(
            "/mesh/v1/commits?from=1&count=64", from: victims[0].node,
            bytesMax: CommitList.bytesMax)
        return try mesh.rules.replay(CommitList.decode(body)).active
    }

    /// Stores values and describes them.
    func blob(_ values: [Float]) throws -> UpdateBlob {
        let shape = try #require(
            ModelShape(Sample.specification(.none(parameters: values.count))))
        let digest = try ModelFile.store(values, shape: shape, in: blobs)
        return try #require(try ModelFile.describe(digest, in: blobs))
    }

    /// What an honest participant would send, but for what `change` makes of it.
    func update(
        _ blob: UpdateBlob, of run: ActiveRun, by signer: EnvelopeSigner? = nil,
        _ change: (inout Draft) -> Void = { _ in }
    ) -> SignedEnvelope {
        var draft = Draft(
            mesh: mesh.mesh, node: member.node, specification: run.specification,
            base: run.model, expiresAt: (WallClock.seconds() + 600) * 1_000)
        change(&draft)
        let statement = UpdateStatement(
            mesh: draft.mesh, node: draft.node, specification: draft.specification,
            round: run.round, base: draft.base,
            draft: UpdateDraft(
                run: run.specification.run, round: run.round, base: draft.base, blob: blob,
                expiresAt: draft.expiresAt))
        return (signer ?? self.signer).sign(.update, statement.payload)
    }

    struct Draft {
        var mesh: MeshID
        var node: NodeID
        var specification: RunSpecification
        var base: Digest
        var expiresAt: UInt64
    }
}

/// Small values of a model of 64 parameters, other ones for each number.
func goodValues(_ number: Int = 0) -> [Float] {
    (0..<64).map { Float(($0 + number) % 7 - 3) / 1_024 }
}
