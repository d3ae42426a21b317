import AegisSimulation
import Testing

@Suite("A simulated mesh (PROTOCOL.md §2.13, §7.2)")
struct SimulationTests {
    /// A debug build runs some ten times slower, and takes a part of the seeds.
    private static let share: UInt64 = {
        #if DEBUG
            10
        #else
            1
        #endif
    }()

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
        arguments: [(1, 300), (2, 400), (3, 600), (4, 600), (5, 300), (6, 150), (7, 100)])
    func seeds(participants: Int, count: UInt64) {
        for seed in 0..<count / Self.share {
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
        for seed in UInt64(0)..<40 / Self.share {
            let report = report(seed, .harsh(participants: participants, twins: 1))
            #expect(report.violation == nil, "\(report)")
        }
    }

    /// What the checkers are worth: a shell that breaks its duty is caught, and by which of them.
    @Test(
        "a shell that breaks its duty is caught",
        arguments: [
            (Mutation.vote1NotDurable, 4, 1, ["I4"]), (.vote2NotDurable, 3, 0, ["I1"]),
            (.timeoutNotDurable, 4, 0, ["I6"]), (.journalLost, 4, 0, ["I4"]),
            (.commitNotDurable, 4, 0, ["R12", "I4", "I6"]), (.aggregateForged, 4, 0, ["I2"]),
        ])
    func mutants(mutation: Mutation, participants: Int, twins: Int, invariants: [String]) {
        var options = SimulationOptions.harsh(participants: participants, twins: twins)
        options.mutation = mutation
        options.crashRate = 0
        options.crashOnVotePerMille = mutation == .vote2NotDurable ? 500 : 600
        options.lossPerMille = 300
        // Whoever has committed must stay alone until the others have given up on the view.
        options.partitionInterval = mutation == .vote2NotDurable ? 6_000 : 700
        for seed in UInt64(0)..<2_000 {
            guard let violation = report(seed, options).violation else { continue }
            #expect(
                invariants.contains { violation.hasPrefix($0) }, "seed \(seed): \(violation)")
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
