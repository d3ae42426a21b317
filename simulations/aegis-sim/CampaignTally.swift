import AegisSimulation

/// What the simulations of one scenario have come to so far.
struct CampaignTally: Codable, Sendable {
    let scenario: String
    var seeds = 0
    var failures = 0
    var heights = 0
    var events = 0
    var faults = 0
    var cpuSeconds = 0.0
    /// Of all traces in the order of the seeds.
    var trace: UInt64 = 0

    init(_ scenario: String) { self.scenario = scenario }

    mutating func add(_ outcome: SimulationOutcome) {
        seeds += 1
        failures += outcome.failure == nil ? 0 : 1
        heights += outcome.heights
        events += outcome.events
        faults += outcome.faults
        cpuSeconds += outcome.cpuSeconds
        trace = (trace ^ outcome.trace) &* 0x0000_0100_0000_01b3
    }

    var seedsPerCPUHour: Int {
        cpuSeconds > 0 ? Int(Double(seeds) / cpuSeconds * 3_600) : 0
    }

    static func total(of tallies: [CampaignTally]) -> CampaignTally {
        var total = CampaignTally("all")
        for tally in tallies {
            total.seeds += tally.seeds
            total.failures += tally.failures
            total.heights += tally.heights
            total.events += tally.events
            total.faults += tally.faults
            total.cpuSeconds += tally.cpuSeconds
            total.trace = (total.trace ^ tally.trace) &* 0x0000_0100_0000_01b3
        }
        return total
    }
}

/// What a campaign keeps of one simulation.
struct SimulationOutcome: Sendable {
    /// Its place in the order, and the kind of simulation.
    let index: Int
    let row: Int
    let heights: Int
    let events: Int
    let faults: Int
    let trace: UInt64
    let cpuSeconds: Double
    let failure: CampaignFailure?
}
