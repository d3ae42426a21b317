package import AegisAPI
import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import FoundationEssentials

/// `aegis-node evidence`: writes what a node's directory proves to a folder that anybody can
/// verify. Each decision is verified before it is written; the node may be running.
package struct EvidenceExport {
    package struct Outcome: Codable, Sendable {
        package internal(set) var height: UInt64 = 0
        package internal(set) var rounds = 0
        /// Rounds that go with all their updates, so that their aggregate can be computed again.
        package internal(set) var complete = 0
        package internal(set) var bytes: UInt64 = 0
        /// What makes its last run or decision final; absent while that is only committed.
        package internal(set) var final: FinalityView?
    }

    private let source: NodeEvidence
    private let rules: MeshRules
    private let folder: String
    private var outcome = Outcome()
    private var written: Set<Digest> = []

    package init(_ directory: NodeDirectory, to folder: String) throws {
        source = try NodeEvidence(directory)
        let founding = try directory.founding()
        guard let genesis = try directory.genesis(of: founding) else {
            throw EvidenceError.notFounded(directory.path)
        }
        rules = MeshRules(
            founding: founding.statement, genesis: genesis.statement, cryptography: Libsodium())
        self.folder = folder
        let there = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        guard there.isEmpty else { throw EvidenceError.exists(folder) }
    }

    /// Everything, or up to the end of one run, with the updates of that run only.
    package consuming func write(run wanted: String? = nil) throws -> Outcome {
        try write(try source.genesis())
        var state = rules.initialState
        var found = wanted == nil
        let height = try source.height()
        var last = height
        while state.height < last {
            guard let item = try source.decision(at: state.height + 1) else { break }
            let commit = try rules.verify(CommitRecord(decoding: item.bytes), extending: state)
            try write(item)
            if let final = try source.final(at: commit.header.height) {
                try write(final)
                let certificate = try FinalCertificate(decoding: final.bytes)
                outcome.final = FinalityView(try rules.at(state).verify(certificate))
            }
            if commit.view > 0 {
                for election in try source.elections(at: commit.header.height) {
                    try write(election)
                }
            }
            let run = state.active ?? commit.state.active
            let isWanted = run.map { Self.matches($0.specification, wanted) } ?? (wanted == nil)
            found = found || isWanted
            if isWanted { try writeRound(commit) }
            state = commit.state
            outcome.height = state.height
            // With what makes its end final.
            if wanted != nil, isWanted, state.active == nil {
                last = min(height, try source.finalHeight(from: state.height) ?? state.height)
            }
        }
        if let final = outcome.final, final.height < outcome.height, wanted != nil {
            outcome.final = nil
        }
        guard found else { throw EvidenceError.noSuchRun(wanted ?? "") }
        return outcome
    }

    private static func matches(_ specification: RunSpecification, _ wanted: String?) -> Bool {
        wanted == nil || specification.name == wanted || specification.run.description == wanted
    }

    private mutating func writeRound(_ commit: Commit) throws {
        if commit.header.model != .zero { try writeBlob(commit.header.model) }
        guard commit.header.kind == .round else { return }
        outcome.rounds += 1
        let included = Set(commit.included.map(\.update))
        let items = try source.updates(at: commit.header.height).filter {
            included.contains(SHA256.digest(of: $0.bytes))
        }
        // A round with some of its updates would look as if others had been taken away.
        guard items.count == included.count else { return }
        var isComplete = true
        for item in items {
            try write(item)
            guard let verified = Libsodium().verify(try SignedEnvelope(parsing: item.bytes)) else {
                continue
            }
            let statement = try UpdateStatement(payload: verified.payload)
            isComplete = try writeBlob(statement.blob.digest) && isComplete
        }
        if isComplete { outcome.complete += 1 }
    }

    private mutating func write(_ item: EvidenceItem) throws {
        let path = folder + "/" + item.name
        try makeParent(of: path)
        try Data(item.bytes).write(to: URL(filePath: path), options: .atomic)
        outcome.bytes += UInt64(item.bytes.count)
    }

    /// Whether the blob is still here.
    @discardableResult
    private mutating func writeBlob(_ digest: Digest) throws -> Bool {
        guard !written.contains(digest) else { return true }
        guard let file = source.blob(digest) else { return false }
        let name = digest.hexadecimal + EvidenceFolder.blobSuffix
        let path = "\(folder)/\(EvidenceFolder.blobsName)/\(name)"
        try makeParent(of: path)
        try FileManager.default.copyItem(atPath: file, toPath: path)
        let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
        outcome.bytes += UInt64(size)
        written.insert(digest)
        return true
    }

    private func makeParent(of path: String) throws {
        let parent = URL(filePath: path).deletingLastPathComponent().path
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
    }
}
