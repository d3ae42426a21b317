import AegisProtocol
import AegisSimulation
import Testing

@Suite("Every order of what may be said (PROTOCOL.md §2.13)")
struct ExplorerTests {
    private func report(_ setup: ExplorerSetup) -> ExplorerReport {
        var explorer = Explorer(setup)
        return explorer.explore()
    }

    @Test("one view of four nodes is seen completely, and nothing breaks")
    func oneView() {
        let report = report(ExplorerSetup(nodes: 4, views: 1))
        #expect(report.isComplete)
        #expect(report.violation == nil)
        #expect(report.states > 20)
    }

    @Test("so are two views, with a traitor as coordinator of both")
    func twoViews() {
        let report = report(ExplorerSetup(nodes: 4, views: 2))
        #expect(report.isComplete)
        #expect(report.violation == nil)
        #expect(report.states > 10_000)
    }

    @Test("three views, as far as it goes")
    func threeViews() {
        let report = report(ExplorerSetup(nodes: 4, views: 3, statesMax: 20_000))
        #expect(report.violation == nil)
        #expect(report.states >= 20_000)
    }

    @Test("honest coordinators, too", arguments: [[1, 0], [0, 1], [1, 2]] as [[UInt8]])
    func honestCoordinators(places: [UInt8]) {
        let report = report(
            ExplorerSetup(nodes: 4, views: 2, coordinators: places, statesMax: 1_000))
        #expect(report.violation == nil)
        #expect(report.states > 50)
    }

    @Test("a height that changes the roster, and the next")
    func rosterChange() {
        let report = report(
            ExplorerSetup(nodes: 4, views: 1, isRosterChanging: true, statesMax: 1_500))
        #expect(report.violation == nil)
        #expect(report.states > 500)
    }

    @Test(
        "states that are taken for one behave as one, whatever led to them",
        arguments: [[0, 0, 0], [1, 0, 2], [1, 2, 3]] as [[UInt8]])
    func merging(places: [UInt8]) {
        var explorer = Explorer(ExplorerSetup(nodes: 4, views: 3, coordinators: places))
        #expect(explorer.difference(ways: 500) == nil)
    }

    @Test("so do those on both sides of a change of the roster")
    func mergingAcross() {
        var explorer = Explorer(ExplorerSetup(nodes: 4, views: 2, isRosterChanging: true))
        #expect(explorer.difference(ways: 200) == nil)
    }

    @Test(
        "where traitors are too many for the roster, the fork is found",
        arguments: [(3, 1), (4, 2)])
    func forks(nodes: Int, traitors: Int) {
        var setup = ExplorerSetup(nodes: nodes, traitors: traitors, views: 2)
        setup.isForkSought = true
        let report = report(setup)
        #expect(report.violation?.hasPrefix("I1:") == true)
        #expect(report.transcript.count > 3)
    }

    @Test(
        "a broken rule is found",
        arguments: [
            ("smallQuorum", "I"), ("electionUnbinding", "I"), ("vote2AfterTimeout", "I6"),
            ("timeoutWithoutCertificate", "I"), ("electionByFew", "I"), ("vote1Twice", "I4"),
            ("vote2WithoutQuorum", "I"),
        ])
    func mutants(name: String, invariant: String) throws {
        let breach = try #require(RuleBreaches.named.first { $0.name == name }?.breach)
        let report = report(
            ExplorerSetup(nodes: 4, views: 2, breaches: breach, statesMax: 20_000))
        #expect(report.violation?.hasPrefix(invariant) == true, "\(report.states) states")
    }
}
