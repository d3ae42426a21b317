import AegisSimulation

/// What a campaign does: so many simulations in a fixed order.
protocol Workload: Sendable {
    /// The kinds that the result tells apart.
    var rows: [String] { get }
    /// Places in the order; some may be empty.
    var count: Int { get }
    func simulation(at index: Int) -> (row: Int, setup: SimulationSetup)?
    /// The command that repeats exactly this.
    func command(for setup: SimulationSetup, row: Int) -> String
}

/// Scenarios under seeds.
struct SeedsWorkload: Workload {
    let order: SimulationOrder
    let plan: SetupPlan

    var rows: [String] { order.scenarios.map(\.name) }
    var count: Int { order.count }

    func simulation(at index: Int) -> (row: Int, setup: SimulationSetup)? {
        let (scenario, seed) = order[index]
        return (scenario, plan.setup(seed, of: order.scenarios[scenario]))
    }

    func command(for setup: SimulationSetup, row: Int) -> String {
        plan.command(for: setup, of: order.scenarios[row])
    }
}

/// Schedules of Twins.
struct TwinsWorkload: Workload {
    let enumeration: TwinsEnumeration
    let breakage: Breakage?
    let cryptography: any SimulationCryptography

    var rows: [String] { ["twins"] }
    var count: Int { Int(clamping: enumeration.count) }

    func simulation(at index: Int) -> (row: Int, setup: SimulationSetup)? {
        enumeration[UInt64(index)].map { (0, setup($0)) }
    }

    func setup(_ schedule: TwinsSchedule) -> SimulationSetup {
        var setup = SimulationSetup.twins(
            schedule, nodes: enumeration.nodes, cryptography: cryptography)
        breakage?.apply(to: &setup)
        return setup
    }

    func command(for setup: SimulationSetup, row: Int) -> String {
        var words = ["aegis-sim twins"]
        if enumeration.nodes != 4 { words.append("--nodes \(enumeration.nodes)") }
        if let breakage { words.append("--break \(breakage.name)") }
        if cryptography is RealCryptography { words.append("--crypto real") }
        words.append("--schedule \(setup.schedule?.description ?? "")")
        return words.joined(separator: " ")
    }
}
