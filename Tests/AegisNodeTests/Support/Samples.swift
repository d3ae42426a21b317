import AegisCore
import AegisCrypto
import AegisNode
import AegisProtocol

/// Values that tests of several kinds start from.
enum Sample {
    static func mesh(_ number: UInt8 = 7) -> MeshID {
        guard let mesh = MeshID([UInt8](repeating: number, count: 16)) else {
            preconditionFailure("16 bytes")
        }
        return mesh
    }

    static func run(_ number: UInt8 = 1) -> RunID {
        guard let run = RunID([UInt8](repeating: number, count: 16)) else {
            preconditionFailure("16 bytes")
        }
        return run
    }

    static func node(_ number: UInt8) -> NodeID {
        guard let node = NodeID([number] + [UInt8](repeating: 0, count: 31)) else {
            preconditionFailure("32 bytes")
        }
        return node
    }

    static func digest(_ number: UInt8) -> Digest { SHA256.digest(of: [number]) }

    static let privacy = PrivacyDeclaration(
        samplingRateMillionths: 250_000, noiseMultiplierMillionths: 1_500_000,
        clipNormMillionths: 1_000_000, deltaTrillionths: 10_000_000)

    /// A run of `model` with four local steps on the data set "tiny".
    static func specification(
        _ model: ModelDeclaration = .none(parameters: 64), run: RunID = run(),
        rounds: Int = 4, privacy: PrivacyDeclaration? = nil, softMilliseconds: Int = 1_000,
        rule: AggregationDeclaration.Rule = .mean
    ) -> RunSpecification {
        RunSpecification(
            run: run, name: "sample", model: model, dataset: "tiny", rounds: rounds,
            training: TrainingDeclaration(
                localSteps: 4, expectedBatch: 10, learningRateMillionths: 100_000,
                momentumMillionths: 0, seed: 7),
            privacy: privacy,
            aggregation: AggregationDeclaration(
                rule: rule, byzantine: rule == .mean ? 0 : 1,
                updateNormMaxMillionths: 1_000_000),
            deadlines: Deadlines(
                softMilliseconds: softMilliseconds, hardMilliseconds: 3 * softMilliseconds),
            participantsMin: 2)
    }

    static func dataset(
        _ name: String = "tiny", source: String = "/nowhere", epsilon: Double = 50
    ) -> DatasetDeclaration {
        DatasetDeclaration(
            name: name, source: source, slice: nil,
            budget: BudgetDeclaration(epsilon: epsilon, delta: 1e-5))
    }
}

/// The error that `body` throws, in its own type.
func failure<Failure: Error>(
    _ type: Failure.Type, _ body: () throws -> Void
) -> Failure? {
    do {
        try body()
        return nil
    } catch { return error as? Failure }
}
