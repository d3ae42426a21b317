import AegisProtocol
import AegisSimulation
import Testing

@Suite("Twins (arXiv 2004.10617)")
struct TwinsTests {
    @Test("the enumeration keeps one schedule of those that differ in names only")
    func symmetries() throws {
        for views in 1...2 {
            let all = try #require(TwinsEnumeration(views: views))
            let kept = (0..<all.count).compactMap { all[$0] }
            #expect(Set(kept).count == kept.count)
            #expect(UInt64(kept.count) == all.distinct)
            // Each other one is a kept one under another name: counted by brute force.
            #expect(Set(kept.map(Self.smallestName)).count == kept.count)
            #expect(Self.namings(views: views) == kept.count)
        }
    }

    @Test("a step that goes all over the schedules visits each once")
    func permutation() throws {
        let all = try #require(TwinsEnumeration(views: 2, setsMax: 5))
        let kept = (0..<all.count).compactMap { all[$0] }
        #expect(Set(kept).count == kept.count)
        #expect(UInt64(kept.count) == all.distinct)
    }

    @Test("a schedule is read as it is written")
    func text() throws {
        let all = try #require(TwinsEnumeration(views: 3))
        let schedule = try #require((0..<all.count).lazy.compactMap { all[$0] }.first)
        #expect(TwinsSchedule("\(schedule)", nodes: 4) == schedule)
        #expect(TwinsSchedule("01234:4", nodes: 4) == nil)
        #expect(TwinsSchedule("0123:0", nodes: 4) == nil)
        #expect(TwinsSchedule("02000:0", nodes: 4) == nil)
    }

    @Test("no schedule of two views breaks an invariant, nor do some of eight", arguments: [2, 8])
    func schedules(views: Int) throws {
        let all = try #require(TwinsEnumeration(views: views))
        let schedules = (0..<min(all.count, 6_000)).lazy.compactMap { all[$0] }
            .prefix(views == 2 ? 1_000 : 150)
        for schedule in schedules {
            let report = SimulationSetup.twins(schedule).report()
            #expect(report.violation == nil, "\(report)")
            if report.violation != nil { return }
        }
    }

    @Test(
        "schedules notice a broken rule",
        arguments: [
            "smallQuorum", "timeoutWithoutCertificate", "vote1Twice", "vote2WithoutQuorum",
        ])
    func mutants(name: String) throws {
        let breach = try #require(RuleBreaches.named.first { $0.name == name }?.breach)
        let all = try #require(TwinsEnumeration(views: 3))
        let isNoticed = (0..<all.count).lazy.compactMap { all[$0] }.prefix(4_000).contains {
            SimulationSetup.twins($0, breaches: breach).report().violation != nil
        }
        #expect(isNoticed)
    }

    /// Every schedule of two sets, each under its smallest name.
    private static func namings(views: Int) -> Int {
        let steps = (0..<16).flatMap { sets in
            (0..<4).map { coordinator in
                // Set 0 is the first process's.
                TwinsSchedule.Step(
                    sets: [0] + (0..<4).map { UInt8(sets >> $0 & 1) },
                    coordinator: UInt8(coordinator))
            }
        }
        var schedules: [[TwinsSchedule.Step]] = [[]]
        for _ in 0..<views {
            schedules = schedules.flatMap { first in steps.map { first + [$0] } }
        }
        return Set(schedules.map { smallestName(TwinsSchedule($0)) }).count
    }

    private static func smallestName(_ schedule: TwinsSchedule) -> String {
        let orders = [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]]
        return orders.flatMap { order in
            [[0, 1], [1, 0]].map { twins -> String in
                let steps = schedule.steps.map { step -> TwinsSchedule.Step in
                    let sets = (twins + order.map { $0 + 1 }).map { step.sets[$0] }
                    let first = sets[0]
                    let coordinator =
                        step.coordinator == 0
                        ? 0 : (order.firstIndex(of: Int(step.coordinator)) ?? 0) + 1
                    return .init(
                        sets: sets.map { $0 == first ? 0 : 1 }, coordinator: UInt8(coordinator))
                }
                return "\(TwinsSchedule(steps))"
            }
        }.min() ?? ""
    }
}
