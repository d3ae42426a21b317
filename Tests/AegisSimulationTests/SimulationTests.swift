import AegisCore
import AegisProtocol
import AegisSimulation
import Testing

@Suite("A simulated mesh (PROTOCOL.md §2.13, §7.2)")
struct SimulationTests {
    /// The first failing report of these seeds.
    private func failure(
        seeds: Range<UInt64>, participants: Int,
        change: (inout SimulationOptions) -> Void = { _ in }
    ) -> SimulationReport? {
        for seed in seeds {
            var random = SimulationRandom(seed)
            var options = SimulationOptions(drawing: &random, participants: participants)
            change(&options)
            var simulation = Simulation(seed: seed, options: options)
            let report = simulation.run()
            if report.violation != nil { return report }
        }
        return nil
    }

    @Test("without faults every mesh finishes its run", arguments: 1...7)
    func quiet(participants: Int) {
        var options = SimulationOptions(participants: participants)
        options.rounds = 3
        var simulation = Simulation(seed: 1, options: options)
        let report = simulation.run()
        #expect(report.violation == nil, "\(report)")
        #expect(report.heights == 4)
    }

    @Test("no seed breaks an invariant", arguments: 1...7)
    func seeds(participants: Int) {
        let report = failure(seeds: 0..<300, participants: participants)
        #expect(report == nil, "\(report.map(String.init(describing:)) ?? "")")
    }
}
