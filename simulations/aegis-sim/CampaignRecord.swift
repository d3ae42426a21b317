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

    init(_ workload: any Workload, plan: String, done: Int = 0) {
        self.plan = plan
        self.done = done
        tallies = workload.rows.map(CampaignTally.init)
    }

    var simulations: Int { tallies.map(\.seeds).reduce(0, +) }

    /// The outcomes of the next piece. What a thread did beyond a limit doesn't count.
    mutating func add(
        _ outcomes: [SimulationOutcome], through end: Int, _ limits: Campaign.Limits
    ) {
        for outcome in outcomes {
            guard tallies[outcome.row].failures < limits.failuresMax else { continue }
            guard simulations < limits.simulationsMax else {
                done = outcome.index
                return
            }
            tallies[outcome.row].add(outcome)
            if let failure = outcome.failure { failures.append(failure) }
        }
        done = end
    }

    func progress(
        of places: Int, since start: Int, seconds: Double, _ limits: Campaign.Limits
    ) -> String {
        let total = CampaignTally.total(of: tallies)
        let isLimited = limits.simulationsMax < .max
        let (done, count) =
            isLimited ? (simulations, limits.simulationsMax) : (self.done, places)
        let share = Double(self.done - start) / Double(max(1, self.done))
        let left =
            Double(count - done) * seconds / max(1, Double(done) * share)
        return "\(Progress.grouped(done)) of \(Progress.grouped(count)) "
            + "(\(Int(Double(done) / Double(max(1, count)) * 100)) %), "
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
        try record.readableJSON().write(to: URL(filePath: path), options: .atomic)
    }
}
