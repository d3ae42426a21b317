import AegisAggregation
import AegisCore

/// A column of the table.
struct TableRule: Sendable {
    let name: String
    private let body: @Sendable ([[Float]], [UInt64], Int) throws -> [Float]

    /// `f` of the values may be hostile.
    func aggregate(_ values: [[Float]], weights: [UInt64], f: Int) throws -> [Float] {
        try body(values, weights, f)
    }

    static let all: [TableRule] = [
        TableRule(name: "mean") { values, _, _ in
            try AggregationRule.mean.aggregate(updates(values))
        },
        TableRule(name: "trimmed-mean") { values, _, f in
            try AggregationRule.trimmedMean(byzantine: f).aggregate(updates(values))
        },
    ]

    private static func updates(_ values: [[Float]]) -> [NodeUpdate] {
        values.enumerated().compactMap { index, values in
            NodeID([UInt8(index)] + [UInt8](repeating: 0, count: 31)).map {
                NodeUpdate(node: $0, values: values)
            }
        }
    }
}
