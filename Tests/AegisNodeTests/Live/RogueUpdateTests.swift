import AegisAPI
import AegisCore
import AegisCrypto
import AegisNode
import AegisProtocol
import AegisStore
import TestFolders
import Testing

/// A wrong update of a participant with a valid identity, and what the others must say of it.
private enum BadUpdate: CaseIterable {
    case notFinite, wrongShape, normAboveBound, garbage, lyingServer, second

    /// Part of the reason.
    var reason: String {
        switch self {
        case .notFinite: "a value at 5 that is not finite"
        case .wrongShape: "the update has 32 parameters, the model 64"
        case .normAboveBound: "is above the declared bound 1.0"
        case .garbage: "no safetensors file of ours"
        case .lyingServer: "gave other bytes than announced: digestMismatch"
        case .second: "update(AegisProtocol.UpdateRefusal.second)"
        }
    }

    /// What to send for this round. Where it is one update, it is good but for this.
    func statements(_ rogue: Rogue, _ run: ActiveRun) throws -> [[UInt8]] {
        switch self {
        case .notFinite:
            var values = goodValues(run.round)
            values[5] = .nan
            return [rogue.update(try rogue.blob(values), of: run).bytes]
        case .wrongShape:
            let values = Array(goodValues(run.round).prefix(32))
            return [rogue.update(try rogue.blob(values), of: run).bytes]
        case .normAboveBound:
            let values = goodValues(run.round).map { $0 * 1_000 }
            return [rogue.update(try rogue.blob(values), of: run).bytes]
        case .garbage:
            let bytes = [UInt8](repeating: UInt8(run.round), count: 400)
            let blob = try #require(
                UpdateBlob(digest: try rogue.blobs.write(bytes), byteCount: 400))
            return [rogue.update(blob, of: run).bytes]
        case .lyingServer:
            let blob = try rogue.blob(goodValues(100 + run.round))
            let path = "\(rogue.blobs.directory)/\(blob.digest.hexadecimal)"
            try Files.damage(path, at: Int(blob.byteCount) - 3)
            return [rogue.update(blob, of: run).bytes]
        case .second:
            return try [1, 2].map {
                rogue.update(try rogue.blob(goodValues($0)), of: run).bytes
            }
        }
    }
}

@Suite("Updates of a participant that doesn't keep to the rules")
struct RogueUpdateTests {
    private static let rounds = 9

    @Test("each is refused by every node with its reason, and the rounds go on")
    func badUpdates() async throws {
        let mesh = try TestMesh(members: 4)
        let rogue = try await Rogue(mesh.members[3], in: mesh)
        try await withNodes(mesh, mesh.members.prefix(3)) { nodes, admin in
            let specification = Sample.specification(
                rounds: Self.rounds, softMilliseconds: 400)
            try await admin.post(mesh.command(.start(specification)), to: nodes)
            var lastRound = 0
            for fault in BadUpdate.allCases {
                try await provoke(fault, rogue, nodes, admin, after: &lastRound)
            }
            let statuses = try await admin.finished(nodes, rounds: Self.rounds)
            expectSameModels(statuses, rounds: Self.rounds)
            for status in statuses { checkParticipants(of: status, rogue) }
        }
        await rogue.stop()
    }

    /// Sends the fault in a round of its own until every node has refused it.
    private func provoke(
        _ fault: BadUpdate, _ rogue: Rogue, _ nodes: [LiveNode], _ admin: AdminClient,
        after lastRound: inout Int
    ) async throws {
        let name = rogue.member.name
        var round = lastRound
        let statuses = try await awaited("every node refuses \(fault)") {
            if let run = try await rogue.activeRun(), run.round > round {
                round = run.round
                try await rogue.send(try fault.statements(rogue, run))
            }
            let statuses = try await admin.statuses(of: nodes)
            return statuses.allSatisfy { status in
                status.refusals.contains { $0.peer == name && $0.reason.contains(fault.reason) }
            } ? statuses : nil
        }
        lastRound = round
        for (status, node) in zip(statuses, nodes) {
            for refusal in status.refusals where refusal.reason.contains(fault.reason) {
                #expect(refusal.peer == name, "\(fault): \(refusal)")
                #expect(node.log.refusals(of: name, reason: refusal.reason) == 1, "\(refusal)")
            }
        }
    }

    /// Only where it sent a good one beside a second may the rogue have been counted in.
    private func checkParticipants(of status: NodeStatus, _ rogue: Rogue) {
        let counted = status.rounds.filter { $0.participants.contains(rogue.member.node.text) }
        #expect(counted.count <= 1)
        #expect(status.rounds.allSatisfy { $0.participants.count >= 2 })
        #expect(Set(status.faults.map(\.peer)) == [rogue.member.name])
    }
}
