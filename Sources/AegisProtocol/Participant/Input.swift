package import AegisCore

/// What happens to a participant.
package enum Input: Sendable {
    /// Once, first: resume from what was restored.
    case start
    /// A statement from an authenticated peer (a member of the roster, or the admin for commands),
    /// or from a commit that was fetched for `Effect.synchronise`. `from` may relay what others
    /// signed.
    case received(Statement, from: NodeID)
    /// The envelope of an `Effect.sign`, durably recorded and sent.
    case signed(SigningSlot, SignedEnvelope)
    /// A timer's instant has come. One that was replaced or cancelled meanwhile is ignored.
    case elapsed(TimerID)
    /// The update of the round is finished, its blob durable, its privacy paid for.
    case trained(UpdateDraft)
    /// This node gives no update to the round: the budget or the policy forbids it, or training
    /// failed. It still takes part in the votes.
    case abstained(RunID, round: Int, reason: String)
    /// An update asked for by `Effect.fetch` is here: verified against its digest, checked (shape,
    /// finite, norm) and durable.
    case held(update: Digest)
    /// It came and is not acceptable; the same on every node.
    case refused(update: Digest, reason: String)
    case computed(ComputeRequest, ComputeResult)
    case computeFailed(ComputeRequest, reason: String)
    /// A peer's process is gone: its connections were reset and new ones are refused. A hint; no
    /// count and no safety depends on it.
    case peerUnreachable(NodeID)
    /// A peer has not answered for a while, and its process isn't known to be gone: frozen, cut
    /// off, or slow. Only a view's wait for its coordinator is shorter then.
    case peerSilent(NodeID)
    case peerReachable(NodeID)
}

/// A participant's timers: one of each; starting one again moves it.
package enum TimerID: Hashable, CaseIterable, Sendable {
    /// Gives up on the view's coordinator.
    case view
    /// The round's deadlines for updates.
    case softDeadline
    case hardDeadline
    /// A pending command has waited for others to join it.
    case command
    /// Sends again what has had no answer.
    case retransmission
    /// Trains, unless what peers say has shown meanwhile that the round is decided.
    case training
    /// Looks whether a peer that is ahead was ahead by more than a moment.
    case catchUp
}

/// What was computed, by every node from the same bytes.
package struct ComputeResult: Hashable, Sendable {
    /// Of the aggregated update; `.zero` for an initial model.
    package let aggregate: Digest
    /// Of the model's safetensors file, which the shell keeps durably before it answers.
    package let model: Digest

    package init(aggregate: Digest, model: Digest) {
        self.aggregate = aggregate
        self.model = model
    }
}
