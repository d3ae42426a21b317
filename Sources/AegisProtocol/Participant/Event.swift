package import AegisCore

/// What people and logs should know. Nothing depends on it.
package enum Event: Hashable, Sendable {
    case refused(from: NodeID, Refusal)
    /// A command was taken up, to be decided.
    case commandPending(sequence: UInt64)
    case commandRefused(sequence: UInt64, CommandRefusal)
    case roundStarted(RunID, round: Int)
    case updateHeld(NodeID, RunID, round: Int)
    case peerAbstained(NodeID, RunID, round: Int, reason: String)
    /// This node stopped waiting for updates and said what it holds.
    case cutOff(height: UInt64, view: UInt32, held: Int, isFinal: Bool)
    case proposed(height: UInt64, view: UInt32, ValueKind)
    case viewTimedOut(height: UInt64, view: UInt32, coordinator: NodeID)
    /// A certificate elected the view's coordinator, or showed that the view is under way.
    case viewEntered(height: UInt64, view: UInt32, coordinator: NodeID)
    /// The proposal names another aggregate or model than this node computed. Never evidence by
    /// itself: it may be a defect.
    case aggregateDiverged(height: UInt64, view: UInt32, coordinator: NodeID)
    case computeFailed(height: UInt64, reason: String)
    case committed(height: UInt64, ValueKind, RunID?, round: Int, view: UInt32)
    /// So many co-signatures: this height and all before it are final.
    case finalised(Finality)
    /// A round was decided without this participant's update, which nobody held in time.
    case leftOut(NodeID, RunID, round: Int)
    /// Then it came after all, and was dropped.
    case updateLate(NodeID, RunID, round: Int)
    /// Nobody has heard of it for K rounds: it has no vote until it is promoted again.
    case demoted(NodeID)
    case runStarted(RunID, name: String)
    case runEnded(RunID, FinishedRun.Outcome)
    case catchingUp(height: UInt64, seen: UInt64)
    /// This node holds a proof against that one; the next value carries it.
    case accused(NodeID, Conviction.Offence)
    case convicted(NodeID)
    /// A commit has changed the roster; it decides from the next height on.
    case rosterChanged(Roster)
    /// A commit has made another key the admin's.
    case adminChanged(NodeID)
    /// A quorum's words have changed what the mesh holds itself to.
    case policyChanged(MeshPolicy)
    /// This node votes from here on, or no longer.
    case votes(Bool)
    /// The disk went back in time, or the journal is gone, or somebody has this key: nothing is
    /// signed up to this height.
    case silenced(through: UInt64)
    /// Two certificates of one height: more traitors than the roster bears. Nothing is signed from
    /// here on.
    case forked(height: UInt64)
}

/// Why a peer's statement was not taken.
package enum Refusal: Error, Hashable, Sendable {
    case envelope(EnvelopeRefusal)
    /// Not a type that this sender may send us.
    case unexpected(StatementType)
    case notTheAdmin(NodeID)
    case update(UpdateRefusal)
    case proposal(ProposalRefusal)
    case certificate(CertificateError)
    /// A commit that doesn't follow from what is decided, or that nobody signed.
    case commit(CommitError)
    /// A timeout that names a certificate nobody has shown us (R6).
    case unsupportedTimeout
    case evidence(EvidenceError)
    case tooMany
}

/// Why a signed statement counts for nothing.
package enum EnvelopeRefusal: Error, Hashable, Sendable {
    case badSignature(NodeID)
    case notAParticipant(NodeID)
    case unexpected(StatementType)
    case malformed(StatementError)
    case foreignMesh
    case foreignRoster
    /// A command of somebody who may not give it.
    case notTheAuthor(NodeID)
}

package enum UpdateRefusal: Error, Hashable, Sendable {
    case signerIsNot(NodeID)
    case pastRound(Int)
    case wrongBase
    case expired
    case notAsDeclared
    /// Two different updates of one node for one round.
    case second
    /// The shell's intake checks.
    case content(String)
}

package enum ProposalRefusal: Error, Hashable, Sendable {
    case notTheCoordinator(NodeID)
    /// The election bound the coordinator to the highest certified value.
    case notTheCertifiedValue
    case value(ValueError)
    case second
}

/// Why a value is not one that an honest coordinator would propose (§2.7).
package enum ValueError: Error, Hashable, Sendable {
    case malformed(StatementError)
    case envelope(EnvelopeRefusal)
    case tooFewLists(Int)
    /// Lists not in the order of the roster, two of one sender, or of another height or view.
    case listOutOfPlace(NodeID)
    case tooFewUpdates(Int, needed: Int)
    case nothingToDecide
    case evidence(EvidenceError)
    /// Not in the order of the roster, or against one who is convicted already.
    case evidenceOutOfPlace(Int)
    /// Commands not in order, or one that can't be applied.
    case commandOutOfPlace(sequence: UInt64)
    /// A command that enough nodes hold is missing.
    case commandLeftOut(sequence: UInt64)
    case chain(ChainError)
    case bodyDiffers
    case headerDiffers
}

/// Why a certificate proves nothing.
package enum CertificateError: Error, Hashable, Sendable {
    case envelope(EnvelopeRefusal)
    case tooFewSigners(Int)
    case signerTwice(NodeID)
    /// Its statements don't say the same.
    case mixed
    case wrongHeight
    /// The timeouts name a higher certificate than the one attached, or another value.
    case highestMissing
}

/// Why a record commits nothing.
package enum CommitError: Error, Hashable, Sendable {
    case value(ValueError)
    case certificate(CertificateError)
    /// The certificate is for another header.
    case anotherValue
}
