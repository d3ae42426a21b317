import AegisAggregation
import AegisCore

/// A column of the table.
struct TableRule: Sendable {
    let name: String
    /// Of f, the number of hostile updates.
    private let aggregator: @Sendable (Int) -> Aggregator

    private init(_ name: String, _ aggregator: @escaping @Sendable (Int) -> Aggregator) {
        self.name = name
        self.aggregator = aggregator
    }

    /// `f` of the values may be hostile. `weights` are as claimed, and capped here.
    func aggregate(_ values: [[Float]], weights: [UInt64], f: Int) throws -> [Float] {
        let updates = values.enumerated().compactMap { index, values in
            NodeID([UInt8(index)] + [UInt8](repeating: 0, count: 31)).map {
                NodeUpdate(
                    node: $0, weight: Double(min(weights[index], Self.weightMax)), values: values)
            }
        }
        return try aggregator(f).aggregate(updates).values
    }

    /// The largest weight that counts: about the records that a node has on average here.
    static let weightMax: UInt64 = 1_000
    /// τ of centered clipping: about the length of an honest update.
    private static let clippingRadius = 1.0

    /// The mean is by weight, as federated averaging has it; the robust rules count heads.
    static let all: [TableRule] = [
        TableRule("mean") { _ in Aggregator(rule: .weightedMean) },
        TableRule("median") { _ in Aggregator(rule: .median) },
        TableRule("trimmed-mean") { Aggregator(rule: .trimmedMean(byzantine: $0)) },
        TableRule("krum") { Aggregator(rule: .krum(byzantine: $0)) },
        TableRule("geometric-median") { _ in Aggregator(rule: .geometricMedian) },
        TableRule("centered-clipping") { _ in
            Aggregator(rule: .centeredClipping(radius: clippingRadius, steps: 3))
        },
        TableRule("nnm+trimmed-mean") {
            Aggregator(
                preSteps: [.nearestNeighbourMixing(byzantine: $0)],
                rule: .trimmedMean(byzantine: $0))
        },
    ]
}
