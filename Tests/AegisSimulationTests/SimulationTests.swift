import AegisProtocol
import AegisSimulation
import Testing

@Suite("A simulated mesh (PROTOCOL.md §2.13, §7.2)")
struct SimulationTests {
    /// A debug build runs some ten times slower, and takes a part of the seeds.
    static let share: UInt64 = {
        #if DEBUG
            10
        #else
            1
        #endif
    }()

    @Test("without faults every mesh finishes its run", arguments: 1...7)
    func quiet(participants: Int) {
        var options = SimulationOptions(participants: participants)
        options.rounds = 3
        options.straggling = 0
        let report = SimulationSetup(seed: 1, options: options).report()
        #expect(report.violation == nil, "\(report)")
        #expect(report.heights == 4)
    }

    @Test("no seed breaks an invariant, and every mesh recovers", arguments: ScenarioFiles.names)
    func seeds(name: String) throws {
        let scenario = try ScenarioFiles.scenario(name)
        guard !scenario.isBeyond else { return }
        for seed in 0..<120 / Self.share {
            let report = SimulationSetup(seed: seed, options: scenario.options(seed: seed))
                .report()
            #expect(report.violation == nil, "\(name): \(report)")
            if report.violation != nil { return }
        }
    }

    @Test(
        "what a seed has found once stays mended",
        arguments: [("membership", 730), ("growing", 3_420)])
    func found(name: String, seed: UInt64) throws {
        let scenario = try ScenarioFiles.scenario(name)
        let report = SimulationSetup(seed: seed, options: scenario.options(seed: seed)).report()
        #expect(report.violation == nil, "\(report)")
    }

    @Test("the same seed gives the same trace, another seed another")
    func reproducible() throws {
        let scenario = try ScenarioFiles.scenario("mixed")
        func trace(_ seed: UInt64) -> UInt64 {
            SimulationSetup(seed: seed, options: scenario.options(seed: seed)).report().trace
        }
        for seed in UInt64(0)..<20 { #expect(trace(seed) == trace(seed)) }
        #expect(trace(1) != trace(2))
    }

    @Test("a recorded simulation is the same as an unrecorded one")
    func recording() throws {
        let scenario = try ScenarioFiles.scenario("mixed")
        for seed in UInt64(0)..<20 {
            let setup = SimulationSetup(seed: seed, options: scenario.options(seed: seed))
            var recorded = Simulation(setup, isRecording: true)
            #expect(recorded.run().trace == setup.report().trace)
            #expect(!recorded.lines.isEmpty)
        }
    }

    @Test(
        "what happens is what the golden transcripts say (AEGIS_RECORD=1 writes them)",
        arguments: [
            "calm", "byzantine-coordinator", "coordinator-killed", "partitions", "crashes",
            "membership",
        ])
    func golden(name: String) throws {
        let scenario = try ScenarioFiles.scenario(name)
        var simulation = Simulation(
            SimulationSetup(seed: 7, options: scenario.options(seed: 7)), isRecording: true)
        let report = simulation.run()
        try ScenarioFiles.expect(
            ["aegis-sim --seeds 7 --scenario \(name) --replay", ""] + simulation.lines
                + ["", "\(report)"],
            equals: name)
    }

    @Test(
        "where traitors fork the chain, everybody stops and more than f are convicted (I14)",
        arguments: ["forks-three", "forks-four"])
    func forks(name: String) throws {
        let scenario = try ScenarioFiles.scenario(name)
        var forked = 0
        for seed in 0..<300 / Self.share {
            let report = SimulationSetup(seed: seed, options: scenario.options(seed: seed))
                .report()
            #expect(report.violation == nil, "\(name): \(report)")
            if report.violation != nil { return }
            if report.isForked { forked += 1 }
        }
        #expect(forked > 0)
    }

    @Test("with more traitors than a roster bears, the chain does fork, and it is seen")
    func tooManyTraitors() throws {
        let scenario = try ScenarioFiles.scenario("too-many-traitors")
        let isSeen = (UInt64(0)..<500).contains { seed in
            SimulationSetup(seed: seed, options: scenario.options(seed: seed)).report()
                .violation != nil
        }
        #expect(isSeen)
    }
}
