/// What hostile nodes do in a round, by the names of the papers that found them. The values are
/// those of the papers or of the benchmark that spread them (ByzFL).
package enum Attack: Hashable, Sendable {
    /// None: every node is honest.
    case none
    /// −μ, μ the mean of the honest updates.
    case signFlip
    /// The mean of the honest updates, `factor` times; negative turns it round.
    case scaled(factor: Double)
    /// Inner product manipulation, −εμ (Xie, Koyejo and Gupta, UAI 2019). A small ε hides within
    /// the honest updates, a large one turns the mean round.
    case innerProduct(epsilon: Double)
    /// A little is enough: μ − zσ in each coordinate (Baruch, Baruch and Goldberg, NeurIPS 2019).
    /// Without `deviations`, the paper's z of n and f.
    case littleIsEnough(deviations: Double?)
    /// The same with the z for which the rule in use is furthest from the honest mean, found by a
    /// line search against that rule (Shejwalkar and Houmansadr, NDSS 2021).
    case littleIsEnoughOptimised
    /// Copies of one honest node, always the same: over-represents it where data differ
    /// (Karimireddy, He and Jaggi, ICLR 2022).
    case mimic
    /// Honest training on labels turned round, y → classes − 1 − y.
    case labelFlip
    /// The furthest along −σ that is no further from any honest update than the two most distant
    /// honest updates are from each other (Shejwalkar and Houmansadr, NDSS 2021).
    case minMax
    /// The furthest along −σ whose summed squared distance to the honest updates is at most the
    /// largest such sum of an honest one (same paper).
    case minSum
    /// Independent normal values of this deviation, around zero.
    case gaussian(deviation: Double)
    /// Nothing learnt.
    case zero
    /// Training on records with a trigger and one target label, the update then scaled by `factor`
    /// to outweigh the others (Bagdasaryan et al., AISTATS 2020).
    case backdoor(factor: Double)
    /// −μ under a claimed weight: what a count of examples that nobody checks lets a node do.
    case weightInflation(weight: UInt64)

    /// In file names, tables and scenarios.
    package var name: String {
        switch self {
        case .none: "none"
        case .signFlip: "sign-flip"
        case .scaled: "scaled"
        case .innerProduct(let epsilon): epsilon < 1 ? "ipm-small" : "ipm-large"
        case .littleIsEnough: "alie"
        case .littleIsEnoughOptimised: "alie-optimised"
        case .mimic: "mimic"
        case .labelFlip: "label-flip"
        case .minMax: "min-max"
        case .minSum: "min-sum"
        case .gaussian: "gaussian"
        case .zero: "zero"
        case .backdoor: "backdoor"
        case .weightInflation: "weight-inflation"
        }
    }

    /// Every attack with its usual strength, the harmless case first.
    package static let catalogue: [Attack] = [
        .none, .signFlip, .scaled(factor: -10), .innerProduct(epsilon: 0.1),
        .innerProduct(epsilon: 2), .littleIsEnough(deviations: nil), .littleIsEnoughOptimised,
        .mimic, .labelFlip, .minMax, .minSum, .gaussian(deviation: 20), .zero,
        .backdoor(factor: 3), .weightInflation(weight: 1_000_000),
    ]

    package init?(name: String) {
        guard let attack = Self.catalogue.first(where: { $0.name == name }) else { return nil }
        self = attack
    }

    /// What is done to a hostile node's own records before it trains.
    package var poisoning: DataPoisoning? {
        switch self {
        case .labelFlip: .labelFlip
        case .backdoor: .backdoor(BackdoorTrigger())
        default: nil
        }
    }
}
