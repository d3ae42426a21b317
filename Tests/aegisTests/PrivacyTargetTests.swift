import AegisPrivacy
import AegisStore
import Foundation
import Testing
import aegis

@Suite("aegis privacy target: the least epsilon for an accuracy")
struct PrivacyTargetTests {
    private final class Anchors: LedgerAnchorStore {
        func ledgerAnchor(of dataset: String) -> LedgerAnchor? { nil }
        func setLedgerAnchor(_ anchor: LedgerAnchor, of dataset: String) {}
    }

    private let folder: String

    init() throws {
        folder = FileManager.default.temporaryDirectory.path + "/aegis-target-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        var rows = "x,y,kind\n"
        for index in 0..<800 {
            let x = Double(index % 20) / 20
            rows += "\(x),\(index % 7),\(x > 0.5 ? "high" : "low")\n"
        }
        try Data(rows.utf8).write(to: URL(fileURLWithPath: folder + "/data.csv"))
        try Data(
            """
            name: kinds
            source: {format: csv, path: data.csv}
            columns:
              - {name: x, type: number, min: 0, max: 1}
              - {name: y, type: number, min: 0, max: 6}
            target: {column: kind, values: [low, high]}
            split: {test: 0.25}
            """.utf8
        ).write(to: URL(fileURLWithPath: folder + "/data.yaml"))
    }

    /// A ledger whose owner allows so much.
    private func makeLedger(epsilon: Double) throws {
        var book = LedgerBook(
            file: try LedgerFile(path: folder + "/ledger.sqlite"), anchors: Anchors())
        let budget = try #require(PrivacyBudget(epsilon: epsilon, delta: 1e-5))
        let policy = try #require(OwnerPolicy(lifetime: budget))
        try book.open("kinds", policy: policy, at: 1_800_000_000_000)
    }

    private func spent() throws -> (epsilon: Double, charges: Int) {
        let export = try LedgerExport(
            "kinds", in: LedgerFile(reading: folder + "/ledger.sqlite"))
        return (export.epsilonSpent, export.reserved)
    }

    private func target(_ more: [String], accuracy: String = "0.85") async -> Int32 {
        await Program.run(
            [
                "privacy", "target", "--dataset", folder + "/data.yaml", "--model", "softmax",
                "--accuracy", accuracy, "--epochs", "4", "--batch-size", "100",
                "--learning-rate", "4", "--clip", "1", "--trainings", "4",
            ] + more)
    }

    @Test("a declared data set is private until it is said, and private is refused unpaid")
    func refused() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(await target([]) == 65)
        #expect(await target(["--records", "private"]) == 65)
        #expect(await target(["--charge", folder, "--stopping", "0.5"]) == 64)
        #expect(await target(["--records", "public", "--stopping", "0.5"]) == 64)
        #expect(await target(["--stopping", "2"]) == 64)
        #expect(await target(["--charge", folder + "/nowhere"]) == 66)
        #expect(await target(["--records", "public", "--epsilon", "1"]) == 64)
        #expect(await target(["--records", "public", "--noise-min", "0"]) == 64)
        #expect(await target(["--records", "public"], accuracy: "2") == 64)
    }

    @Test("public and stand-in records cost nothing; what can't be reached is said")
    func free() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(await target(["--records", "public"]) == 0)
        #expect(await target(["--records", "stand-in", "--output", "json"]) == 0)
        let loud = ["--records", "public", "--noise-min", "300", "--noise-max", "400"]
        #expect(await target(loud, accuracy: "1") == 1)
    }

    @Test("by random stopping nothing but the best is told")
    func stopping() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // The draws are secret: either what was found, or that nothing was.
        let ended = await target(
            ["--stopping", "0.5", "--noise-max", "0.5"], accuracy: "0.6")
        #expect(ended == 0 || ended == 1)
    }

    @Test("a private search is in the ledger before it begins, all of it, and within the budget")
    func charged() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try makeLedger(epsilon: 1)
        let search = ["--charge", folder, "--noise-min", "1", "--noise-max", "8"]
        // Four trainings of 24 steps at q = 1/6 are more than 1.
        #expect(await target(search) == 65)
        #expect(try spent() == (0, 0))
        try FileManager.default.removeItem(atPath: folder + "/ledger.sqlite")
        try makeLedger(epsilon: 40)
        #expect(await target(search, accuracy: "0.6") == 0)
        let (epsilon, charges) = try spent()
        #expect(charges == 1)
        let phase = try PrivacyPhase(
            samplingRate: 1.0 / 6, noiseMultiplier: 1, steps: 4 * 24)
        let whole = PrivacyAccountant([phase]).epsilon(atDelta: 1e-5)
        #expect(abs(epsilon / whole - 1) < 0.2)
        // Failing to find anything is paid for like finding it.
        let loud = ["--charge", folder, "--noise-min", "300", "--noise-max", "400"]
        #expect(await target(loud, accuracy: "1") == 1)
        #expect(try spent().charges == 2)
        // While a node holds the ledger, nobody else charges it.
        let held = try LedgerFile(path: folder + "/ledger.sqlite")
        #expect(await target(search, accuracy: "0.6") == 65)
        #expect(try held.lines(of: "kinds").count == 3)
    }
}
