import AegisCore

/// The updates of the round that the mesh works on. Outlives heights: a configuration committed in
/// the middle of a round, or a skip, leaves its updates good.
struct RoundProgress: Sendable {
    enum Training: Hashable, Sendable {
        /// Not before the node knows that it isn't behind: training costs budget.
        case deferred
        case underWay
        case released
        case abstained
    }

    let specification: RunSpecification
    let round: Int
    let base: Digest
    var skips: Int
    var training = Training.deferred
    var ownUpdate: SignedEnvelope?
    var ownAbstention: SignedEnvelope?
    var startedAt: Instant
    var isSoftPassed = false
    var isHardPassed = false
    /// When the last of the held updates came.
    var lastHeldAt: Instant?
    /// How long this node waited, as its HaveLists say it; it stands until the round is over.
    var cutOff: UInt32?
    /// By place in the roster.
    var updates: [[KnownUpdate]]
    var hasAbstained: [Bool]

    init(_ run: ActiveRun, participants: Int, at now: Instant) {
        specification = run.specification
        round = run.round
        base = run.model
        skips = run.skips
        startedAt = now
        updates = Array(repeating: [], count: participants)
        hasAbstained = Array(repeating: false, count: participants)
    }

    /// The same under another roster: what those gave who have no vote any more doesn't count, and
    /// newcomers have given nothing (§5).
    mutating func move(from old: Roster, to new: Roster) {
        let (rows, abstained) = (updates, hasAbstained)
        updates = new.nodes.map { node in old.index(of: node).map { rows[$0] } ?? [] }
        hasAbstained = new.nodes.map { node in
            old.index(of: node).map { abstained[$0] } ?? false
        }
    }

    func isOf(_ run: ActiveRun) -> Bool {
        specification.run == run.specification.run && round == run.round && base == run.model
    }

    func update(_ digest: Digest) -> KnownUpdate? {
        for row in updates {
            for update in row where update.digest == digest { return update }
        }
        return nil
    }

    mutating func change(_ digest: Digest, _ change: (inout KnownUpdate) -> Void) {
        for index in updates.indices {
            for position in updates[index].indices
            where updates[index][position].digest == digest {
                change(&updates[index][position])
            }
        }
    }

    /// What a HaveList lists: of each participant the first update that is held.
    var held: [HaveList.Member] {
        updates.indices.compactMap { index in
            updates[index].first { $0.state == .held }
                .map { HaveList.Member(index: index, update: $0.digest) }
        }
    }
}

/// A signed update of this round, and whether its blob is here.
struct KnownUpdate: Sendable {
    enum State: Hashable, Sendable {
        case fetching
        /// Fetched, verified, checked and durable.
        case held
        case refused
    }

    let digest: Digest
    let envelope: SignedEnvelope
    let statement: UpdateStatement
    var state: State
    /// Who has it: the giver first.
    var holders: [NodeID]
    var isPersisted = false
}
