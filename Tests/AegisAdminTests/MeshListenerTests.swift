import AegisAPI
import AegisAdmin
import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisTelemetry
import AegisTransport
import NIOHTTP1
import NIOPosix
import Testing

@Suite("The admin's mesh listener over real TLS", .timeLimit(.minutes(3)))
struct MeshListenerTests {
    /// A node with a client of its own, connected to whoever answers as the admin.
    private struct Visitor {
        let node: TestNode
        let client: MeshClient
        let admin: NodeID

        init(_ admin: RunningAdmin) async throws {
            node = try TestNode(mesh: admin.folder.mesh, now: Timestamp.now())
            client = MeshClient(
                identity: node.tls, eventLoopGroup: MultiThreadedEventLoopGroup.singleton)
            let address = MeshAddress(host: "127.0.0.1", port: admin.mesh)
            self.admin = try await client.discover(at: address).node
            await client.setAddress(address, of: self.admin)
        }

        func join(_ token: JoinToken) async throws -> String {
            let offer = try await client.get("/mesh/v1/founding", from: admin)
            let request = try Joiner(token: token, identity: node.identity, tls: node.tls).prepare(
                offer: offer, presentedLeafDER: nil, name: "", address: "127.0.0.1:9001",
                now: Timestamp.now() / 1_000)
            let reply = try await client.post("/mesh/v1/join", body: request.body, to: admin)
            var fields = try CBORFields(decoding: reply.body)
            return try fields.text(1)
        }
    }

    private func token(_ name: String, _ admin: RunningAdmin) async throws -> JoinToken {
        let made = try await admin.call(
            .POST, "/api/v1/join-tokens", #"{"name": "\#(name)"}"#,
            as: try await admin.issue("olga", .operator))
        let created = try AegisAPI.decode(JoinTokenCreated.self, from: made.body)
        return try JoinToken(parsing: created.token, now: Timestamp.now() / 1_000)
    }

    @Test("a node joins, signs the genesis, and the mesh is founded")
    func founding() async throws {
        try await RunningAdmin.with { admin in
            let visitor = try await Visitor(admin)
            #expect(visitor.admin == admin.folder.identity.publicKey)
            let token = try await token("north", admin)
            await #expect(
                throws: MeshClientError.status(
                    visitor.admin, 403, problem: "urn:aegis:problem:forbidden")
            ) { _ = try await visitor.client.get("/mesh/v1/genesis", from: visitor.admin) }
            #expect(try await visitor.join(token) == "north")

            let thief = try await Visitor(admin)
            await #expect(
                throws: MeshClientError.status(
                    thief.admin, 409, problem: "urn:aegis:problem:token-used")
            ) { _ = try await thief.join(token) }

            let ada = try await admin.issue("ada", .admin)
            let found = try await admin.call(.POST, "/api/v1/mesh/found", "{}", as: ada)
            #expect(found.status == 202)
            let waiting = try AegisAPI.decode(MeshView.self, from: found.body)
            #expect(waiting.state == .signing)
            #expect(waiting.waitingFor == ["north"])
            var answer = try CBORFields(
                decoding: try await visitor.client.get("/mesh/v1/genesis", from: visitor.admin))
            #expect(try answer.text(1) == "signing")
            _ = try await visitor.client.post(
                "/mesh/v1/genesis-signatures",
                body: visitor.node.sign(try answer.bytes(2)), to: visitor.admin)
            let shown = try await admin.call(.GET, "/api/v1/mesh", as: ada)
            let mesh = try AegisAPI.decode(MeshView.self, from: shown.body)
            #expect(mesh.state == .founded)
            #expect(mesh.quorum == 1)
            let genesis = try await admin.call(.GET, "/api/v1/mesh/genesis", as: ada)
            let document = try GenesisDocument(decoding: genesis.body)
            #expect(
                try GenesisVerifier().verify(document).roster.nodes == [
                    visitor.node.identity.publicKey
                ])
            await visitor.client.shutdown()
            await thief.client.shutdown()
        }
    }
}
