import AegisCore
import AegisProtocol

/// A disk that loses at a crash what was not synchronised, or keeps the first part of it.
struct SimulatedDisk {
    private(set) var journal: [JournalRecord] = []
    private(set) var commits: [CommitRecord] = []
    private var chain: ChainState
    private var beforeTip: ChainState?
    /// Not flushed at once: what is lost comes again.
    private var final: (finality: Finality, certificate: FinalCertificate)?
    private var pendingRecords: [JournalRecord] = []
    private var pendingCommits: [(CommitRecord, ChainState)] = []
    /// Updates that are here, by the digest of their blob; durable before anybody is told.
    var blobs: Set<Digest> = []
    /// What a crash goes back to, where the disk lies about what it has written.
    private var written: (journal: [JournalRecord], commits: [CommitRecord], chain: ChainState)?
    private var isRotten = false
    /// What was released for a round: released again as it is.
    var released: [ReleaseKey: UpdateDraft] = [:]

    struct ReleaseKey: Hashable {
        let run: RunID
        let round: Int
    }

    init(_ chain: ChainState) { self.chain = chain }

    var isPending: Bool { !pendingRecords.isEmpty }

    mutating func append(_ record: JournalRecord) { pendingRecords.append(record) }

    mutating func append(_ commit: CommitRecord, _ state: ChainState) {
        pendingCommits.append((commit, state))
    }

    mutating func synchroniseJournal() {
        journal += pendingRecords
        pendingRecords.removeAll(keepingCapacity: true)
    }

    mutating func synchroniseCommits() {
        for (commit, state) in pendingCommits {
            commits.append(commit)
            beforeTip = chain
            chain = state
        }
        pendingCommits = []
        // Of decided heights nothing binds any more.
        journal.removeAll { record in
            guard case .signed(let slot, _) = record else { return false }
            return !slot.outlives(chain.height)
        }
    }

    mutating func keep(_ certificate: FinalCertificate, _ finality: Finality) {
        guard final.map({ $0.finality.height <= finality.height }) ?? true else { return }
        final = (finality, certificate)
    }

    var pendingCount: Int { pendingRecords.count }

    /// Whole records of what was being written may have reached the disk; the one that was torn is
    /// recognised by its check and dropped (§2.11).
    mutating func crash(keeping kept: Int) {
        journal += pendingRecords.prefix(kept)
        pendingRecords = []
        pendingCommits = []
        if let written { (journal, commits, chain) = written }
    }

    /// The last `count` commits are gone; the journal stays.
    mutating func loseCommits(_ count: Int, _ rules: MeshRules) {
        let left = Array(commits.dropLast(count))
        guard let before = try? rules.replay(left.dropLast()),
            let state = try? rules.replay(left)
        else { preconditionFailure("they were replayed before") }
        commits = left
        (beforeTip, chain) = (before, state)
    }

    /// As far as its commits are durable.
    func hasMember(_ node: NodeID) -> Bool { chain.roster.member(node) != nil }

    mutating func loseJournal() { journal = [] }

    var isLying: Bool { written != nil }

    mutating func beginLying() { written = (journal, commits, chain) }
    mutating func endLying() { written = nil }

    /// A record in the middle is damaged: none is believed (§2.11).
    mutating func rot() {
        journal = []
        isRotten = true
    }

    /// Until the journal itself says that this node keeps silent.
    private var isJournalLost: Bool {
        isRotten && !journal.contains { if case .silence = $0 { true } else { false } }
    }

    /// The envelope recorded for a slot.
    func recorded(_ slot: SigningSlot) -> SignedEnvelope? {
        for case .signed(slot, let envelope) in pendingRecords.reversed() { return envelope }
        for case .signed(slot, let envelope) in journal.reversed() { return envelope }
        return nil
    }

    func commits(from height: UInt64, count: Int) -> [CommitRecord] {
        guard height >= 1, height <= UInt64(commits.count) else { return [] }
        return Array(commits[(Int(height) - 1)...].prefix(count))
    }

    var durable: DurableState {
        DurableState(
            chain: chain, tip: commits.last, beforeTip: beforeTip, final: final, records: journal,
            isJournalLost: isJournalLost)
    }
}
