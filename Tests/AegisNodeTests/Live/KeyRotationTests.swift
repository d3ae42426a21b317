import AegisAPI
import AegisCore
import AegisCrypto
import AegisIdentity
import AegisNode
import AegisProtocol
import AegisTransport
import Testing

@Suite("A node's identity key")
struct KeyRotationTests {
    @Test("is replaced while a run goes on: the others lose no round, the node takes part again")
    func duringRun() async throws {
        let rounds = 150
        let mesh = try TestMesh(members: 3)
        let (changing, others) = (mesh.members[0], mesh.members[1...])
        var fresh: NodeID?
        try await withNodes(mesh, mesh.members) { nodes, admin in
            try await admin.post(
                mesh.command(.start(Sample.specification(rounds: rounds))), to: nodes)
            try await eventually("the run goes on") {
                try await admin.status(of: nodes[1])?.rounds.count ?? 0 >= 3
            }
            let outcome = try await KeyRotation(changing.directory).rotate()
            guard case .replaced(let new) = outcome else {
                Issue.record("\(outcome)")
                return
            }
            fresh = new
            let statuses = try await admin.finished(Array(nodes[1...]), rounds: rounds)
            expectSameModels(statuses, rounds: rounds)
            let last = try #require(statuses.first?.rounds.last)
            #expect(last.participants.count == 3)
            #expect(last.participants.contains(new.text))
            #expect(!last.participants.contains(changing.node.text))
            // The old key is gone: its leaf is refused by all.
            await admin.client.setAddress(changing.address, of: new)
            try await eventually("it serves under the new key") {
                (try? await admin.client.get("/mesh/v1/status", from: new)) != nil
            }
        }
        let check = try NodeCheck(changing.directory)
        #expect(check.node == fresh?.text)
        #expect(check.faults.isEmpty)
        for member in others {
            let check = try NodeCheck(member.directory)
            #expect(check.faults.isEmpty)
        }
    }

    @Test("of a node that is stopped is replaced when it runs again; asking twice changes nothing")
    func stopped() async throws {
        let mesh = try TestMesh(members: 3)
        let changing = mesh.members[2]
        guard case .prepared(let first) = try await KeyRotation(changing.directory).rotate(),
            case .prepared(let again) = try await KeyRotation(changing.directory).rotate()
        else {
            Issue.record("it is not running")
            return
        }
        #expect(first == again)
        try await withNodes(mesh, mesh.members) { _, admin in
            try await eventually("the folder has the new key") {
                try changing.directory.identityDirectory().describeKey().node == first
            }
            await admin.client.setAddress(changing.address, of: first)
            try await eventually("it serves under it") {
                (try? await admin.client.get("/mesh/v1/status", from: first)) != nil
            }
        }
        #expect(try NodeCheck(changing.directory).faults == [])
    }
}
