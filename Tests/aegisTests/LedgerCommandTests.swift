import AegisCore
import AegisPrivacy
import AegisStore
import Foundation
import Testing
import aegis

@Suite("Commands on privacy ledgers")
struct LedgerCommandTests {
    private final class Anchors: LedgerAnchorStore {
        func ledgerAnchor(of dataset: String) -> LedgerAnchor? { nil }
        func setLedgerAnchor(_ anchor: LedgerAnchor, of dataset: String) {}
    }

    private let folder: URL

    /// A node's folder with one ledger: an opening, a charge, its release.
    init() throws {
        folder = FileManager.default.temporaryDirectory
            .appending(path: "aegis-ledger-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true)
        var book = LedgerBook(
            file: try LedgerFile(path: folder.path + "/ledger.sqlite"), anchors: Anchors())
        let budget = try #require(PrivacyBudget(epsilon: 8, delta: 1e-5))
        let policy = try #require(
            OwnerPolicy(lifetime: budget, runEpsilon: 2, noiseMultiplierMin: 0.5))
        try book.open("chest", policy: policy, at: 1_800_000_000_000)
        let sampler = try #require(
            PoissonSampler(samplingRate: 0.01, noiseMultiplier: 1, recordCount: 100))
        let event = sampler.event(afterSteps: 30)
        let charge = try #require(Charge(event: event, noise: .exact, delta: 1e-5))
        let paid = try book.reserve(
            ReleaseKey(run: [0xab, 0xcd], round: 1), of: "chest", for: charge,
            at: 1_800_000_000_000)
        _ = try book.commit(
            paid, used: event, update: .zero, of: "chest", at: 1_800_000_001_000)
    }

    private func run(_ arguments: String...) async -> Int32 {
        await Program.run(["privacy", "ledger"] + arguments)
    }

    @Test("show names what was spent, the policy, the charge and its noise")
    func show() throws {
        let export = try LedgerExport(
            "chest", in: LedgerFile(reading: folder.path + "/ledger.sqlite"))
        let text = LedgerShow.text(export, last: 10, width: 120)
        for part in [
            "chest: ε 0.", " of 8.0 spent at δ 1e-05", "at most ε 2.0 a run",
            "at least noise multiplier 0.5", "1 charge, 1 release, 3 lines, all of them sound",
            "q 0.01, σ 1.0, 30 steps, exact noise", "TIME (UTC)", "2027-01-15T08:00:00", "abcd",
            "head 2:sha256:",
        ] {
            #expect(text.contains(part), "\(part) in\n\(text)")
        }
        #expect(!LedgerShow.text(export, last: 1, width: 120).contains("opened"))
    }

    @Test("an exported ledger verifies; edited, cut off or missing it does not")
    func verify() async throws {
        let file = folder.appending(path: "ledger.json")
        #expect(await run("export", folder.path, "--to", file.path) == 0)
        #expect(await run("verify", file.path) == 0)
        #expect(await run("verify", folder.path) == 0)
        let export = try LedgerExport.verify(Data(contentsOf: file))
        #expect(await run("verify", file.path, "--anchor", "2:\(export.head)") == 0)
        #expect(await run("verify", folder.path, "--anchor", "2:\(export.head)") == 0)
        #expect(await run("verify", file.path, "--anchor", "3:\(export.head)") == 1)
        #expect(await run("verify", file.path, "--anchor", "1:\(export.head)") == 1)
        #expect(await run("verify", file.path, "--anchor", "nonsense") == 64)
        let edited = String(decoding: try Data(contentsOf: file), as: UTF8.self)
            .replacing("\"steps\" : 30", with: "\"steps\" : 3")
        try Data(edited.utf8).write(to: file)
        #expect(await run("verify", file.path) == 1)
        #expect(await run("show", folder.path) == 0)
        #expect(await run("show", folder.path, "--dataset", "other") == 66)
        #expect(await run("show", folder.path + "/nothing") == 66)
        #expect(await run("export", folder.path, "--to", "/nowhere/ledger.json") == 73)
    }

    @Test("a ledger whose tail was cut off is named, by what the node's database knows")
    func nodesOwnAnchor() async throws {
        // What the node keeps: here one line more than the file still has.
        let database = try NodeDatabase(path: folder.path + "/node.sqlite")
        let export = try LedgerExport(
            "chest", in: LedgerFile(reading: folder.path + "/ledger.sqlite"))
        let head = try #require(LedgerVerify.anchor("2:\(export.head)"))
        try database.setLedgerAnchor(head, of: "chest")
        #expect(await run("show", folder.path) == 0)
        #expect(await run("verify", folder.path) == 0)
        try database.setLedgerAnchor(LedgerAnchor(sequence: 3, digest: .zero), of: "chest")
        #expect(await run("show", folder.path) == 1)
        #expect(await run("verify", folder.path) == 1)
        #expect(await run("export", folder.path, "--to", folder.path + "/x.json") == 1)
        // The file alone knows nothing of it, unless it is told whose it is.
        let file = folder.path + "/ledger.sqlite"
        #expect(await run("verify", file) == 0)
        #expect(await run("verify", file, "--node", folder.path) == 1)
        #expect(await run("verify", file, "--node", folder.path + "/nothing") == 66)
        try database.setLedgerAnchor(LedgerAnchor(sequence: 1, digest: .zero), of: "chest")
        #expect(await run("verify", folder.path) == 1)
        // A whole ledger that is gone.
        try database.setLedgerAnchor(head, of: "chest")
        try database.setLedgerAnchor(LedgerAnchor(sequence: 0, digest: .zero), of: "hip")
        #expect(await run("verify", folder.path) == 1)
        #expect(await run("verify", folder.path, "--dataset", "chest") == 0)
    }

    @Test("the audit's options are checked")
    func audit() async {
        for arguments in [["--trials", "10"], ["--canaries", "7"], ["--significance", "0"]] {
            #expect(await Program.run(["privacy", "audit"] + arguments) == 64)
        }
    }
}
