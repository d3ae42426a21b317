import AegisProtocol
import AegisSimulation

/// What the command line asks for beyond a scenario and a seed.
struct SetupPlan {
    let settings: [Setting]
    let faults: FaultList?
    let breakage: Breakage?
    let cryptography: any SimulationCryptography

    func setup(_ seed: UInt64, of scenario: Scenario) -> SimulationSetup {
        var options = scenario.options(seed: seed)
        for setting in settings {
            for field in SimulationOptions.fields where field.name == setting.name {
                options[keyPath: field.path] = setting.value
            }
        }
        var setup = SimulationSetup(
            seed: seed, options: options, keptFaults: faults?.numbers,
            cryptography: cryptography)
        breakage?.apply(to: &setup)
        return setup
    }

    /// The command that repeats exactly this.
    func command(for setup: SimulationSetup, of scenario: Scenario) -> String {
        let drawn = scenario.options(seed: setup.seed)
        var words = ["aegis-sim", "--seeds \(setup.seed)", "--scenario \(scenario.name)"]
        for field in SimulationOptions.fields {
            let value = setup.options[keyPath: field.path]
            if value != drawn[keyPath: field.path] { words.append("--set \(field.name)=\(value)") }
        }
        if let kept = setup.keptFaults {
            let numbers = kept.sorted().map(String.init).joined(separator: ",")
            words.append("--faults \(numbers.isEmpty ? "none" : numbers)")
        }
        if let breakage { words.append("--break \(breakage.name)") }
        if cryptography is RealCryptography { words.append("--crypto real") }
        return (words + ["--replay"]).joined(separator: " ")
    }
}

/// A rule of the core or a duty of the shell, broken on purpose.
enum Breakage {
    case rule(String, RuleBreaches)
    case duty(Mutation)

    init?(_ name: String) {
        if let rule = RuleBreaches.named.first(where: { $0.name == name }) {
            self = .rule(rule.name, rule.breach)
        } else if let duty = Mutation(rawValue: name) {
            self = .duty(duty)
        } else {
            return nil
        }
    }

    func apply(to setup: inout SimulationSetup) {
        switch self {
        case .rule(_, let breach): setup.breaches = breach
        case .duty(let mutation): setup.mutation = mutation
        }
    }

    var name: String {
        switch self {
        case .rule(let name, _): name
        case .duty(let mutation): mutation.rawValue
        }
    }

    static let names = RuleBreaches.named.map(\.name) + Mutation.allCases.map(\.rawValue)
}
