import AegisSimulation
import Testing

@Suite("A simulated mesh (PROTOCOL.md §2.13, §7.2)")
struct SimulationTests {
    private func report(
        _ seed: UInt64, _ options: SimulationOptions
    ) -> SimulationReport {
        var simulation = Simulation(seed: seed, options: options)
        return simulation.run()
    }

    private func drawn(_ seed: UInt64, participants: Int) -> SimulationReport {
        var random = SimulationRandom(seed)
        return report(seed, SimulationOptions(drawing: &random, participants: participants))
    }

    @Test("without faults every mesh finishes its run", arguments: 1...7)
    func quiet(participants: Int) {
        var options = SimulationOptions(participants: participants)
        options.rounds = 3
        let report = report(1, options)
        #expect(report.violation == nil, "\(report)")
        #expect(report.heights == 4)
    }

    @Test(
        "no seed breaks an invariant, and every mesh recovers",
        arguments: [(1, 500), (2, 500), (3, 500), (4, 500), (5, 400), (6, 200), (7, 200)])
    func seeds(participants: Int, count: UInt64) {
        for seed in 0..<count {
            let report = drawn(seed, participants: participants)
            #expect(report.violation == nil, "\(report)")
            if report.violation != nil { return }
        }
    }

    @Test("the same seed gives the same trace, another seed another")
    func reproducible() {
        for seed in UInt64(0)..<20 {
            #expect(drawn(seed, participants: 4).trace == drawn(seed, participants: 4).trace)
        }
        #expect(drawn(1, participants: 4).trace != drawn(2, participants: 4).trace)
    }

    @Test("everything at once, with one node in two copies, breaks nothing", arguments: [4, 5, 7])
    func harsh(participants: Int) {
        for seed in UInt64(0)..<60 {
            let report = report(seed, .harsh(participants: participants, twins: 1))
            #expect(report.violation == nil, "\(report)")
        }
    }

    /// What the checkers are worth: a shell that breaks its duty is caught, and how.
    @Test(
        "a shell that breaks its duty is caught",
        arguments: [
            (Mutation.vote1NotDurable, 4, 1, "I4"), (.vote2NotDurable, 4, 1, "I"),
            (.timeoutNotDurable, 4, 0, "I6"), (.journalLost, 4, 0, "I4"),
            (.commitNotDurable, 4, 0, ""), (.aggregateForged, 4, 0, "I2"),
        ])
    func mutants(mutation: Mutation, participants: Int, twins: Int, invariant: String) {
        var options = SimulationOptions.harsh(participants: participants, twins: twins)
        options.mutation = mutation
        for seed in UInt64(0)..<3_000 {
            guard let violation = report(seed, options).violation else { continue }
            #expect(violation.hasPrefix(invariant), "seed \(seed): \(violation)")
            return
        }
        Issue.record("\(mutation) survived")
    }

    @Test("with more traitors than a roster bears, the chain does fork, and it is seen")
    func tooManyTraitors() {
        var options = SimulationOptions.harsh(participants: 4, twins: 3)
        options.crashRate = 0
        options.crashOnVotePerMille = 0
        let isSeen = (UInt64(0)..<500).contains { report($0, options).violation != nil }
        #expect(isSeen)
    }
}
