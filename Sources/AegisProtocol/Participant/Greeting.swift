import AegisCore

/// What a node that has just started waits for before it signs anything: what enough others have
/// seen of it (§2.11). Catches a disk that went back in time, and a copy of the machine.
struct Greeting: Sendable {
    /// The height that each participant has, once it has answered.
    var heights: [NodeID: UInt64] = [:]
    /// Whether a peer showed a signature of ours that our journal doesn't have.
    var isForgetful: Bool

    var answers: Int { heights.count }
    var highest: UInt64? { heights.values.max() }

    /// Only answers of participants count.
    mutating func keep(_ roster: Roster) {
        heights = heights.filter { roster.contains($0.key) }
    }
}

/// The last binding statement of a peer that came here: what a `HelloReply` shows it.
struct SeenStatement: Sendable {
    let height: UInt64
    let view: UInt32
    let rank: Int
    let envelope: SignedEnvelope

    /// It binds more than any vote of its height.
    private var isCoSign: Int { rank == 4 ? 1 : 0 }

    func precedes(_ other: SeenStatement) -> Bool {
        (height, isCoSign, view, rank) < (other.height, other.isCoSign, other.view, other.rank)
    }
}
