import AegisAPI
import Foundation
import Testing
import aegis

@Suite("aegis node status")
struct NodeStatusTests {
    private let now = Date(timeIntervalSince1970: 1_772_357_408.25)

    private func node(
        _ name: String, phase: String? = "training", progress: Double = 1,
        waitingFor: [String] = [], lastSeen: String? = nil, final: UInt64? = 14
    ) -> ParticipantView {
        let run = phase.map {
            NodeStatus.RunProgress(
                id: "r", name: "readmission", round: 12, rounds: 40, phase: $0,
                progress: progress, coordinator: "id-north", waitingFor: waitingFor)
        }
        var status = NodeStatus(
            node: "id-" + name, name: name, version: "0.1.0", state: .training, height: 14,
            view: 0, peakResidentMegabytes: 60, run: run, privacy: [], refusals: [], rounds: [])
        status.final = final.map {
            FinalityView(height: $0, signatures: 4, participants: 5, resists: 2)
        }
        status.notCoSigned = final == 14 ? nil : ["harbour"]
        return ParticipantView(
            node: "id-" + name, name: name, address: "127.0.0.1:1",
            joinedAt: "2026-03-01T09:00:00.000Z", reachable: lastSeen == nil,
            lastSeen: lastSeen,
            status: status)
    }

    @Test("a node tells whom it waits for, and why those may be late")
    func waiting() {
        let nodes = [
            node("north", waitingFor: ["lakeside", "harbour"]),
            node("lakeside", lastSeen: "2026-03-01T09:30:00.250Z"),
            node("harbour", progress: 0.4), node("meadow"), node("forest", phase: nil),
        ]
        let text = NodeStatusCommand.text(nodes, of: "north", at: now)
        #expect(
            text == "north: round 12 of 40 of readmission, view 0, height 14, "
                + "final (resists 2 traitors): collecting updates, waiting for 2 of 5: "
                + "lakeside (no answer for 8 s), harbour (training, 40 %)\n")
        let all = NodeStatusCommand.text(nodes, of: nil, at: now).split(separator: "\n")
        #expect(all.count == 5)
        #expect(all[1] == "lakeside: no answer for 8 s")
        #expect(all[2].hasSuffix(": training, 40 %"))
        #expect(all[4] == "forest: training, view 0, height 14, final (resists 2 traitors)")
        let early = NodeStatusCommand.text(
            [node("meadow", phase: nil, final: 12)], of: nil, at: now)
        #expect(
            early == "meadow: training, view 0, height 14, final up to 12, "
                + "not co-signed by harbour\n")
        #expect(NodeStatusCommand.text(nodes, of: "x", at: now) == "there is no such node\n")
    }
}
