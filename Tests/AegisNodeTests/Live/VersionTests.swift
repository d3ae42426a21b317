import AegisAPI
import AegisCore
import AegisNode
import AegisProtocol
import AegisTransport
import Testing

@Suite("Nodes of different versions")
struct VersionTests {
    @Test(
        "take part in one run: the one before, which says nothing of versions, and the next",
        arguments: [1...1, 1...2, 2...3] as [ClosedRange<Int>])
    func neighbours(spoken: ClosedRange<Int>) async throws {
        let mesh = try TestMesh(members: 3)
        try await withNodes(mesh, mesh.members, spoken: ["north": spoken]) { nodes, admin in
            try await admin.post(
                mesh.command(.start(Sample.specification(rounds: 5))), to: nodes)
            let statuses = try await admin.finished(nodes, rounds: 5)
            expectSameModels(statuses, rounds: 5)
            #expect(statuses.flatMap(\.faults) == [])
            try await eventually("the others know its version") {
                let peers = try await admin.status(of: nodes[0])?.peers ?? []
                return peers.first { $0.name == "north" }?.protocolVersion == spoken.upperBound
            }
            let seen = try #require(try await admin.status(of: nodes[0]))
            #expect(seen.peers?.compactMap(\.away) == [])
            #expect(seen.notReady == [])
        }
    }

    @Test("that have none in common say so, and don't count each other")
    func strangers() async throws {
        let mesh = try TestMesh(members: 3)
        try await withNodes(mesh, mesh.members, spoken: ["north": 3...4]) { nodes, admin in
            try await eventually("it is told") {
                let peers = try await admin.status(of: nodes[0])?.peers ?? []
                return peers.first { $0.name == "north" }?.away
                    == "speaks protocol 3 to 4, this node 1 to 2"
            }
        }
    }

    @Test("what a node says of itself is read whatever a later version adds")
    func hello() throws {
        let hello = MeshHello(spoken: 1...2, capabilities: ["b", "a"], program: "1.0")
        #expect(try MeshHello(decoding: hello.encoded) == hello)
        #expect(hello.capabilities == ["a", "b"])
        let later = CBOR.fields([
            1: 7, 2: 2, 3: .array([.text("x")]), 4: .text("9"), 5: .text("new"), 6: .array([]),
        ]).encoded
        #expect(try MeshHello(decoding: later).spoken == 2...7)
        #expect(hello.common(with: 2...7) == 2)
        #expect(hello.common(with: 1...1) == 1)
        #expect(hello.common(with: 3...7) == nil)
        for bad in [
            CBOR.fields([1: 1, 2: 2, 3: .array([]), 4: .text("")]),
            CBOR.fields([1: 0, 2: 0, 3: .array([]), 4: .text("")]),
            CBOR.fields([1: 2, 2: 1, 3: .array([7]), 4: .text("")]),
            CBOR.fields([1: 2, 2: 1, 3: .array([CBOR](repeating: .text("x"), count: 65))]),
        ] {
            #expect(throws: (any Error).self) { try MeshHello(decoding: bad.encoded) }
        }
    }
}
