import AegisCore

/// What a node knows and has said at the height that is being decided (PROTOCOL.md §2.6). The parts
/// that bind it are durable before anybody hears of them and come back from the journal.
struct Agreement: Sendable {
    let height: UInt64

    // Binding.
    var view: UInt32 = 0
    /// The highest view this node gave up on; no vote in it or below (R6). −1: none.
    var timeoutView: Int64 = -1
    /// The last first vote.
    var vote1: (view: UInt32, value: Digest)?
    var vote2View: Int64 = -1
    /// The highest certified value it knows (highQC).
    var highest: CertifiedValue?
    /// The election that admitted it to `view`, or to a view before (entryTC).
    var entry: Election?

    // What it signed, to be sent again.
    var ownList: (statement: HaveList, envelope: SignedEnvelope)?
    /// The last list that was given to be signed in this view.
    var pendingList: HaveList?
    var listSequence: UInt32 = 0
    var ownProposal: SignedEnvelope?
    var proposedView: Int64 = -1
    var ownVote1: SignedEnvelope?
    var ownVote2: SignedEnvelope?
    var ownTimeout: SignedEnvelope?

    // What it heard in this view; by place in the roster.
    var lists: [Placed<HaveList>?]
    /// What the coordinator is about to propose, while its model is computed.
    var draft: ValuePlan?
    var isDraftFailed = false
    var candidate: Candidate?

    // What it heard at this height.
    var values: [KnownValue] = []
    /// Proposals against what their election demands: whoever votes for one is a traitor (E6).
    var unjustified: [SignedEnvelope] = []
    var certificates: [CertifiedValue] = []
    var votes1: StatementTable<Vote1>
    var votes2: StatementTable<Vote2>
    var timeouts: StatementTable<Timeout>
    /// A quorum's votes for a value that isn't here.
    var decided: (value: Digest, votes: [Placed<Vote2>])?

    init(height: UInt64, participants: Int) {
        self.height = height
        lists = Array(repeating: nil, count: participants)
        votes1 = StatementTable(participants)
        votes2 = StatementTable(participants)
        timeouts = StatementTable(participants)
    }

    /// Whether this node may still vote in its view.
    var isOpen: Bool { timeoutView < Int64(view) }

    /// The election of this view's coordinator; nil in view 0, and where a certified value of this
    /// view or enough timeouts brought the node here.
    var election: Election? {
        guard let entry, view > 0, entry.view == view - 1 else { return nil }
        return entry
    }

    mutating func remember(_ certified: CertifiedValue) {
        guard !certificates.contains(where: { $0.named == certified.named }) else { return }
        certificates.append(certified)
        if certificates.count > ProtocolLimits.valuesMax { certificates.removeFirst() }
    }

    func knows(_ named: Timeout.Certified) -> Bool {
        highest?.named == named || certificates.contains { $0.named == named }
    }

    func value(_ digest: Digest) -> KnownValue? { values.first { $0.digest == digest } }

    /// Keeps the certified value whatever else comes.
    mutating func remember(_ value: KnownValue) {
        guard self.value(value.digest) == nil else { return }
        if values.count >= ProtocolLimits.valuesMax {
            let kept = [highest?.value, decided?.value, vote1?.value]
            if let index = values.firstIndex(where: { !kept.contains($0.digest) }) {
                values.remove(at: index)
            }
        }
        values.append(value)
    }
}

/// A value whose header follows from its body, and the proposal that brought it.
struct KnownValue: Sendable {
    let digest: Digest
    let header: Header
    let headerBytes: [UInt8]
    let plan: ValuePlan
    let proposal: SignedEnvelope
    /// Whether our own computation gave the same.
    var isConfirmed = false
}

/// The proposal of this view.
struct Candidate: Sendable {
    let value: Digest
    /// Of the signed proposal.
    let proposal: Digest
    let envelope: SignedEnvelope
    var isRejected = false
}

/// The statements of one kind at one height: of each sender the few with the highest views (R11).
struct StatementTable<Payload: AgreementStatement & Hashable>: Sendable {
    private var rows: [[Placed<Payload>]]

    init(_ participants: Int) { rows = Array(repeating: [], count: participants) }

    /// False where it adds nothing.
    mutating func insert(_ placed: Placed<Payload>) -> Bool {
        var row = rows[placed.index]
        let view = placed.statement.scope.view
        let same = row.count(where: { $0.statement.scope.view == view })
        guard same < 2, !row.contains(where: { $0.statement == placed.statement }) else {
            return false
        }
        let position = row.firstIndex { $0.statement.scope.view < view } ?? row.endIndex
        row.insert(placed, at: position)
        if row.count > ProtocolLimits.statementsPerSenderMax { row.removeLast() }
        rows[placed.index] = row
        return position < row.count
    }

    /// One statement of each sender that satisfies `predicate`, in the order of the roster.
    func matching(_ predicate: (Payload) -> Bool) -> [Placed<Payload>] {
        rows.compactMap { row in row.first { predicate($0.statement) } }
    }

    /// A statement of the sender at this place.
    func first(of index: Int, where predicate: (Payload) -> Bool) -> Placed<Payload>? {
        rows[index].first { predicate($0.statement) }
    }

    var envelopes: [SignedEnvelope] { rows.flatMap { $0.map(\.envelope) } }

    /// The highest view of which each sender has spoken, in the order of the roster.
    var highestViews: [UInt32?] { rows.map { $0.first?.statement.scope.view } }
}
