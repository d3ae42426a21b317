package import AegisProtocol

/// All that a simulation follows from.
package struct SimulationSetup: Sendable {
    package let seed: UInt64
    package var options: SimulationOptions
    /// Rules of the core that every node breaks, and duties of the shell: to test the checkers.
    package var breaches: RuleBreaches
    package var mutation: Mutation?
    /// The numbers of the faults that strike; nil: all that are drawn.
    package var keptFaults: Set<Int>?
    package var cryptography: any SimulationCryptography
    /// Who can talk to whom and who coordinates, view by view; nil: as the options say.
    package var schedule: TwinsSchedule?

    package init(
        seed: UInt64, options: SimulationOptions, breaches: RuleBreaches = [],
        mutation: Mutation? = nil, keptFaults: Set<Int>? = nil,
        cryptography: any SimulationCryptography = SymbolicCryptography(),
        schedule: TwinsSchedule? = nil
    ) {
        self.seed = seed
        self.options = options
        self.breaches = breaches
        self.mutation = mutation
        self.keptFaults = keptFaults
        self.cryptography = cryptography
        self.schedule = schedule
    }

    package func report() -> SimulationReport {
        var simulation = Simulation(self)
        return simulation.run()
    }
}

/// How a simulation went.
package struct SimulationReport: CustomStringConvertible, Sendable {
    package let setup: SimulationSetup
    package let violation: String?
    /// Equal for equal runs.
    package let trace: UInt64
    package let events: Int
    package let faults: Int
    package let milliseconds: Int
    package let heights: Int
    /// Two values were decided at one height.
    package let isForked: Bool
    /// Where deadlines are adaptive: of each round, and whether the last founder was in time.
    package let deadlines: [Deadline]

    package struct Deadline: Hashable, Sendable {
        package let round: Int
        package let milliseconds: Int
        package let isIncluded: Bool
    }

    package var description: String {
        "seed \(setup.seed), "
            + (setup.schedule.map { "schedule \($0), " } ?? "")
            + "\(setup.options): \(violation ?? "holds") after \(events) events, "
            + "\(faults) faults, \(milliseconds) ms, \(heights) heights, trace \(trace)"
    }
}

/// Narrows a failure down: first whole kinds of faults go, then single ones (delta debugging), as
/// long as the same invariant is broken.
package struct Minimiser: Sendable {
    /// How many simulations it may take.
    private var left: Int
    private let invariant: Substring

    package init(_ report: SimulationReport, runsMax: Int = 600) {
        left = runsMax
        invariant = Self.invariant(report.violation)
    }

    package mutating func minimised(_ failing: SimulationSetup) -> SimulationSetup {
        var best = withoutKinds(joined(failing))
        guard best.keptFaults == nil else { return best }
        best.keptFaults = Set(1...max(1, best.report().faults))
        narrow(&best)
        return best
    }

    /// A schedule whose views are not cut where that isn't needed.
    private mutating func joined(_ failing: SimulationSetup) -> SimulationSetup {
        var best = failing
        guard let schedule = failing.schedule else { return best }
        for view in schedule.steps.indices {
            var simpler = best
            simpler.schedule = best.schedule?.joining(view)
            if simpler.schedule != best.schedule, isFailing(simpler) { best = simpler }
        }
        return best
    }

    private mutating func withoutKinds(_ failing: SimulationSetup) -> SimulationSetup {
        var best = failing
        let plain = SimulationOptions()
        for field in SimulationOptions.fields where SimulationOptions.faults.contains(field.name) {
            guard best.options[keyPath: field.path] != plain[keyPath: field.path] else { continue }
            var simpler = best
            simpler.options[keyPath: field.path] =
                field.name == "straggling" ? 0 : plain[keyPath: field.path]
            if isFailing(simpler) { best = simpler }
        }
        return best
    }

    private mutating func narrow(_ best: inout SimulationSetup) {
        var kept = (best.keptFaults ?? []).sorted()
        var pieces = 2
        while kept.count > 1, left > 0 {
            let size = max(1, (kept.count + pieces - 1) / pieces)
            var isSmaller = false
            for start in stride(from: 0, to: kept.count, by: size) where left > 0 {
                var trial = best
                let rest = kept[..<start] + kept[min(start + size, kept.count)...]
                trial.keptFaults = Set(rest)
                guard isFailing(trial) else { continue }
                best = trial
                kept = Array(rest)
                isSmaller = true
                break
            }
            if isSmaller {
                pieces = max(2, pieces - 1)
            } else {
                guard size > 1 else { break }
                pieces = min(kept.count, pieces * 2)
            }
        }
        // Those that no longer strike are no part of the schedule.
        let count = best.report().faults
        best.keptFaults = best.keptFaults?.filter { $0 <= count }
    }

    private mutating func isFailing(_ setup: SimulationSetup) -> Bool {
        guard left > 0 else { return false }
        left -= 1
        return Self.invariant(setup.report().violation) == invariant
    }

    /// `I4` of "I4: node 2 signed …".
    private static func invariant(_ violation: String?) -> Substring {
        violation.map { $0.prefix { $0 != ":" } } ?? "none"
    }
}
