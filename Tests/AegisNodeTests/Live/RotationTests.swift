import AegisAPI
import AegisCore
import AegisIdentity
import AegisNode
import AegisProtocol
import AegisStore
import AegisTransport
import Testing

@Suite("A node's TLS key")
struct RotationTests {
    @Test("is renewed on every node while a run goes on, and no round is lost")
    func duringRun() async throws {
        let rounds = 40
        let mesh = try TestMesh(members: 3)
        try await withNodes(mesh, mesh.members) { nodes, admin in
            try await admin.post(
                mesh.command(.start(Sample.specification(rounds: rounds))), to: nodes)
            for (index, node) in nodes.enumerated() {
                try await eventually("round \(5 * index + 3) is decided") {
                    try await admin.status(of: node)?.rounds.count ?? 0 >= 5 * index + 3
                }
                #expect(try await admin.status(of: node)?.run != nil, "the run is over")
                node.renewal.ask()
            }
            let statuses = try await admin.finished(nodes, rounds: rounds)
            expectSameModels(statuses, rounds: rounds)
            #expect(statuses.flatMap(\.faults) == [])
            #expect(statuses.flatMap { $0.rounds.map(\.view) }.allSatisfy { $0 == 0 })
            try await eventually("each has a new key") {
                nodes.allSatisfy { node in
                    node.log.lines.contains { $0.message == "TLS key renewed" }
                }
            }
            // Peers and the admin, which has pinned the first leaves, go on with the new ones.
            #expect(try await admin.statuses(of: nodes).count == 3)
        }
        for member in mesh.members {
            let check = try NodeCheck(member.directory)
            #expect(check.faults.isEmpty)
        }
    }

    @Test("that was replaced is refused after a restart too")
    func staleAfterRestart() async throws {
        let mesh = try TestMesh(members: 3)
        let (server, thief) = (mesh.members[0], mesh.members[1])
        let now = WallClock.seconds()
        func leaf(_ sequence: UInt64) throws -> TLSIdentity {
            try TLSIdentity.issue(
                for: thief.key, mesh: mesh.mesh, sequence: sequence, now: now)
        }
        let (old, new) = (try leaf(7), try leaf(8))
        try await withNodes(mesh, [server]) { _, _ in
            #expect(await outcome(of: new, at: server) == nil)
            #expect(await outcome(of: old, at: server) == .refusedByPeer(server.node))
        }
        try await withNodes(mesh, [server]) { _, _ in
            #expect(await outcome(of: old, at: server) == .refusedByPeer(server.node))
            #expect(await outcome(of: new, at: server) == nil)
        }
    }

    private func outcome(
        of leaf: TLSIdentity, at member: TestMesh.Member
    ) async -> MeshClientError? {
        let client = MeshClient(identity: leaf, eventLoopGroup: AdminClient.group)
        await client.setPeers([member.node: member.address])
        let result: MeshClientError?
        do throws(MeshClientError) {
            _ = try await client.get("/mesh/v1/status", from: member.node)
            result = nil
        } catch { result = error }
        await client.shutdown()
        return result
    }
}
