import AegisCore
import AegisProtocol

/// A way through the states, for people.
struct ExplorerTranscript {
    private let world: ExplorerWorld

    init(_ world: ExplorerWorld) { self.world = world }

    func lines(of path: [ExplorerStep], from first: ExplorerState) -> [String] {
        var state = first
        var lines: [String] = []
        for (number, step) in path.enumerated() {
            let before = state.nodes[step.node].node
            let (after, _) = ExplorerChoices(world, state).node(after: step)
            state.nodes[step.node] = ExplorerLocal(
                after, Fingerprint(), views: world.setup.views, heights: world.setup.heights)
            let name = name(of: step.node)
            lines.append("\(number + 1). \(name) \(words(step))")
            for said in after.said
            where !before.said.contains(where: { $0.envelope == said.envelope }) {
                lines.append("     \(name) signs \(words(said))")
            }
            let (old, new) = (before.participant.bindings, after.participant.bindings)
            if new.height != old.height {
                lines.append("     \(name) commits height \(old.height)")
            } else if new.view != old.view {
                lines.append("     \(name) enters view \(new.view)")
            }
        }
        return lines
    }

    private func name(of index: Int) -> String {
        world.rules[0].roster.entries[index + world.setup.traitors].name
    }

    private func value(_ value: Int) -> String {
        world.values.indices.contains(value)
            ? "\(Character(UnicodeScalar(UInt8(97 + value % 26))))"
                + "(\(world.values[value].digest.short))"
            : "nothing"
    }

    private func words(_ step: ExplorerStep) -> String {
        switch step {
        case .proposal(_, let height, let view, let value, let outcome):
            "gets a proposal of \(self.value(value)) at \(height)/\(view)"
                + (outcome.map { ", elected by timeouts that name \(self.words($0))" } ?? "")
        case .certificate(_, let height, let view, let value):
            "gets a quorum's first votes for \(self.value(value)) at \(height)/\(view)"
        case .election(_, let height, let view, let outcome):
            "gets an election by timeouts of \(height)/\(view) that name \(words(outcome))"
        case .timeouts(_, let height, let view, let outcome):
            "gets timeouts of \(height)/\(view) that name \(words(outcome)), one by one"
        case .giveUp: "has waited long enough"
        case .lists(_, let height, let view, _): "gets a quorum's lists of \(height)/\(view)"
        case .commit(_, let height, let view, let value):
            "gets a quorum's second votes for \(self.value(value)) at \(height)/\(view)"
        }
    }

    private func words(_ outcome: ExplorerStep.Outcome) -> String {
        outcome.view < 0 ? "nothing" : "\(value(outcome.value)) of view \(outcome.view)"
    }

    private func words(_ said: ExplorerNode.Said) -> String {
        let place = "\(said.height)/\(said.view)"
        switch said.kind {
        case .vote1: return "a first vote for \(value(said.value)) at \(place)"
        case .vote2: return "a second vote for \(value(said.value)) at \(place)"
        case .timeout:
            return "a timeout of \(place)"
                + (said.namedView < 0
                    ? "" : " that names \(value(said.value)) of view \(said.namedView)")
        case .proposal: return "a proposal of \(value(said.value)) at \(place)"
        case .list: return "a list at \(place)"
        }
    }
}
