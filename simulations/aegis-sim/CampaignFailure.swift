import AegisSimulation

/// A broken invariant, and how to see it again.
struct CampaignFailure: Codable, Sendable {
    let scenario: String
    let seed: UInt64
    let violation: String
    let command: String
    let minimisedCommand: String?
    /// The transcript of the minimised failure.
    let transcript: [String]

    init(
        _ report: SimulationReport, _ violation: String, of row: Int, in workload: any Workload,
        isMinimising: Bool
    ) {
        var simplest = report.setup
        if isMinimising {
            var minimiser = Minimiser(report)
            simplest = minimiser.minimised(report.setup)
        }
        var simulation = Simulation(simplest, isRecording: true)
        _ = simulation.run()
        scenario = workload.rows[row]
        seed = report.setup.seed
        self.violation = violation
        command = workload.command(for: report.setup, row: row)
        minimisedCommand = isMinimising ? workload.command(for: simplest, row: row) : nil
        transcript = simulation.lines
    }

    var text: [String] {
        var lines = ["", "\(scenario), seed \(seed): \(violation)", "  replay: \(command)"]
        if let minimisedCommand { lines.append("  minimised: \(minimisedCommand)") }
        lines.append("  the end of it (\(transcript.count) lines):")
        return lines + transcript.suffix(40).map { "    " + $0 }
    }
}
