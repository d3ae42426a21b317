import AegisAPI
package import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol

/// Checks evidence without a mesh: the trust root, every decision with its certificate, elections,
/// signed updates, blobs; and computes every aggregate and model again with the code that nodes use
/// (PROTOCOL.md §2.7). Stops at the first thing that is wrong.
package struct EvidenceVerifier {
    private let source: any EvidenceSource
    private let pinned: Digest?
    private let isCompleteRequired: Bool
    private var report = EvidenceReport()
    private var files: EvidenceBlobs
    private var workshop: EvidenceWorkshop

    /// `pinned` is the genesis that is trusted; `complete` makes a round that can't be computed
    /// again for want of files a fault.
    package init(
        _ source: any EvidenceSource, pinned: Digest? = nil, complete: Bool = false
    ) throws {
        self.source = source
        self.pinned = pinned
        isCompleteRequired = complete
        files = EvidenceBlobs(source)
        workshop = try EvidenceWorkshop()
    }

    /// `progress` is told each height that was checked, and the last.
    package consuming func verify(
        progress: (UInt64, UInt64) -> Void = { _, _ in }
    ) throws -> EvidenceReport {
        defer { workshop.remove() }
        do {
            try verifyAll(progress)
            report.verified = true
        } catch let fault as EvidenceFault {
            report.fault = fault.reason
            report.place = fault.place
        }
        return report
    }

    private mutating func verifyAll(_ progress: (UInt64, UInt64) -> Void) throws {
        let rules = try verifyGenesis()
        var state = rules.initialState
        let height = try source.height()
        while state.height < height {
            let next = state.height + 1
            guard let item = try source.decision(at: next) else {
                throw EvidenceFault(
                    place: "certificates/\(next).cbor",
                    reason: "is missing: there is a later decision, of height \(height)")
            }
            let rules = rules.at(state)
            let words = EvidenceWords(roster: rules.roster)
            let commit = try verify(item, at: next, after: state, rules: rules, words: words)
            try verifyElection(of: commit, rules: rules, words: words)
            try verifyFinality(of: commit, rules: rules, words: words)
            try verifyContent(of: commit, after: state, words: words)
            state = commit.state
            report.height = state.height
            report.tip = state.tip.description
            report.participants = state.roster.entries.map(\.name)
            report.quorum = state.roster.quorum
            report.epoch = state.roster.epoch
            progress(next, height)
        }
        for index in report.runs.indices {
            report.runs[index].isFinal =
                report.runs[index].height <= report.final?.height ?? 0
        }
        try files.verifyRest()
        report.blobs = files.count
        try verifyNamedModel()
    }

    // MARK: The trust root

    private mutating func verifyGenesis() throws -> MeshRules {
        let item = try source.genesis()
        let genesis: Genesis
        do {
            genesis = try GenesisVerifier().verify(GenesisDocument(decoding: item.bytes))
        } catch let error as GenesisError {
            throw EvidenceFault(place: item.name, reason: EvidenceWords.of(error))
        } catch {
            throw EvidenceFault(place: item.name, reason: "can't be read: \(error)")
        }
        report.mesh = Hexadecimal.encode(genesis.mesh.bytes)
        report.meshName = genesis.founding.statement.name
        report.genesis = genesis.digest.description
        report.isGenesisPinned = pinned != nil
        report.participants = genesis.roster.entries.map(\.name)
        report.quorum = genesis.roster.quorum
        if let pinned, pinned != genesis.digest {
            throw EvidenceFault(
                place: item.name,
                reason: "is the trust root of another mesh: \(genesis.digest), not \(pinned)")
        }
        return MeshRules(
            founding: genesis.founding.statement, genesis: genesis.statement,
            cryptography: Libsodium())
    }

    // MARK: Decisions

    private func verify(
        _ item: EvidenceItem, at height: UInt64, after state: ChainState, rules: MeshRules,
        words: EvidenceWords
    ) throws -> Commit {
        let record: CommitRecord
        let header: Header
        do {
            record = try CommitRecord(decoding: item.bytes)
            header = try Header(decoding: record.header)
        } catch {
            throw EvidenceFault(place: item.name, reason: "can't be read: \(error)")
        }
        guard header.height == height else {
            throw EvidenceFault(
                place: item.name,
                reason: "is the decision of height \(header.height), out of its place")
        }
        do { return try rules.verify(record, extending: state) } catch {
            throw EvidenceFault(place: item.name, reason: words.of(error))
        }
    }

    private mutating func verifyElection(
        of commit: Commit, rules: MeshRules, words: EvidenceWords
    ) throws {
        guard commit.view > 0 else { return }
        let items = try source.elections(at: commit.header.height)
        guard let item = items.first else {
            report.electionsNotKept += 1
            return
        }
        do {
            try rules.verifyElection(
                TimeoutCertificate(decoding: item.bytes), height: commit.header.height,
                view: commit.view - 1)
        } catch let error as CertificateError {
            throw EvidenceFault(place: item.name, reason: words.of(error))
        } catch {
            throw EvidenceFault(place: item.name, reason: "can't be read: \(error)")
        }
        report.elections += 1
    }

    private mutating func verifyFinality(
        of commit: Commit, rules: MeshRules, words: EvidenceWords
    ) throws {
        guard let item = try source.final(at: commit.header.height) else { return }
        do {
            let finality = try rules.verify(FinalCertificate(decoding: item.bytes))
            guard finality.height == commit.header.height, finality.value == commit.digest else {
                throw EvidenceFault(
                    place: item.name,
                    reason: "makes another decision final than that of height "
                        + "\(commit.header.height)")
            }
            report.final = FinalityView(finality)
        } catch let error as CertificateError {
            throw EvidenceFault(place: item.name, reason: words.of(error))
        } catch let error as StatementError {
            throw EvidenceFault(place: item.name, reason: "can't be read: \(error)")
        }
    }

    private mutating func verifyContent(
        of commit: Commit, after state: ChainState, words: EvidenceWords
    ) throws {
        switch commit.header.kind {
        case .configuration:
            guard let run = commit.state.active, run.startedAt == commit.header.height else {
                return
            }
            report.runs.append(
                .init(
                    id: run.specification.run.description, name: run.specification.name,
                    startedAt: run.startedAt, model: run.model.description,
                    height: run.startedAt))
            let model = try workshop.firstModel(of: run.specification)
            guard model == commit.header.model else {
                throw EvidenceFault(
                    place: "certificates/\(commit.header.height).cbor",
                    reason: "names a first model that the run's declaration does not give: "
                        + "\(commit.header.model), computed \(model)")
            }
        case .skip:
            return
        case .round:
            try verifyRound(commit, after: state, words: words)
        }
    }

    private mutating func verifyRound(
        _ commit: Commit, after state: ChainState, words: EvidenceWords
    ) throws {
        guard let run = state.active, !report.runs.isEmpty else {
            preconditionFailure("the chain has checked that a run is active")
        }
        let last = report.runs.count - 1
        report.runs[last].rounds += 1
        report.runs[last].model = commit.header.model.description
        report.runs[last].height = commit.header.height
        let round = EvidenceRound(commit: commit, run: run, words: words)
        let updates = try round.updates(in: source)
        report.updates += updates.count
        guard updates.count == commit.included.count else {
            return try incomplete(
                "updates/\(commit.header.height)", "its signed updates are not here")
        }
        if let missing = updates.first(where: { source.blob($0.statement.blob.digest) == nil }) {
            return try incomplete(
                "blobs/\(missing.statement.blob.digest.hexadecimal).safetensors",
                "\(words.name(missing.statement.node))'s update of round \(commit.header.round)"
                    + " is not here")
        }
        for update in updates {
            try files.verify(update.statement.blob.digest)
            if let path = source.blob(update.statement.blob.digest) {
                try workshop.lend(path, as: update.statement.blob.digest)
            }
        }
        if !workshop.has(commit.header.base), let path = source.blob(commit.header.base) {
            try files.verify(commit.header.base)
            try workshop.lend(path, as: commit.header.base)
        }
        guard workshop.has(commit.header.base) else {
            return try incomplete(
                "blobs/\(commit.header.base.hexadecimal).safetensors",
                "the model that round \(commit.header.round) starts from is not here")
        }
        try round.recompute(updates, in: workshop)
        try workshop.forget(allBut: [commit.header.model])
        report.runs[last].recomputed += 1
    }

    private func incomplete(_ place: String, _ reason: String) throws {
        guard isCompleteRequired else { return }
        throw EvidenceFault(place: place, reason: reason)
    }

    // MARK: The model that was taken away

    private mutating func verifyNamedModel() throws {
        guard let path = source.model() else { return }
        let digest = try EvidenceBlobs.digest(of: path)
        guard let run = report.runs.last(where: { $0.model == digest.description }) else {
            throw EvidenceFault(
                place: EvidenceFolder.modelName,
                reason: "is \(digest), which no run here has ended with")
        }
        report.model = "round \(run.rounds) of \(run.name)"
    }
}
