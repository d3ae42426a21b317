package import AegisAPI
package import ArgumentParser
package import Foundation

package struct NodeStatusCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Shows what each node believes, and for whom it waits.",
        discussion: "Example:\n  aegis node status north --watch")

    @Argument(help: "A node's name or id; all where it is not given.") package var node: String?
    @OptionGroup package var watch: WatchOptions
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        let wanted = node
        try await common.show(
            watch: watch, { try await $0.sendAll("/participants") },
            as: Items<ParticipantView>.self
        ) { Self.text($0.items, of: wanted, at: Date()) }
    }

    /// A line a node: `north: round 12 of 40 of readmission, view 0, height 14: waiting for 2 of 5:
    /// lakeside (no answer for 8 s), harbour (training, 40 %)`; below it, why it could not take
    /// part in a decision now: `not ready: reaches 1 of 5, needs 4; …`.
    package static func text(
        _ nodes: [ParticipantView], of wanted: String?, at now: Date
    ) -> String {
        let shown = nodes.filter { wanted == nil || $0.name == wanted || $0.node == wanted }
        guard !shown.isEmpty else { return "there is no such node\n" }
        return shown.map { node in
            let reasons = node.reachable ? node.status?.notReady ?? [] : []
            return line(node, among: nodes, at: now) + "\n"
                + reasons.map { "  not ready: \($0)\n" }.joined()
        }.joined()
    }

    private static func line(
        _ node: ParticipantView, among nodes: [ParticipantView], at now: Date
    ) -> String {
        guard node.reachable, let status = node.status else {
            return "\(node.name): \(silence(of: node, at: now))"
        }
        if let height = status.forkHeight {
            return "\(node.name): stopped for good: height \(height) has two certified values; "
                + "compare the nodes' evidence"
        }
        let place = "view \(status.view), height \(status.height), " + finality(of: status)
        guard let run = status.run else {
            return "\(node.name): \(status.state.rawValue), \(place)"
        }
        var text =
            "\(node.name): round \(run.round) of \(run.rounds) of \(run.name), \(place): "
            + words(for: run, among: nodes)
        if !run.waitingFor.isEmpty {
            let who = run.waitingFor.map { name in
                guard let peer = nodes.first(where: { $0.name == name }) else { return name }
                return name + (reason(of: peer, at: now).map { " (\($0))" } ?? "")
            }
            text +=
                ", waiting for \(run.waitingFor.count) of \(nodes.count): "
                + who.joined(separator: ", ")
        }
        return text
    }

    /// `final (resists 3 traitors)`, or what is final yet and who has not co-signed the rest.
    private static func finality(of status: NodeStatus) -> String {
        guard let final = status.final else { return "nothing final yet" }
        guard final.height < status.height else { return final.words }
        let names = status.notCoSigned ?? []
        let missing = names.isEmpty ? "" : ", not co-signed by \(names.joined(separator: ", "))"
        return "final up to \(final.height)" + missing
    }

    private static func words(
        for run: NodeStatus.RunProgress, among nodes: [ParticipantView]
    ) -> String {
        let coordinator = nodes.first { $0.node == run.coordinator }?.name ?? "the coordinator"
        switch run.phase {
        case "training":
            return run.progress > 0 && run.progress < 1
                ? "training, \(Int(run.progress * 100)) %" : "collecting updates"
        case "proposal": return "has said what it holds, \(coordinator) is to propose"
        case "checking": return "computes what \(coordinator) proposes"
        case "firstVote", "secondVote": return "has voted"
        case "election": return "gave up on a coordinator, \(coordinator) would be next"
        case "greeting": return "has just started, asks the others what they saw of it"
        case "silent":
            return "signs nothing for a few heights: its disk had forgotten"
                + (nodes.count == 2 ? "; of two, none comes: the mesh must be founded anew" : "")
        case "observing": return "follows without a vote"
        case "halted": return "halted: a fork was proved"
        default: return run.phase
        }
    }

    /// Why others may wait for it, as far as the admin knows.
    private static func reason(of node: ParticipantView, at now: Date) -> String? {
        guard node.reachable, let status = node.status else { return silence(of: node, at: now) }
        guard let run = status.run, run.phase == "training" else { return nil }
        return run.progress > 0 && run.progress < 1
            ? "training, \(Int(run.progress * 100)) %" : nil
    }

    private static func silence(of node: ParticipantView, at now: Date) -> String {
        let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        guard let seen = node.lastSeen, let date = try? format.parse(seen) else {
            return "never answered"
        }
        return "no answer for \(max(0, Int(now.timeIntervalSince(date)))) s"
    }
}
