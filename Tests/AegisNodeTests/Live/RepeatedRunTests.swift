import AegisAPI
import AegisCore
import AegisNode
import AegisProtocol
import Testing

@Suite("A run after another")
struct RepeatedRunTests {
    @Test("with the same settings comes to the same models, and keeps them")
    func sameModels() async throws {
        let rounds = 6
        let mesh = try TestMesh(members: 3)
        try await withNodes(mesh, mesh.members) { nodes, admin in
            var models: [[String]] = []
            for number: UInt8 in 1...2 {
                let run = Sample.run(number)
                try await admin.post(
                    mesh.command(
                        .start(Sample.specification(run: run, rounds: rounds)),
                        sequence: UInt64(number)), to: nodes)
                let statuses = try await awaited("run \(number)", within: .seconds(60)) {
                    let statuses = try await admin.statuses(of: nodes)
                    let isDone = statuses.allSatisfy {
                        $0.run == nil && $0.rounds.count == rounds
                            && $0.rounds.allSatisfy { $0.run == run.description }
                    }
                    return isDone ? statuses : nil
                }
                expectSameModels(statuses, rounds: rounds)
                #expect(statuses.flatMap(\.faults) == [])
                models.append(statuses.first?.rounds.map(\.model) ?? [])
            }
            #expect(models[0] == models[1])
        }
    }
}
