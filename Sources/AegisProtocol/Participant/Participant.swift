package import AegisCore

/// One node's part in elections and rounds (Aegis Round Agreement, PROTOCOL.md §2). A value: no
/// clock, no network, no disk, no randomness of its own. The shell hands it inputs one at a time
/// and performs the effects in their order.
///
/// `handle` is the table of contents: each input has its handler in a file of its own, after which
/// `settle` looks what has become possible. The rules R1 to R12 are cited where they are kept.
package struct Participant: Sendable {
    package let configuration: ParticipantConfiguration
    package internal(set) var chain: ChainState
    /// Of the height being decided: its roster is the chain's.
    var rules: MeshRules
    /// This node's place in the roster; nil where it doesn't vote. It follows the chain then.
    var me: Int?

    var opener: EnvelopeOpener
    var agreement: Agreement
    var round: RoundProgress?
    /// The last round that was decided, and whose updates it went without.
    var lastDecided: (run: RunID, round: Int, missing: [NodeID])?
    /// The last commit, for stragglers (R9).
    var tip: CommitRecord?
    /// Verified commands that are not decided yet, by sequence number.
    var commands: [SignedCommand] = []
    var isCommandDue = false
    /// Proofs that are not decided yet, one against each traitor.
    var evidence: [KnownEvidence] = []
    var computing: [ComputeRequest] = []
    var computed: [(request: ComputeRequest, result: ComputeResult)] = []
    /// Statements of heights or rounds that are not ours yet, by their bringer; none where a peer
    /// only said that it is ahead.
    var ahead: [NodeID: [Statement]] = [:]
    var unreachable: Set<NodeID> = []
    /// Who has not answered for a while.
    var silent: Set<NodeID> = []
    /// What is waited for before the first signature; nil once it came.
    var greeting: Greeting?
    var nonce: UInt64 = 0
    let isJournalLost: Bool
    /// Nothing is signed up to this height.
    var abstainsThrough: UInt64 = 0
    /// What each peer last said that binds it.
    var lastSeen: [NodeID: SeenStatement] = [:]
    /// When each peer was last answered.
    var greetedAt: [NodeID: Instant] = [:]
    var helpedAt: [NodeID: Instant] = [:]
    /// The highest height that a peer was heard to have.
    var heardHeight: UInt64 = 0
    /// What this learner said to show that it follows the chain.
    var ownReadiness: (height: UInt64, envelope: SignedEnvelope?)?
    var synchronisedAt: Instant?
    var timers = TimerTable()
    var retransmissions = 0
    /// Nothing waits for an answer.
    var isResting = false
    var isStarted = false
    /// A fork was proved there: nothing is signed any more.
    package internal(set) var forkHeight: UInt64?
    package var isHalted: Bool { forkHeight != nil }
    var forkProof: ForkProof?
    var finality = FinalityBook()
    /// The tip came from a peer: there may be more.
    var isFetchedTip = false

    // Of the input being handled.
    var effects: [Effect] = []
    var now = Instant(nanoseconds: 0)
    var wallTime: UInt64 = 0
    var random: SplitMix

    /// Throws where the journal can't be what this node wrote: it must sign nothing then.
    package init(
        configuration: ParticipantConfiguration, restoring durable: DurableState
    ) throws(RestorationError) {
        let rules = configuration.rules.at(durable.chain)
        guard configuration.node != rules.admin else {
            throw .notAParticipant(configuration.node)
        }
        self.configuration = configuration
        self.rules = rules
        me = rules.roster.index(of: configuration.node)
        chain = durable.chain
        tip = durable.tip
        opener = EnvelopeOpener(rules)
        agreement = Agreement(
            height: durable.chain.height + 1, participants: rules.roster.count)
        isJournalLost = durable.isJournalLost
        random = SplitMix(configuration.seed)
        restoreFinality(durable)
        try restore(durable.records)
    }

    /// Decides what follows from `input`. `wallTime` is the node's clock in milliseconds since
    /// 1970; it is only ever reported to the others, who take the median.
    package mutating func handle(
        _ input: Input, at now: Instant, wallTime: UInt64
    ) -> [Effect] {
        self.now = max(self.now, now)
        self.wallTime = wallTime
        defer { effects = [] }
        guard !isHalted else {
            handleHalted(input)
            return effects
        }
        switch input {
        case .start: start()
        case .received(let statement, let peer): received(statement, from: peer)
        case .signed(let slot, let envelope): signed(slot, envelope)
        case .elapsed(let timer): elapsed(timer)
        case .trained(let draft): trained(draft)
        case .abstained(let run, let round, let reason):
            abstained(run, round: round, reason: reason)
        case .held(let update): held(update)
        case .refused(let update, let reason): refused(update, reason: reason)
        case .computed(let request, let result): computed(request, result)
        case .computeFailed(let request, let reason): computeFailed(request, reason: reason)
        case .peerUnreachable(let node): setReachable(false, node)
        case .peerSilent(let node): if rules.roster.contains(node) { silent.insert(node) }
        case .peerReachable(let node): setReachable(true, node)
        }
        if isStarted && !isHalted { settle() }
        return effects
    }

    /// What an input may have made possible, in the order in which a height goes.
    private mutating func settle() {
        if isSigning {
            considerCutOff()
            considerProposing()
            considerFirstVote()
            considerViewTimer()
        }
        considerCoSigning()
        considerReadiness()
        considerRetransmission()
    }

    mutating func perform(_ effect: Effect) { effects.append(effect) }
    mutating func observe(_ event: Event) { effects.append(.observe(event)) }

    /// Signs what a slot is for. From here on this node has said it, whatever happens next.
    mutating func sign(_ slot: SigningSlot, _ payload: [UInt8], to nodes: [NodeID]) {
        perform(.sign(slot: slot, payload: payload, to: nodes))
    }

    mutating func send(_ statements: [Statement], to nodes: [NodeID]) {
        let nodes = nodes.filter { $0 != configuration.node }
        guard !statements.isEmpty, !nodes.isEmpty else { return }
        perform(.send(statements, to: nodes))
    }

    var others: [NodeID] { rules.roster.nodes.filter { $0 != configuration.node } }
    var coordinator: NodeID { coordinator(of: agreement.view) }
    var isCoordinator: Bool { coordinator == configuration.node }
    func coordinator(of view: UInt32) -> NodeID {
        rules.coordinator(
            height: agreement.height, view: view, convicted: chain.convicted)
    }
    /// The scope of what this node says in a view of the present height.
    func scope(_ view: UInt32) -> StatementScope {
        rules.scope(height: agreement.height, view: view)
    }
}

/// Jitter: a seeded generator (SplitMix64), so that the same inputs give the same effects.
struct SplitMix: Sendable {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }

    /// `duration` and up to a tenth more.
    mutating func jittered(_ duration: Duration) -> Duration {
        duration + duration * Int(next() % 1_024) / 10_240
    }
}
