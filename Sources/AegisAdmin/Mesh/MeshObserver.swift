package import AegisAPI
package import AegisCore
import AegisIdentity
package import AegisProtocol
package import AegisStore
import AegisTelemetry
package import Logging

/// Looks at the mesh from outside: asks each node how it is, keeps what the mesh has decided after
/// checking it, hands commands to the nodes until they are committed. Nothing in the mesh waits
/// for it.
package actor MeshObserver {
    package struct Node: Sendable {
        package var reachable = false
        /// Milliseconds since 1970.
        package var lastSeen: UInt64?
        package var status: NodeStatus?
        /// What its last answer brought that isn't kept yet, and how far that goes.
        var measures: [RoundMeasurement] = []
        var measured: UInt64?
    }

    package struct Chain: Sendable {
        package var state: ChainState
        package let genesis: Digest
        package let founders: Roster

        /// As the chain has it by now.
        package var roster: Roster { state.roster }

        /// Of whoever is or was in the roster that is known here.
        package func name(of node: NodeID) -> String? {
            roster.name(of: node) ?? founders.name(of: node) ?? former[node]
        }
        /// Names under keys that were given up.
        var former: [NodeID: String] = [:]
        package var fork: String?
        package var final: FinalityView?
    }

    private let desk: FoundingDesk
    let calls: any MeshCalls
    private let blobs: BlobStore
    let logger: Logger
    private let witness: AuditWitness?
    /// Told after each look, whether anything was new or not.
    private let afterLook: @Sendable () -> Void
    var rules: MeshRules?
    private(set) var observed: Chain?
    /// The state before the last decision.
    private(set) var beforeTip: ChainState?
    private(set) var seen: [NodeID: Node] = [:]

    private static let statusBytesMax = 4 << 20
    private static let commitsBytesMax = 16 << 20
    private static let commitsCount = 32
    /// How far back a fork is searched for.
    private static let forkDepthMax: UInt64 = 64

    var database: AdminDatabase { desk.database }

    package init(
        desk: FoundingDesk, calls: any MeshCalls, blobs: BlobStore, logger: Logger,
        witness: AuditWitness? = nil, afterLook: @escaping @Sendable () -> Void = {}
    ) {
        self.desk = desk
        self.calls = calls
        self.blobs = blobs
        self.logger = logger
        self.witness = witness
        self.afterLook = afterLook
    }

    package func nodes() -> [NodeID: Node] { seen }

    /// Nil until the mesh is founded; from the moment it is, not from the next look on.
    package func chain() async throws -> Chain? {
        _ = try await loadGenesis()
        return observed
    }

    /// Nil until the mesh is founded.
    package func meshRules() async throws -> MeshRules? {
        _ = try await loadGenesis()
        guard let state = observed?.state else { return rules }
        return rules?.at(state)
    }

    /// Looks once a second until cancelled, more often while somebody may be watching a run.
    package func run() async throws {
        while !Task.isCancelled {
            try await look()
            afterLook()
            let pause: Duration = observed?.state.active == nil ? .seconds(1) : .milliseconds(300)
            do { try await ContinuousClock().sleep(for: pause) } catch { return }
        }
    }

    /// One look at everybody. Only `run` calls it, so one look never meets another.
    package func look() async throws {
        guard try await loadGenesis(), let rules, let observed else { return }
        await askAll(observed.roster, after: try await database.measured())
        let before = observed.state.height
        let runs = observed.state.finished.last?.run
        for (node, status) in heights(observed.roster) {
            guard status > self.observed?.state.height ?? .max else { continue }
            await follow(node, rules: rules)
        }
        try await keepMeasures()
        // What nodes measured in a round that was not committed when they were asked.
        let roster = self.observed?.roster ?? observed.roster
        if self.observed?.state.height != before {
            await askAll(roster, after: try await database.measured())
            try await keepMeasures()
        }
        await followFinality(roster)
        if let witness, let state = self.observed?.state {
            try await witness.prepare(
                after: state, justEnded: state.finished.last?.run != runs, now: Timestamp.now())
        }
        try await sendCommands(roster)
        await fetchFinalModel(roster)
    }

    /// True once the mesh is founded: its rules are known, what was seen before is replayed.
    private func loadGenesis() async throws -> Bool {
        if rules != nil { return true }
        guard let genesis = try await desk.genesis() else { return false }
        let rules = MeshRules(
            founding: genesis.founding.statement, genesis: genesis.statement,
            cryptography: Libsodium())
        let records = try await database.commits(through: .max)
            .map { try CommitRecord(decoding: $0.bytes) }
        let fork = try await database.fork().map(Self.forkText)
        let final = try await database.lastFinal()?.view
        let former = try await database.formerNames()
        let before = try rules.replay(records.dropLast())
        // Somebody else may have loaded it while this call waited for the database.
        guard self.rules == nil else { return true }
        observed = Chain(
            state: try rules.replay(records.suffix(1), from: before), genesis: genesis.digest,
            founders: rules.roster, former: former, fork: fork, final: final)
        beforeTip = records.isEmpty ? nil : before
        self.rules = rules
        return true
    }

    /// `kept`: how far each node's measures are kept.
    private func askAll(_ roster: Roster, after kept: [NodeID: UInt64]) async {
        let calls = calls
        let entries = roster.members
        let answers = await withTaskGroup(of: (RosterEntry, Result<NodeStatus, any Error>).self) {
            group in
            for entry in entries {
                group.addTask {
                    do {
                        let bytes = try await calls.get(
                            "/mesh/v1/status?measured=\(kept[entry.node] ?? 0)", from: entry,
                            bytesMax: Self.statusBytesMax)
                        return (entry, .success(try AegisAPI.decode(NodeStatus.self, from: bytes)))
                    } catch { return (entry, .failure(error)) }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        for (entry, answer) in answers { note(answer, from: entry) }
    }

    private func note(_ answer: Result<NodeStatus, any Error>, from entry: RosterEntry) {
        var node = seen[entry.node] ?? Node()
        switch answer {
        case .success(var status):
            if !node.reachable { logger.info("node answers", metadata: ["peer": "\(entry.name)"]) }
            let measures = status.rounds
            let measured = status.measured
            status.rounds = node.status?.rounds ?? []
            for measure in measures { status.add(measure) }
            status.measured = nil
            node = Node(
                reachable: true, lastSeen: Timestamp.now(), status: status, measures: measures,
                measured: measured)
        case .failure(let error):
            if node.reachable || node.lastSeen == nil {
                logger.warning(
                    "node doesn't answer",
                    metadata: ["peer": "\(entry.name)", "error": "\(error)"])
                node.lastSeen = node.lastSeen ?? 0
            }
            node.reachable = false
        }
        seen[entry.node] = node
    }

    /// Who is furthest first.
    private func heights(_ roster: Roster) -> [(RosterEntry, UInt64)] {
        roster.members.compactMap { entry -> (RosterEntry, UInt64)? in
            guard let node = seen[entry.node], node.reachable, let status = node.status
            else { return nil }
            return (entry, status.height)
        }.sorted { $0.1 > $1.1 }
    }

    /// Takes over what `node` has beyond the last known height, each record checked.
    private func follow(_ node: RosterEntry, rules: MeshRules) async {
        do {
            while let state = observed?.state {
                let records = try await records(
                    of: node, from: state.height + 1, count: Self.commitsCount)
                guard !records.isEmpty else { return }
                for record in records { try await take(record, from: node, rules: rules) }
                guard records.count == Self.commitsCount else { return }
            }
        } catch let error as CommitError {
            logger.error(
                "commit record refused",
                metadata: ["peer": "\(node.name)", "reason": "\(error)"])
            await searchFork(node, rules: rules)
        } catch {
            logger.warning(
                "commits can't be fetched",
                metadata: ["peer": "\(node.name)", "error": "\(error)"])
        }
    }

    private func take(
        _ record: CommitRecord, from node: RosterEntry, rules: MeshRules
    ) async throws {
        guard let state = observed?.state else { return }
        let rules = rules.at(state)
        let commit = try rules.verify(record, extending: state)
        let entries = rules.roster.entries
        try await database.insertCommit(
            commit,
            coordinator: rules.coordinator(
                height: commit.header.height, view: commit.view, convicted: state.convicted),
            participants: commit.header.included.map { entries[$0].node }, from: node.name)
        beforeTip = state
        if state.rosterDigest != commit.state.rosterDigest {
            observed?.former = try await database.formerNames()
        }
        observed?.state = commit.state
        note(commit.state, after: state)
        logger.info(
            "commit observed",
            metadata: [
                "height": "\(commit.header.height)", "kind": "\(commit.header.kind)",
                "round": "\(commit.header.round)", "view": "\(commit.view)",
                "peer": "\(node.name)",
            ])
    }

    /// Whoever runs this admin should hear what the participants want without it.
    private func note(_ state: ChainState, after before: ChainState) {
        if state.admin != before.admin {
            logger.warning(
                "the participants have made another key the admin's",
                metadata: ["admin": "\(state.admin)", "before": "\(before.admin)"])
        }
        if state.policy != before.policy {
            logger.warning(
                "the participants have changed the policy",
                metadata: ["policy": "\(state.policy.words)", "before": "\(before.policy.words)"])
        }
        for word in state.words where !before.words.contains(word) {
            logger.warning(
                "a participant has given its word",
                metadata: [
                    "peer": "\(observed?.name(of: word.node) ?? word.node.short)",
                    "motion": "\(word.motion.words(in: state))",
                    "words": "\(state.words(for: word.motion, at: state.committedTime).count)",
                    "quorum": "\(state.roster.quorum)",
                ])
        }
    }

    private func records(
        of node: RosterEntry, from height: UInt64, count: Int
    ) async throws -> [CommitRecord] {
        let bytes = try await calls.get(
            "/mesh/v1/commits?from=\(height)&count=\(count)", from: node,
            bytesMax: Self.commitsBytesMax)
        guard case .array(let elements) = try CBOR.decode(bytes, bytesMax: Self.commitsBytesMax)
        else { throw StatementError.wrongType(field: 0) }
        return try elements.prefix(count).map { element in
            guard case .bytes(let record) = element else {
                throw StatementError.wrongType(field: 0)
            }
            return try CommitRecord(decoding: record)
        }
    }

    /// A record that doesn't extend our chain may extend another: walks back until both agree. A
    /// certified record that differs from ours at one height is proof (PROTOCOL.md §2.9).
    private func searchFork(_ node: RosterEntry, rules: MeshRules) async {
        guard let top = observed?.state.height, top > 0 else { return }
        do {
            for height in stride(from: top, to: top - min(top, Self.forkDepthMax), by: -1) {
                let ours = try await database.commits(from: height, through: height).first
                guard let theirs = try await records(of: node, from: height, count: 1).first,
                    let ours
                else { return }
                if rules.cryptography.digest(theirs.header) == ours.digest { return }
                let before = try await database.commits(through: height - 1)
                    .map { try CommitRecord(decoding: $0.bytes) }
                guard
                    let commit = try? rules.verify(theirs, extending: try rules.replay(before))
                else { continue }
                try await database.insertFork(commit, from: node.name)
                observed?.fork = Self.forkText((height, node.name))
                logger.critical(
                    "fork: two certified values of one height",
                    metadata: ["height": "\(height)", "peer": "\(node.name)"])
                return
            }
        } catch {
            logger.warning(
                "search for a fork failed",
                metadata: ["peer": "\(node.name)", "error": "\(error)"])
        }
    }

    func noteFinal(_ final: FinalityView) {
        guard final.height > observed?.final?.height ?? 0 else { return }
        observed?.final = final
    }

    private static func forkText(_ fork: (height: UInt64, node: String)) -> String {
        "height \(fork.height) has two certified values; \(fork.node) showed the second"
    }

    /// A measure of a round that isn't known here yet is asked for again.
    private func keepMeasures() async throws {
        let height = observed?.state.height ?? 0
        for (node, told) in seen where !told.measures.isEmpty {
            // Who has another key by now tells it again under that.
            guard observed?.former[node] == nil else { continue }
            guard told.measures.allSatisfy({ $0.height <= height }) else { continue }
            try await database.keep(told.measures, of: node, through: told.measured)
            seen[node]?.measures = []
        }
    }

    /// To everybody, again and again, until a quorum has committed it or it has expired.
    private func sendCommands(_ roster: Roster) async throws {
        let pending = try await database.pendingCommands(now: Timestamp.now())
        guard !pending.isEmpty else { return }
        let body = CBOR.array(pending.map { .bytes($0.envelope) }).encoded
        let calls = calls
        await withTaskGroup(of: Void.self) { group in
            for entry in roster.members where seen[entry.node]?.reachable == true {
                group.addTask {
                    // One that is lost is sent again at the next look.
                    try? await calls.post("/mesh/v1/statements", body, to: entry)
                }
            }
        }
    }

    private func fetchFinalModel(_ roster: Roster) async {
        guard let last = observed?.state.finished.last, last.rounds > 0 else { return }
        _ = await fetchModel(last.model)
    }

    /// Whether the blob is here, or could be had from somebody.
    package func fetchModel(_ model: Digest) async -> Bool {
        if blobs.contains(model) { return true }
        guard let observed else { return false }
        for entry in observed.roster.members where seen[entry.node]?.reachable == true {
            do {
                try await calls.fetch(model, from: entry, into: blobs)
                return true
            } catch {
                logger.warning(
                    "model can't be fetched",
                    metadata: [
                        "peer": "\(entry.name)", "model": "\(model.short)", "error": "\(error)",
                    ])
            }
        }
        return false
    }
}
