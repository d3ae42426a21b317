import AegisProtocol
import AegisSimulation
import Testing

/// What the checkers and the faults are worth: every rule that is broken on purpose is noticed
/// within 20,000 seeds, and by a checker that has to do with it (PROTOCOL.md §7.3).
@Suite("A broken rule is noticed")
struct MutationTests {
    private static let seedsMax: UInt64 = 20_000

    @Test(
        "a rule of the core",
        arguments: [
            ("smallQuorum", "mixed", ["I8", "I1"]),
            ("electionByFew", "hidden-certificates", ["I1", "I3"]),
            ("electionUnbinding", "byzantine-coordinator", ["I1", "I16"]),
            ("vote2AfterTimeout", "mixed", ["I6"]),
            ("timeoutWithoutCertificate", "mixed", ["I1", "I13"]),
            ("aggregateUnchecked", "byzantine-coordinator", ["I2"]),
            ("vote1Twice", "byzantine-coordinator", ["R12", "I4"]),
            ("vote2WithoutQuorum", "byzantine-coordinator", ["I1", "I3"]),
            ("electionNotRecorded", "two-nodes", ["I16"]),
            ("votesNotRestored", "mixed", ["R12", "I4", "I5"]),
            ("listsUnheld", "mixed", ["I7"]),
            ("singleVoucher", "mixed", ["I8", "I9"]),
            ("timeUnchecked", "byzantine-coordinator", ["I8", "I15"]),
            ("stragglersIgnored", "mixed", ["I16"]),
            ("tokensReused", "membership", ["I8", "I11"]),
            ("tokensEternal", "membership", ["I8", "I11"]),
            ("idsReused", "membership", ["I8", "I11"]),
            ("unreadyPromoted", "membership", ["I8"]),
            ("removalsUnlimited", "membership", ["I8"]),
            ("authorsUnchecked", "membership", ["I8"]),
            ("traitorsKept", "membership-traitors", ["I8"]),
            ("quorumOfFounders", "growing", ["I1", "I3", "I8"]),
            ("coSignUnlinked", "forks-three", ["I19", "R12", "I4"]),
            ("coSignsNotRestored", "forks-three", ["I19", "R12", "I4"]),
            ("finalByFew", "mixed", ["I18"]), ("finalUnderFounders", "growing", ["I18"]),
            ("coSignUndecided", "mixed", ["I19"]),
            ("absentKept", "absent", ["I20", "I8"]), ("hastyDemotion", "absent", ["I20", "I8"]),
            ("motionByFew", "motions", ["I21", "I22"]),
        ])
    func rule(name: String, scenario: String, invariants: [String]) throws {
        let breach = try #require(RuleBreaches.named.first { $0.name == name }?.breach)
        try expectViolation(of: invariants, in: scenario) {
            // Else peers notice what was forgotten, and the node falls silent.
            $0.breaches = name == "votesNotRestored" ? [breach, .forgettingIgnored] : breach
        }
    }

    @Test("every rule that can be broken is in the list above")
    func complete() { #expect(RuleBreaches.named.count == 30) }

    @Test(
        "a duty of the shell",
        arguments: [
            (Mutation.vote1NotDurable, "mixed", ["I4"]),
            (.vote2NotDurable, "three-nodes", ["I1", "I13"]),
            (.timeoutNotDurable, "mixed", ["I6"]),
            (.journalLost, "mixed", ["I4", "I5", "I6", "I1", "I13"]),
            (.commitNotDurable, "mixed", ["R12", "I4", "I6"]), (.aggregateForged, "mixed", ["I2"]),
        ])
    func duty(mutation: Mutation, scenario: String, invariants: [String]) throws {
        try expectViolation(of: invariants, in: scenario) {
            $0.mutation = mutation
            $0.breaches = .forgettingIgnored
        }
    }

    private func expectViolation(
        of invariants: [String], in name: String, _ change: (inout SimulationSetup) -> Void
    ) throws {
        let scenario = try ScenarioFiles.scenario(name)
        for seed in 0..<Self.seedsMax / SimulationTests.share {
            var setup = SimulationSetup(seed: seed, options: scenario.options(seed: seed))
            change(&setup)
            guard let violation = setup.report().violation else { continue }
            #expect(
                invariants.contains { violation.hasPrefix($0 + ":") },
                "seed \(seed) of \(name): \(violation)")
            return
        }
        Issue.record("nothing noticed in \(Self.seedsMax) seeds of \(name)")
    }

    @Test("a failure is narrowed down to the faults that it takes, and replays as the same")
    func minimised() throws {
        let scenario = try ScenarioFiles.scenario("mixed")
        let failing = (UInt64(0)..<200).lazy.map { seed in
            SimulationSetup(
                seed: seed, options: scenario.options(seed: seed), breaches: .vote2AfterTimeout
            ).report()
        }.first { $0.violation?.hasPrefix("I6:") == true }
        let report = try #require(failing)
        let setup = report.setup
        var minimiser = Minimiser(report)
        let simplest = minimiser.minimised(setup)
        let again = simplest.report()
        #expect(again.violation?.hasPrefix("I6:") == true)
        #expect(again.trace == simplest.report().trace)
        #expect((simplest.keptFaults?.count ?? .max) < report.faults)
        // Nothing left out can be missed: without any fault at all nothing fails.
        var quiet = simplest
        quiet.keptFaults = []
        #expect(quiet.report().violation == nil)
    }
}
