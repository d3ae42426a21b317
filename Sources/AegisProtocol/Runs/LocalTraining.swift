package import AegisCore

/// What a run may declare beyond plain SGD at a constant rate. All of it is public, and all of it
/// acts after the noise or before the clip, so that none costs privacy.
package struct TrainingRefinements: Hashable, Sendable {
    package enum Optimizer: String, CaseIterable, Sendable {
        case sgd, adam
    }
    /// How the learning rate falls over all steps of the run.
    package enum Schedule: String, CaseIterable, Sendable {
        case constant, linear, cosine
    }
    package var optimizer: Optimizer
    package var schedule: Schedule
    /// Steps of the run over which the rate first rises.
    package var warmUpSteps: Int
    /// μ of FedProx.
    package var proximalMillionths: Int
    /// Decay of the running mean of a round's parameters, which is then what the update is made
    /// of; 0 for none.
    package var averagingMillionths: Int
    /// K: views of each record, whose gradients are averaged before the clip; 1 for itself.
    package var views: Int
    /// Pixels by which a view may move.
    package var shift: Int
    /// Whether a view may be mirrored.
    package var mirror: Bool

    package init(
        optimizer: Optimizer = .sgd, schedule: Schedule = .constant, warmUpSteps: Int = 0,
        proximalMillionths: Int = 0, averagingMillionths: Int = 0, views: Int = 1,
        shift: Int = 0, mirror: Bool = false
    ) {
        self.optimizer = optimizer
        self.schedule = schedule
        self.warmUpSteps = warmUpSteps
        self.proximalMillionths = proximalMillionths
        self.averagingMillionths = averagingMillionths
        self.views = views
        self.shift = shift
        self.mirror = mirror
    }

    /// None of it.
    package static let none = TrainingRefinements()

    var cbor: CBOR {
        .fields([
            1: .text(optimizer.rawValue), 2: .text(schedule.rawValue),
            3: .integer(Int64(warmUpSteps)), 4: .integer(Int64(proximalMillionths)),
            5: .integer(Int64(averagingMillionths)), 6: .integer(Int64(views)),
            7: .integer(Int64(shift)), 8: .bool(mirror),
        ])
    }

    init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        guard let optimizer = Optimizer(rawValue: try fields.text(1)) else {
            throw .outOfRange(field: 1)
        }
        guard let schedule = Schedule(rawValue: try fields.text(2)) else {
            throw .outOfRange(field: 2)
        }
        self.optimizer = optimizer
        self.schedule = schedule
        warmUpSteps = try fields.count(3, in: 0...1_000_000)
        proximalMillionths = try fields.count(4, in: 0...1_000_000_000)
        averagingMillionths = try fields.count(5, in: 0...999_999)
        views = try fields.count(6, in: 1...64)
        shift = try fields.count(7, in: 0...64)
        mirror = try fields.bool(8)
        try fields.finish()
    }
}

/// How each record's gradient is bounded.
package enum ClippingDeclaration: Hashable, Sendable {
    /// To the clip norm, where it is longer.
    case flat
    /// To the clip norm always, or almost (Bu et al. 2023).
    case automatic
    /// To a norm that follows the quantile (Andrew et al. 2021), with so much noise on the count.
    case adaptive(quantileMillionths: Int, countNoiseMillionths: Int)

    package static let names = ["flat", "automatic", "adaptive"]

    var cbor: CBOR {
        switch self {
        case .flat: .fields([1: "flat"])
        case .automatic: .fields([1: "automatic"])
        case .adaptive(let quantile, let noise):
            .fields([
                1: "adaptive", 2: .integer(Int64(quantile)), 3: .integer(Int64(noise)),
            ])
        }
    }

    init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        switch try fields.text(1) {
        case "flat": self = .flat
        case "automatic": self = .automatic
        case "adaptive":
            self = .adaptive(
                quantileMillionths: try fields.count(2, in: 1...999_999),
                countNoiseMillionths: try fields.count(3, in: 1...1_000_000_000_000))
        default: throw .outOfRange(field: 1)
        }
        try fields.finish()
    }
}
