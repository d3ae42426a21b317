import Foundation

/// A campaign's result, for people and for programs.
struct CampaignReport {
    let record: CampaignRecord
    let count: Int
    /// The command that goes on, where it isn't done.
    let rest: String?

    private var tallies: [CampaignTally] { record.tallies }
    private var total: CampaignTally { CampaignTally.total(of: tallies) }

    var text: String {
        let head = [
            "scenario", "seeds", "failed", "heights", "events", "faults", "CPU s",
            "seeds/CPU-h", "trace",
        ]
        var rows = tallies.filter { $0.seeds > 0 }.map(Self.row)
        if rows.count > 1 { rows.append(Self.row(total)) }
        let widths = head.indices.map { column in
            ([head] + rows).map { $0[column].count }.max() ?? 0
        }
        var lines = ([head] + rows).map { row in
            row.indices.map { column in
                let gap = String(repeating: " ", count: widths[column] - row[column].count)
                return column == 0 ? row[column] + gap : gap + row[column]
            }.joined(separator: "  ")
        }
        for failure in record.failures { lines += failure.text }
        if let rest {
            lines += [
                "", "stopped after \(Progress.grouped(record.done)) of \(Progress.grouped(count))",
                "  go on: \(rest)",
            ]
        }
        return lines.joined(separator: "\n")
    }

    private static func row(_ tally: CampaignTally) -> [String] {
        [
            tally.scenario, Progress.grouped(tally.seeds), Progress.grouped(tally.failures),
            Progress.grouped(tally.heights), Progress.grouped(tally.events),
            Progress.grouped(tally.faults), String(format: "%.1f", tally.cpuSeconds),
            Progress.grouped(tally.seedsPerCPUHour), String(tally.trace, radix: 16),
        ]
    }

    func json() throws -> String {
        let result = Result(
            plan: record.plan, simulations: count, done: record.done,
            scenarios: tallies.filter { $0.seeds > 0 }.map(Row.init), total: Row(total),
            failures: record.failures, rest: rest)
        return String(decoding: try result.readableJSON(), as: UTF8.self)
    }

    private struct Result: Encodable {
        let plan: String
        let simulations: Int
        let done: Int
        let scenarios: [Row]
        let total: Row
        let failures: [CampaignFailure]
        let rest: String?
    }

    private struct Row: Encodable {
        let scenario: String
        let seeds: Int
        let failed: Int
        let heights: Int
        let events: Int
        let faults: Int
        let cpuSeconds: Double
        let seedsPerCPUHour: Int
        let trace: String

        init(_ tally: CampaignTally) {
            scenario = tally.scenario
            seeds = tally.seeds
            failed = tally.failures
            heights = tally.heights
            events = tally.events
            faults = tally.faults
            cpuSeconds = tally.cpuSeconds
            seedsPerCPUHour = tally.seedsPerCPUHour
            trace = String(tally.trace, radix: 16)
        }
    }
}
