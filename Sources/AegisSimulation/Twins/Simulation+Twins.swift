import AegisCore
package import AegisProtocol

// The network of a schedule: what is said in a view reaches those who are in the same set. What
// brings everybody to the next view crosses the cut, late, so that the schedule goes on.
extension Simulation {
    /// Milliseconds that a timeout takes across a cut: long after the others of its set have it.
    private static var crossing: Int { 400 }

    /// Whether the schedule, while it lasts, lets `node`, in its view, reach `other`.
    func isJoined(_ node: Int, _ other: Int) -> Bool {
        !isFaulty || setup.schedule?.joins(node, other, in: nodes[node].view) ?? true
    }

    mutating func sendAsScheduled(_ statements: [Statement], from node: Int, to other: Int) {
        let isJoined = isJoined(node, other)
        let heard = isJoined ? statements : statements.filter(\.isOfElections)
        guard !heard.isEmpty else { return }
        let delay =
            (isJoined ? 1 : Self.crossing) + random[.network].below(options.delayMilliseconds + 1)
        queue.schedule(.deliver(heard, from: nodes[node].id, to: other), at: time + delay)
    }
}

extension Statement {
    /// What elects a coordinator, or lets a node that has just started take part.
    fileprivate var isOfElections: Bool {
        switch self {
        case .signed(let envelope): envelope.type == .timeout
        case .voteCertificate, .timeoutCertificate, .hello, .helloReply: true
        case .commit, .evidence, .finalCertificate, .fork: false
        }
    }
}

extension SimulationSetup {
    /// A mesh of four, say, whose first node runs twice, under a schedule and nothing else.
    package static func twins(
        _ schedule: TwinsSchedule, nodes: Int = 4, breaches: RuleBreaches = [],
        cryptography: any SimulationCryptography = SymbolicCryptography()
    ) -> SimulationSetup {
        var options = SimulationOptions(participants: nodes)
        options.twins = 1
        options.rounds = 1
        options.straggling = 0
        options.hinting = 0
        // Twice what the views take.
        options.faultMilliseconds = schedule.steps.indices.reduce(2_000) { sum, view in
            sum + (2_000 << min(view, 5))
        }
        return SimulationSetup(
            seed: 0, options: options, breaches: breaches, cryptography: cryptography,
            schedule: schedule)
    }
}
