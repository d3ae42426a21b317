import AegisSimulation

/// Which scenario meets which seed, one after the other. A function of the scenarios, their weights
/// and the seeds alone: any number of threads, and a campaign that was stopped and goes on, do the
/// same simulations in the same order.
struct SimulationOrder {
    let scenarios: [Scenario]
    let first: UInt64
    let count: Int
    /// One turn: each scenario as often as it weighs, well mixed.
    private let turn: [(scenario: Int, occurrence: UInt64)]
    private let occurrences: [UInt64]

    /// Every scenario meets every seed.
    init(_ scenarios: [Scenario], seeds: SeedRange) {
        self.init(
            scenarios, weights: scenarios.map { _ in 1 }, first: seeds.first,
            count: Int(clamping: seeds.last - seeds.first).addingClamped(1)
                .multipliedClamped(scenarios.count))
    }

    /// So many simulations, shared by the scenarios' weights, each with seeds from the first on.
    init(_ scenarios: [Scenario], simulations: Int, first: UInt64) {
        self.init(
            scenarios, weights: scenarios.map(\.weight), first: first, count: simulations)
    }

    private init(_ scenarios: [Scenario], weights: [Int], first: UInt64, count: Int) {
        self.scenarios = scenarios
        self.first = first
        self.count = count
        // Whoever is furthest behind its share is next (smooth weighted round robin).
        let all = weights.reduce(0, +)
        var credit = weights.map { _ in 0 }
        var occurrences = weights.map { _ in UInt64(0) }
        var turn: [(scenario: Int, occurrence: UInt64)] = []
        for _ in 0..<all {
            for index in weights.indices { credit[index] += weights[index] }
            let next = credit.indices.max { credit[$0] < credit[$1] } ?? 0
            credit[next] -= all
            turn.append((next, occurrences[next]))
            occurrences[next] += 1
        }
        self.turn = turn
        self.occurrences = occurrences
    }

    subscript(index: Int) -> (scenario: Int, seed: UInt64) {
        let (turns, place) = index.quotientAndRemainder(dividingBy: turn.count)
        let (scenario, occurrence) = turn[place]
        return (scenario, first &+ UInt64(turns) &* occurrences[scenario] &+ occurrence)
    }
}

extension Int {
    fileprivate func addingClamped(_ other: Int) -> Int {
        let (sum, isOver) = addingReportingOverflow(other)
        return isOver ? .max : sum
    }

    fileprivate func multipliedClamped(_ other: Int) -> Int {
        let (product, isOver) = multipliedReportingOverflow(by: other)
        return isOver ? .max : product
    }
}
