package import AegisCore

/// What the shell must do, in the order of the list: nothing is begun before everything ahead of it
/// in the list is done. Neighbouring durable effects (`persist`, `sign`) may share one fsync,
/// provided that it ends before anything is sent. A durable effect that fails ends the process.
package enum Effect: Sendable {
    /// Append to the safety journal and make it durable.
    case persist(JournalRecord)
    /// Sign `payload` in `slot.type`'s domain, record (slot, envelope) durably in the safety
    /// journal, then send the envelope to `to` and hand it back as `Input.signed`. If the slot is
    /// taken by the same payload, use the recorded envelope; if by another, stop the process (R12).
    case sign(slot: SigningSlot, payload: [UInt8], to: [NodeID])
    /// Send these in this order, in as few requests as may be. Best effort: what matters is sent
    /// again. Never names this node itself.
    case send([Statement], to: [NodeID])
    case startTimer(TimerID, at: Instant)
    case cancelTimer(TimerID)
    /// Get an update's blob; answer `held` or `refused`. Keep trying, preferring the first of
    /// `from`; a repeated request for the same update replaces the holders. May be dropped once a
    /// later round is applied.
    case fetch(FetchRequest)
    /// Train; answer `trained` or `abstained`. At most one is under way; a new one replaces it. An
    /// update that was released for the same (run, round) is released again as it is, never
    /// redrawn.
    case train(TrainingRequest)
    case cancelTraining
    /// Compute off the loop; answer `computed` or `computeFailed`.
    case compute(ComputeRequest)
    /// Store the commit durably, and that `state` is the chain's state now. The journal's records
    /// of this height and below may go, and slots of rounds of runs that are over.
    case apply(CommitRecord, ChainState)
    /// Store what makes a height final, in the place of a smaller one of that height. Soon is
    /// enough: whatever is lost comes again from peers.
    case keep(FinalCertificate, Finality)
    /// Ask these peers, one after the other, for commits from this height on and hand each over as
    /// `received(.commit)`. Best effort; asked again while it is needed.
    case synchronise(from: [NodeID], fromHeight: UInt64)
    /// For logs, status and alarms.
    case observe(Event)
}

/// An update to be fetched.
package struct FetchRequest: Hashable, Sendable {
    /// Of the signed update: what `held` and `refused` name.
    package let update: Digest
    package let statement: UpdateStatement
    package let specification: RunSpecification
    /// The giver first, then others who said they hold it.
    package let from: [NodeID]

    package init(
        update: Digest, statement: UpdateStatement, specification: RunSpecification,
        from: [NodeID]
    ) {
        self.update = update
        self.statement = statement
        self.specification = specification
        self.from = from
    }
}

/// A round to train.
package struct TrainingRequest: Hashable, Sendable {
    package let specification: RunSpecification
    package let round: Int
    /// The model to start from. The shell gets it from `holders` if it isn't here.
    package let base: Digest
    package let holders: [NodeID]

    package init(
        specification: RunSpecification, round: Int, base: Digest, holders: [NodeID]
    ) {
        self.specification = specification
        self.round = round
        self.base = base
        self.holders = holders
    }
}

/// What every node computes for itself.
package enum ComputeRequest: Hashable, Sendable {
    /// The first model of a run, from its specification alone.
    case initialModel(RunSpecification)
    case aggregate(AggregateRequest)
}

/// The rule over these updates, in this order, then the new model.
package struct AggregateRequest: Hashable, Sendable {
    package struct Part: Hashable, Sendable {
        package let node: NodeID
        /// Of the signed update.
        package let update: Digest
        package let blob: Digest
        package let weight: UInt64

        package init(node: NodeID, update: Digest, blob: Digest, weight: UInt64) {
            self.node = node
            self.update = update
            self.blob = blob
            self.weight = weight
        }
    }

    package let specification: RunSpecification
    package let round: Int
    package let base: Digest
    /// In the order of the roster.
    package let parts: [Part]
    /// Who has the base model, if it isn't here.
    package let holders: [NodeID]

    package init(
        specification: RunSpecification, round: Int, base: Digest, parts: [Part],
        holders: [NodeID]
    ) {
        self.specification = specification
        self.round = round
        self.base = base
        self.parts = parts
        self.holders = holders
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.specification.run == right.specification.run && left.round == right.round
            && left.base == right.base && left.parts == right.parts
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(specification.run)
        hasher.combine(round)
        hasher.combine(base)
        hasher.combine(parts)
    }
}
