import AegisSimulation
import ArgumentParser
import Foundation

/// How far a campaign has come.
struct CampaignRecord: Codable, Sendable {
    /// What is to be done, in the words of the command line.
    let plan: String
    /// Of the order, from the first on.
    var done = 0
    var tallies: [CampaignTally]
    var failures: [CampaignFailure] = []

    init(_ order: SimulationOrder, plan: String, done: Int = 0) {
        self.plan = plan
        self.done = done
        tallies = order.scenarios.map { CampaignTally($0.name) }
    }

    mutating func add(_ outcome: SimulationOutcome) {
        tallies[outcome.scenario].add(outcome)
        if let failure = outcome.failure { failures.append(failure) }
    }

    func progress(of count: Int, since start: Int, seconds: Double) -> String {
        let total = CampaignTally.total(of: tallies)
        let left = Double(count - done) * seconds / Double(max(1, done - start))
        return "\(Progress.grouped(done)) of \(Progress.grouped(count)) seeds "
            + "(\(done * 100 / max(1, count)) %), "
            + "\(Progress.grouped(total.seedsPerCPUHour)) per CPU-hour, "
            + "\(total.failures) violations, \(Progress.duration(left)) left"
    }
}

/// Where a campaign keeps how far it has come, so that it can go on.
struct CampaignFile: Sendable {
    let path: String

    /// Nil where there is no file yet.
    func record(plan: String) throws -> CampaignRecord? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let record: CampaignRecord
        do {
            record = try JSONDecoder().decode(
                CampaignRecord.self, from: Data(contentsOf: URL(filePath: path)))
        } catch {
            throw ValidationError("\(path) is no record of a campaign: \(error)")
        }
        guard record.plan == plan else {
            throw ValidationError("\(path) is of another campaign: \(record.plan)")
        }
        return record
    }

    func save(_ record: CampaignRecord) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(record).write(to: URL(filePath: path), options: .atomic)
    }
}
