package import AegisCore

/// What a rule made of the updates, and why.
package struct Aggregation: Hashable, Sendable {
    package let values: [Float]
    package let explanation: Explanation
}

/// Whom a rule heard: for the round's record, the API and the dashboard.
package struct Explanation: Hashable, Sendable {
    package struct Verdict: Hashable, Sendable {
        package let node: NodeID
        /// Whether its share is at least half of an equal share.
        package let isKept: Bool
        /// How much of the result comes from this update. The shares of a round sum to one, but
        /// for what a clipping rule leaves to its centre.
        package let share: Double
        /// The rule's own measure of this update; `ScoreMeaning` says of what.
        package let score: Double
    }

    /// In order of node id.
    package let verdicts: [Verdict]
    package let meaning: ScoreMeaning
    /// What a selecting rule picked: indices in order of node id, after the pre-steps (so of
    /// buckets where the updates were bucketed), ascending. Nil for rules that mix all.
    package let selected: [Int]?

    package var dropped: [NodeID] { verdicts.filter { !$0.isKept }.map(\.node) }
}

/// What the score of an update says.
package enum ScoreMeaning: String, Hashable, Sendable, CaseIterable {
    /// Its weight before division.
    case weight
    /// The part of the coordinates at which its value was left out, in a sample of blocks.
    case leftOut = "left out"
    /// Krum's sum of squared distances to its nearest neighbours: less is nearer.
    case neighbourDistance = "neighbour distance"
    /// Its distance from the result, or from the centre before the last step.
    case distance
    /// Its largest distance from an update that was kept.
    case diameter
    /// The cosine with the reference.
    case cosine
}
