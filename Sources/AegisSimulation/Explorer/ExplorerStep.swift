/// What a traitor, the network or a timer may do next to one honest node.
enum ExplorerStep: Hashable, Sendable {
    /// A proposal for a value of this height in this view, justified by an election with this
    /// outcome.
    case proposal(node: Int, height: UInt64, view: Int, value: Int, Outcome?)
    /// First votes of a quorum, one by one.
    case certificate(node: Int, height: UInt64, view: Int, value: Int)
    /// Timeouts of a quorum, together or one by one.
    case election(node: Int, height: UInt64, view: Int, Outcome)
    case timeouts(node: Int, height: UInt64, view: Int, Outcome)
    /// The view's timer.
    case giveUp(node: Int)
    /// HaveLists of a quorum, to the view's coordinator.
    case lists(node: Int, height: UInt64, view: Int, from: [Int])
    /// Second votes of a quorum, one by one.
    case commit(node: Int, height: UInt64, view: Int, value: Int)

    /// The certified value that a quorum's timeouts name: what binds the next coordinator.
    struct Outcome: Hashable, Sendable {
        /// −1: none.
        let view: Int
        let value: Int

        static let none = Outcome(view: -1, value: -1)
    }

    /// Which node it happens to.
    var node: Int {
        switch self {
        case .proposal(let node, _, _, _, _), .certificate(let node, _, _, _),
            .election(let node, _, _, _), .timeouts(let node, _, _, _), .giveUp(let node),
            .lists(let node, _, _, _), .commit(let node, _, _, _):
            node
        }
    }
}
