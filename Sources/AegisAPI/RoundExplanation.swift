/// Whom the rule of a round heard. Every node that computes the round comes to the same; each keeps
/// its own beside the commit, and the admin shows what most of them say.
package struct RoundExplanation: Codable, Hashable, Sendable {
    package struct Verdict: Codable, Hashable, Sendable {
        /// An id where a node says it, a name of the roster where the admin does.
        package var node: String
        /// Whether its share is at least half of an equal share.
        package var isKept: Bool
        /// The part of the result that comes from this update.
        package var share: Double
        /// The rule's own measure of it.
        package var score: Double

        package init(node: String, isKept: Bool, share: Double, score: Double) {
            self.node = node
            self.isKept = isKept
            self.share = share
            self.score = score
        }
    }

    /// With its pre-steps: `nnm+trimmed-mean`.
    package var rule: String
    /// What the scores say: `distance`, `left out`, …
    package var scoreMeaning: String
    /// In order of node id.
    package var verdicts: [Verdict]

    package init(rule: String, scoreMeaning: String, verdicts: [Verdict]) {
        self.rule = rule
        self.scoreMeaning = scoreMeaning
        self.verdicts = verdicts
    }

    package var dropped: [String] { verdicts.filter { !$0.isKept }.map(\.node) }
}

/// How often a rule left out what a participant gave.
package struct DropCount: Codable, Hashable, Sendable {
    package var peer: String
    /// Rounds in which its update was left out.
    package var dropped: Int
    /// Rounds in which it gave one and the rule's verdict is known.
    package var judged: Int

    package init(peer: String, dropped: Int, judged: Int) {
        self.peer = peer
        self.dropped = dropped
        self.judged = judged
    }

    /// Whether it is left out too often to be chance: in most of at least three rounds.
    package var isSuspicious: Bool { judged >= 3 && 2 * dropped > judged }

}

/// Counts the verdicts of one run's rounds.
package struct DropTally: Sendable {
    private var run: String?
    private var all: [String: DropCount] = [:]

    package init() {}

    /// Another run begins at zero. A round in which the rule left out more than half says nothing
    /// of anybody (Krum keeps one) and is not counted. Those whom this round makes suspicious are
    /// returned.
    @discardableResult
    package mutating func add(_ explanation: RoundExplanation, run: String) -> [DropCount] {
        if self.run != run { (self.run, all) = (run, [:]) }
        guard 2 * explanation.dropped.count <= explanation.verdicts.count else { return [] }
        return explanation.verdicts.compactMap { verdict in
            var count = all[verdict.node] ?? DropCount(peer: verdict.node, dropped: 0, judged: 0)
            let wasSuspicious = count.isSuspicious
            count.judged += 1
            if !verdict.isKept { count.dropped += 1 }
            all[verdict.node] = count
            return count.isSuspicious && !wasSuspicious ? count : nil
        }
    }

    /// Of those who were left out at least once, the most often first.
    package var counts: [DropCount] {
        all.values.filter { $0.dropped > 0 }
            .sorted { ($1.dropped, $0.peer) < ($0.dropped, $1.peer) }
    }
}
