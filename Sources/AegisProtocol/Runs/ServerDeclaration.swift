package import AegisCore

/// How the model follows from a round's aggregate. Every node computes it from the same bytes, and
/// what the optimiser remembers is part of the model that is voted on.
package struct ServerDeclaration: Hashable, Sendable {
    package enum Optimizer: String, CaseIterable, Sendable {
        case average = "fedavg"
        case momentum = "fedavgm"
        case adam = "fedadam"
        case yogi = "fedyogi"
    }
    package var optimizer: Optimizer
    package var learningRateMillionths: Int
    /// β of fedavgm, β₁ of fedadam and fedyogi.
    package var momentumMillionths: Int
    /// β₂
    package var decayMillionths: Int
    /// τ
    package var adaptivityMillionths: Int

    package init(
        optimizer: Optimizer = .average, learningRateMillionths: Int = 1_000_000,
        momentumMillionths: Int = 0, decayMillionths: Int = 0, adaptivityMillionths: Int = 0
    ) {
        self.optimizer = optimizer
        self.learningRateMillionths = learningRateMillionths
        self.momentumMillionths = momentumMillionths
        self.decayMillionths = decayMillionths
        self.adaptivityMillionths = adaptivityMillionths
    }

    /// The new model is base plus aggregate.
    package static let plain = ServerDeclaration()

    var cbor: CBOR {
        .fields([
            1: .text(optimizer.rawValue), 2: .integer(Int64(learningRateMillionths)),
            3: .integer(Int64(momentumMillionths)), 4: .integer(Int64(decayMillionths)),
            5: .integer(Int64(adaptivityMillionths)),
        ])
    }

    init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        guard let optimizer = Optimizer(rawValue: try fields.text(1)) else {
            throw .outOfRange(field: 1)
        }
        self.optimizer = optimizer
        learningRateMillionths = try fields.count(2, in: 1...1_000_000_000)
        momentumMillionths = try fields.count(3, in: 0...999_999)
        decayMillionths = try fields.count(4, in: 0...999_999)
        adaptivityMillionths = try fields.count(5, in: 0...1_000_000_000)
        try fields.finish()
        let adapts = optimizer == .adam || optimizer == .yogi
        guard adapts == (adaptivityMillionths > 0) else { throw .outOfRange(field: 5) }
    }
}
