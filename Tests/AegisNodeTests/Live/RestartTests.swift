import AegisAPI
import AegisCore
import AegisNode
import AegisProtocol
import AegisStore
import Glibc
import Testing

@Suite("A node that stops and starts again")
struct RestartTests {
    private static let rounds = 24

    @Test("it catches up in the middle of a run and is at the same height and tip")
    func catchesUp() async throws {
        let mesh = try TestMesh(members: 3)
        try await withNodes(mesh, mesh.members) { nodes, admin in
            try await admin.post(
                mesh.command(.start(Sample.specification(rounds: Self.rounds))), to: nodes)
            try await waitForRound(3, nodes[0], admin)
            await nodes[2].stop()
            let left = try await admin.status(of: nodes[0])
            #expect(left?.run != nil, "the run is over before its middle")
            try await waitForRound((left?.rounds.count ?? 0) + 2, nodes[0], admin)
            let again = LiveNode(mesh.members[2])
            let present = [nodes[0], nodes[1], again]
            let statuses: [NodeStatus]
            do { statuses = try await admin.finished(present, rounds: Self.rounds) } catch {
                await again.stop()
                throw error
            }
            await again.stop()
            #expect(Set(statuses.map { $0.rounds.last?.model }).count == 1)
            #expect(Set(statuses.map(\.height)) == [UInt64(Self.rounds) + 1])
            // Whoever is away for a while has done nothing wrong but come late.
            #expect(statuses.flatMap(\.faults).allSatisfy { $0.reason.contains("too late") })
        }
        let checks = try mesh.members.map { try NodeCheck($0.directory) }
        #expect(Set(checks.map(\.tip)).count == 1)
        for check in checks {
            #expect(check.faults.isEmpty)
            #expect(check.height == UInt64(Self.rounds) + 1)
            #expect(check.signedSlots > 0)
        }
    }

    private func waitForRound(
        _ round: Int, _ node: LiveNode, _ admin: AdminClient
    ) async throws {
        try await eventually("round \(round) is decided") {
            (try await admin.status(of: node)?.rounds.count ?? 0) >= round
        }
    }

    @Test("a second one on the same directory is refused")
    func secondIsRefused() async throws {
        let mesh = try TestMesh(members: 3)
        try await withNodes(mesh, mesh.members.prefix(1)) { nodes, admin in
            let second = NodeService(
                directory: mesh.members[0].directory, logger: LogRecorder().logger)
            do {
                try await second.run()
                Issue.record("two nodes of one identity")
            } catch let error as ProcessLockError {
                #expect(
                    error == .held(directory: mesh.members[0].directory.path, by: getpid()))
            }
            #expect(throws: ProcessLockError.self) {
                try NodeCheck(mesh.members[0].directory)
            }
            // The first one is none the worse for it.
            let status = try await admin.status(of: nodes[0])
            #expect(status?.state == .idle)
        }
        _ = try NodeCheck(mesh.members[0].directory)
    }
}
