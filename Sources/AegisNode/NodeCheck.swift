package import AegisAPI
import AegisCore
import AegisCrypto
import AegisIdentity
import AegisPrivacy
import AegisProtocol
import AegisStore
import Glibc

/// What `aegis-node check` found in a node's directory. The node must not be running.
package struct NodeCheck: Codable, Sendable {
    package struct Ledger: Codable, Sendable {
        package let dataset: String
        package let entries: Int
        package let reserved: Int
        package let released: Int
        package let epsilon: Double
    }

    package let node: String
    package private(set) var height: UInt64 = 0
    package private(set) var tip = ""
    /// Everything up to this height is final.
    package private(set) var final: FinalityView?
    package private(set) var signedSlots = 0
    package private(set) var ledgers: [Ledger] = []
    package private(set) var blobs = 0
    /// Everything that is not as it should be; empty where all is well.
    package private(set) var faults: [String] = []

    /// Throws where there is no node to check, or one that runs.
    package init(_ directory: NodeDirectory) throws {
        let identity = try directory.identityDirectory()
        let lock = try ProcessLock(directory: directory.path)
        defer { withExtendedLifetime(lock) {} }
        let key = try identity.key().publicKey
        node = key.text
        let founding = try directory.founding()
        guard let genesis = try directory.genesis(of: founding) else { return }
        let rules = MeshRules(
            founding: founding.statement, genesis: genesis.statement, cryptography: Libsodium())
        if access(directory.databasePath, F_OK) == 0 {
            let database = try NodeDatabase(path: directory.databasePath)
            collect("commits") { try $0.checkCommits(database, rules) }
            collect("privacy ledgers") {
                try $0.checkLedgers(
                    directory.ledgerPath(directory.configuration()), database)
            }
        }
        if access(directory.journalPath, F_OK) == 0 {
            collect("safety journal") { try $0.checkJournal(directory.journalPath, key, rules) }
        }
        if access(directory.blobsPath, F_OK) == 0 {
            collect("blobs") { try $0.checkBlobs(directory.blobsPath) }
        }
    }

    private mutating func collect(_ what: String, _ check: (inout NodeCheck) throws -> Void) {
        do { try check(&self) } catch { faults.append("\(what): \(error)") }
    }

    /// Every header follows from the one before and has its quorum of votes.
    private mutating func checkCommits(_ database: NodeDatabase, _ rules: MeshRules) throws {
        var state = rules.initialState
        while true {
            let batch = try database.commits(from: state.height + 1, count: CommitList.countMax)
            guard !batch.isEmpty else { break }
            for bytes in batch {
                let commit = try rules.verify(CommitRecord(decoding: bytes), extending: state)
                try checkFinality(of: commit, database, rules.at(state))
                state = commit.state
            }
            height = state.height
            tip = state.tip.description
        }
    }

    private mutating func checkFinality(
        of commit: Commit, _ database: NodeDatabase, _ rules: MeshRules
    ) throws {
        let height = commit.header.height
        guard let stored = try database.final(from: height), stored.height == height else {
            return
        }
        let finality = try rules.verify(FinalCertificate(decoding: stored.certificate))
        guard finality.height == height, finality.value == commit.digest else {
            return faults.append("final \(height): makes another decision final")
        }
        final = FinalityView(finality)
    }

    /// Every line holds, and the one that the database knows as the last is there.
    private mutating func checkLedgers(_ path: String, _ database: NodeDatabase) throws {
        let known = try database.ledgerAnchors()
        guard access(path, F_OK) == 0 else {
            for dataset in known { faults.append("privacy ledgers: \(dataset) is gone") }
            return
        }
        let file = try LedgerFile(reading: path)
        for dataset in Set(try file.datasets()).union(known).sorted() {
            collect("privacy ledgers") { check in
                let anchor = try database.ledgerAnchor(of: dataset)
                guard let ledger = try LedgerBook.ledger(of: dataset, in: file, anchor: anchor)
                else { return }
                let counts = ledger.chargeCounts
                check.ledgers.append(
                    Ledger(
                        dataset: dataset, entries: Int(ledger.entryCount),
                        reserved: counts.reserved, released: counts.released,
                        epsilon: ledger.spent))
            }
        }
    }

    /// The chain of records holds, each slot has one content, and each signature is this node's.
    private mutating func checkJournal(
        _ path: String, _ key: NodeID, _ rules: MeshRules
    ) throws {
        let journal = try SafetyJournal(opening: path, node: key)
        let records = try NodeJournal(
            journal: journal, signer: EnvelopeSigner(IdentityKey.generate())
        ).restore()
        var seen: Set<SigningSlot> = []
        for case .signed(let slot, let envelope) in records {
            signedSlots += 1
            if !seen.insert(slot).inserted { faults.append("safety journal: \(slot) twice") }
            guard envelope.sender == key, rules.cryptography.verify(envelope) != nil else {
                faults.append("safety journal: \(slot) has no signature of this node")
                continue
            }
        }
    }

    private mutating func checkBlobs(_ path: String) throws {
        let store = try BlobStore(directory: path)
        for (digest, _) in try store.list() {
            blobs += 1
            let actual = try store.withMapped(digest) { bytes in
                var hash = SHA256()
                hash.update(bytes)
                return hash.finalize()
            }
            if actual != digest { faults.append("blobs: \(digest) has the digest \(actual)") }
        }
    }
}
