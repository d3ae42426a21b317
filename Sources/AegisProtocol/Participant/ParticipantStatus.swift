package import AegisCore

/// What a node says of itself: "round 12 of 40, view 0, waiting for lakeside".
package struct ParticipantStatus: Hashable, Sendable {
    package enum Phase: String, Sendable {
        /// Has just started; signs nothing before enough others have said what they saw of it.
        case greeting
        /// Signs nothing for a few heights: its disk had forgotten what it signed.
        case silent
        /// No run and nothing to decide.
        case idle
        /// Waiting for updates; `isTraining` says whether for our own.
        case training
        /// Has said what it holds; waits for the proposal.
        case proposal
        /// Fetching and recomputing what is proposed.
        case checking
        case firstVote
        case secondVote
        /// Gave up on the coordinator; waits for the election of the next.
        case election
        /// Has no vote (it learns, watches or is suspended, or is no member any more): follows the
        /// chain.
        case observing
        /// A fork was proved; operators decide.
        case halted
    }

    /// The last decided height.
    package let height: UInt64
    package let view: UInt32
    package let phase: Phase
    package let run: RunID?
    package let name: String?
    package let round: Int?
    package let rounds: Int?
    package let isTraining: Bool
    package let coordinator: NodeID
    /// Whom the phase waits for, in the order of the roster.
    package let waitingFor: [NodeID]
    /// The last final height, and how firmly it stands.
    package let final: Finality?
    /// Who has not co-signed the last decided height.
    package let coSignaturesMissing: [NodeID]
    /// Where the chain has forked.
    package let forkHeight: UInt64?
}

/// What binds a participant at the height being decided: the numbers of invariants I5 and I6, for
/// checkers. −1: none.
package struct ParticipantBindings: Hashable, Sendable {
    package let height: UInt64
    package let view: Int64
    package let timeoutView: Int64
    package let vote1View: Int64
    package let vote2View: Int64
    package let highestView: Int64
}
