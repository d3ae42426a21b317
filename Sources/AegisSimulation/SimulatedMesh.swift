import AegisCore
import AegisProtocol

/// A founded mesh and the commands its admin gives.
struct SimulatedMesh {
    let rules: MeshRules
    let commands: [SignedEnvelope]

    init(
        _ options: SimulationOptions, _ cryptography: any SimulationCryptography,
        breaches: RuleBreaches
    ) {
        let admin = cryptography.node(200)
        guard let mesh = MeshID(Array(repeating: 7, count: 16)),
            let run = RunID(Array(repeating: 9, count: 16))
        else { preconditionFailure("sixteen bytes each") }
        let isStrict = options.strictThree > 0
        let policy = MeshPolicy(
            strictThree: isStrict, viewTimeoutMilliseconds: 1_000,
            removalIntervalMilliseconds: 30_000)
        let founding = FoundingStatement(
            mesh: mesh, name: "simulated", admin: admin, policy: policy,
            foundedAt: UInt64(Simulation.epoch - 1_000_000))
        let entries = (0..<options.participants).map { index in
            RosterEntry(
                node: cryptography.node(UInt8(index + 1)), name: "node-\(index)",
                address: "-:\(index)")
        }
        guard let roster = try? Roster(epoch: 1, entries: entries, strictThree: isStrict)
        else { preconditionFailure("distinct names and nodes") }
        let genesis = GenesisStatement(
            mesh: mesh, founding: cryptography.digest(founding.payload), roster: roster)
        rules = MeshRules(
            founding: founding, genesis: genesis, cryptography: cryptography,
            breaches: breaches)
        var actions: [Command.Action] = [.start(Self.specification(run, options))]
        if options.stopped > 0 { actions.append(.stop(run, reason: "enough")) }
        commands = actions.enumerated().map { index, action in
            let command = Command(
                mesh: mesh, sequence: UInt64(index + 1),
                expiresAt: UInt64(Simulation.epoch + 100_000_000), action: action)
            return cryptography.sign(.command, from: admin, payload: command.payload)
        }
    }

    /// Adaptive ones end late, so that only the wish to wait decides.
    private static func deadlines(_ options: SimulationOptions) -> Deadlines {
        guard options.adaptiveMilliseconds > 0 else {
            return Deadlines(softMilliseconds: 1_500, hardMilliseconds: 4_000)
        }
        return Deadlines(
            softMilliseconds: 60_000, hardMilliseconds: 60_000,
            adaptiveMinimumMilliseconds: options.adaptiveMilliseconds)
    }

    static func specification(
        _ run: RunID, _ options: SimulationOptions
    ) -> RunSpecification {
        RunSpecification(
            run: run, name: "run", model: .none(parameters: 10), dataset: "none",
            rounds: options.rounds,
            training: TrainingDeclaration(
                localSteps: 1, expectedBatch: 1, learningRateMillionths: 1,
                momentumMillionths: 0, seed: 1),
            privacy: nil,
            aggregation: AggregationDeclaration(
                rule: .mean, byzantine: 0, updateNormMaxMillionths: 1),
            deadlines: Self.deadlines(options),
            participantsMin: options.updatesMin)
    }
}
