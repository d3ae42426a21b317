import AegisCore
import AegisCrypto
import AegisNode
import AegisPrivacy
import AegisProtocol
import AegisStore
import Glibc
import TestFolders
import Testing

@Suite("Looking over a node's directory")
struct NodeCheckTests {
    private let mesh: TestMesh
    private let directory: NodeDirectory
    private let key: IdentityKey

    /// A node that has signed three times, holds two blobs, and has trained once.
    init() throws {
        mesh = try TestMesh(members: 3)
        directory = mesh.members[0].directory
        key = mesh.members[0].key
        let blobs = try BlobStore(directory: directory.blobsPath)
        for number in 0..<2 as Range<UInt8> {
            try blobs.write([UInt8](repeating: number, count: 1_000))
        }
        let journal = NodeJournal(
            journal: try SafetyJournal.create(at: directory.journalPath, node: key.publicKey),
            signer: EnvelopeSigner(key))
        for view in 0..<3 as Range<UInt32> {
            var batch = NodeJournal.Batch()
            try journal.sign(
                .timeout(height: 1, view: view), payload: [UInt8(view)], to: [], in: &batch)
            _ = try journal.commit(batch)
        }
        let database = try NodeDatabase(path: directory.databasePath)
        let ledgers = try LedgerFile(path: directory.path + "/ledger.sqlite")
        var desk = try PrivacyDesk(
            ledgers: ledgers, anchors: database, declarations: [Sample.dataset()])
        let sampler = try #require(
            PoissonSampler(samplingRate: 0.25, noiseMultiplier: 1.5, recordCount: 40))
        let event = sampler.event(afterSteps: 4)
        let paid = try desk.reserve(
            ReleaseKey(run: Sample.run().bytes, round: 1), of: "tiny", for: event)
        _ = try desk.commit(paid, used: event, update: Sample.digest(1), of: "tiny")
    }

    @Test("where all is well there are no faults")
    func healthy() throws {
        let check = try NodeCheck(directory)
        #expect(check.faults.isEmpty)
        #expect(check.node == key.publicKey.text)
        #expect(check.blobs == 2)
        #expect(check.signedSlots == 3)
        #expect(check.ledgers.map(\.dataset) == ["tiny"])
        #expect(check.ledgers.first?.reserved == 1)
        #expect(check.ledgers.first?.released == 1)
        #expect((check.ledgers.first?.epsilon ?? 0) > 0)
    }

    @Test("a flipped bit in a blob is found", arguments: [0, 500, 999])
    func flippedBlob(offset: Int) throws {
        let blobs = try BlobStore(directory: directory.blobsPath)
        let blob = try #require(try blobs.list().first)
        try Files.damage("\(directory.blobsPath)/\(blob.digest.hexadecimal)", at: offset)
        let faults = try NodeCheck(directory).faults
        #expect(faults.count == 1)
        #expect(faults.first?.contains("\(blob.digest)") == true, "\(faults)")
    }

    @Test("a flipped bit in the journal is found", arguments: [3, 20, 60, 70, 110, 150, 400])
    func flippedJournal(offset: Int) throws {
        try Files.damage(directory.journalPath, at: offset)
        let faults = try NodeCheck(directory).faults
        #expect(faults.count == 1, "\(faults)")
        #expect(faults.first?.hasPrefix("safety journal: ") == true, "\(faults)")
    }

    @Test("a flipped bit in the journal's last record is no torn tail")
    func flippedTail() throws {
        let length = try Files.read(directory.journalPath).count
        for offset in [length - 1, length - 10, length - 80] {
            try Files.damage(directory.journalPath, at: offset)
            #expect(try NodeCheck(directory).faults.count == 1, "\(offset)")
            try Files.damage(directory.journalPath, at: offset)
        }
        #expect(try NodeCheck(directory).faults.isEmpty)
    }

    @Test("a journal of another identity is found")
    func foreignJournal() throws {
        try Files.write(
            try Files.read(directory.journalPath), to: mesh.members[1].directory.journalPath)
        let faults = try NodeCheck(mesh.members[1].directory).faults
        #expect(faults.count == 1)
        #expect(faults.first?.hasPrefix("safety journal: ") == true, "\(faults)")
    }

    @Test("a ledger that was cut into is found")
    func damagedLedger() throws {
        let ledgers = try LedgerFile(path: directory.path + "/ledger.sqlite")
        try ledgers.append([1, 2, 3], sequence: 3, dataset: "tiny")
        let faults = try NodeCheck(directory).faults
        #expect(faults.count == 1)
        #expect(faults.first?.hasPrefix("privacy ledgers: ") == true, "\(faults)")
    }

    @Test("a ledger that is gone, or was begun anew, is found")
    func lostLedger() throws {
        let path = directory.path + "/ledger.sqlite"
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
        #expect(try NodeCheck(directory).faults == ["privacy ledgers: tiny is gone"])
        _ = try LedgerFile(path: path)
        let faults = try NodeCheck(directory).faults
        #expect(faults.count == 1)
        #expect(faults.first?.contains("truncated") == true, "\(faults)")
    }

    @Test("a commit that nobody signed is found")
    func forgedCommit() throws {
        let database = try NodeDatabase(path: directory.databasePath)
        let record = CommitRecord(header: [1], body: [2], certificate: [])
        try database.insertCommit(record.encoded, digest: Sample.digest(1), at: 1)
        let faults = try NodeCheck(directory).faults
        #expect(faults.count == 1)
        #expect(faults.first?.hasPrefix("commits: ") == true, "\(faults)")
    }

    @Test("where there is no node there is nothing to check")
    func noNode() throws {
        let empty = try TemporaryDirectory()
        #expect(throws: NodeError.self) {
            try NodeCheck(NodeDirectory(empty.file("nothing")))
        }
    }
}
