/// What a person needs to know to choose a rule.
package struct RuleDescription: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable { case rule, preStep = "pre-step" }

    package let kind: Kind
    /// As `Aggregator(named:parameters:)` reads it.
    package let name: String
    /// By the names of the reference vectors.
    package let parameters: [String]
    /// What n, the number of updates, must be.
    package let needs: String
    /// Hostile updates that can't lead the result away.
    package let tolerance: String
    /// Time in n updates of d values.
    package let cost: String
    package let source: String
    package let note: String

    init(
        _ kind: Kind, _ name: String, _ parameters: [String] = [], needs: String,
        tolerance: String, cost: String, source: String, note: String
    ) {
        self.kind = kind
        self.name = name
        self.parameters = parameters
        self.needs = needs
        self.tolerance = tolerance
        self.cost = cost
        self.source = source
        self.note = note
    }

    package static let all = rules + preSteps

    private static let rules = [
        Self(
            .rule, "mean", needs: "n ≥ 1", tolerance: "none", cost: "n·d",
            source: "McMahan et al. 2017", note: "every update counts alike"),
        Self(
            .rule, "weighted_mean", ["weights"], needs: "n ≥ 1", tolerance: "none", cost: "n·d",
            source: "McMahan et al. 2017", note: "FedAvg: by examples"),
        Self(
            .rule, "median", needs: "n ≥ 1", tolerance: "fewer than n/2", cost: "n·log²n·d",
            source: "Yin et al. 2018", note: "per coordinate; biased when data differ"),
        Self(
            .rule, "weighted_median", ["weights"], needs: "n ≥ 1",
            tolerance: "less than half of the weight", cost: "n·log²n·d",
            source: "Yin et al. 2018", note: "for participants of unequal size"),
        Self(
            .rule, "trimmed_mean", ["f"], needs: "n ≥ 2f+1", tolerance: "f", cost: "n·log²n·d",
            source: "Yin et al. 2018", note: "per coordinate, f left out on each side"),
        Self(
            .rule, "trimmed_mean_fraction", ["beta"], needs: "n ≥ 1",
            tolerance: "trunc(beta·n)", cost: "n·log²n·d", source: "Yin et al. 2018",
            note: "SciPy's convention; an integer f is safer"),
        Self(
            .rule, "weighted_trimmed_mean", ["f", "weights"], needs: "n ≥ 2f+1",
            tolerance: "f, of any weights", cost: "n·log²n·d", source: "Yin et al. 2018",
            note: "trims the weight of the f heaviest on each side"),
        Self(
            .rule, "meamed", ["f"], needs: "n ≥ 2f+1", tolerance: "f", cost: "n·log²n·d",
            source: "Xie et al. 2018", note: "the n−f values nearest the median"),
        Self(
            .rule, "krum", ["f"], needs: "n ≥ 2f+3", tolerance: "f", cost: "n²·d",
            source: "Blanchard et al. 2017", note: "returns one update: poor when data differ"),
        Self(
            .rule, "multi_krum", ["f", "m"], needs: "n ≥ 2f+3, 1 ≤ m ≤ n−f", tolerance: "f",
            cost: "n²·d", source: "Blanchard et al. 2017", note: "the mean of the m best"),
        Self(
            .rule, "bulyan", ["f"], needs: "n ≥ 4f+3", tolerance: "f", cost: "n²·d",
            source: "El Mhamdi et al. 2018", note: "Krum's picks, then near their median"),
        Self(
            .rule, "geometric_median", needs: "n ≥ 1", tolerance: "fewer than n/2",
            cost: "n²·d", source: "Pillutla et al. 2022", note: "exact to rounding"),
        Self(
            .rule, "rfa_smoothed_weiszfeld", ["nu", "T", "init"], needs: "n ≥ 1",
            tolerance: "fewer than n/2", cost: "T·n·d", source: "Pillutla et al. 2022",
            note: "nu must follow the updates' scale"),
        Self(
            .rule, "centered_clipping", ["tau", "L", "v0"], needs: "n ≥ 1",
            tolerance: "about n/10 in the proof", cost: "L·n·d",
            source: "Karimireddy et al. 2021", note: "starts from the last aggregate"),
        Self(
            .rule, "mda", ["f"], needs: "n ≥ 2f+1", tolerance: "f", cost: "n²·d + search",
            source: "El Mhamdi et al. 2018", note: "the n−f closest together"),
        Self(
            .rule, "monna", ["f", "idx"], needs: "n ≥ 2f+1", tolerance: "f", cost: "n·d",
            source: "Farhadkhani et al. 2023", note: "around one's own: no common result"),
        Self(
            .rule, "fltrust", ["root"], needs: "n ≥ 1", tolerance: "any, given the root",
            cost: "n·d", source: "Cao et al. 2021", note: "as good as the root data"),
    ]

    private static let preSteps = [
        Self(
            .preStep, "nnm", ["f"], needs: "n ≥ 2f+1", tolerance: "f", cost: "n²·d",
            source: "Allouah et al. 2023", note: "each the mean of its n−f nearest"),
        Self(
            .preStep, "bucketing", ["s", "perm"], needs: "s ≤ n/(2f)",
            tolerance: "that of the rule on n/s", cost: "n·d",
            source: "Karimireddy et al. 2022", note: "means of s at random"),
        Self(
            .preStep, "arc", ["f"], needs: "n ≥ 2f+1", tolerance: "that of the rule",
            cost: "n·d", source: "Allouah et al. 2025", note: "shortens the longest"),
        Self(
            .preStep, "clip", ["radius"], needs: "n ≥ 1", tolerance: "that of the rule",
            cost: "n·d", source: "McMahan et al. 2018", note: "shortens to a fixed norm"),
    ]
}
