package import AegisCore

/// The numbers a rule or pre-step may take, by the names that run files, the command line and the
/// reference vectors use. Weights and references are inputs, not parameters.
package struct RuleParameters: Hashable, Sendable {
    /// f
    package var byzantine: Int?
    /// m, of Multi-Krum
    package var kept: Int?
    /// β, of the trimmed mean by fraction
    package var fraction: Double?
    /// ν, of smoothed Weiszfeld
    package var smoothing: Double?
    /// T of smoothed Weiszfeld, L of centered clipping
    package var steps: Int?
    package var startsFromMean = false
    /// τ, of centered clipping
    package var radius: Double?
    /// The length that norm clipping leaves
    package var clipRadius: Double?
    package var own: NodeID?
    /// s, of bucketing
    package var bucketSize: Int?
    package var bucketOrder: BucketOrder?

    package init(byzantine: Int? = nil) { self.byzantine = byzantine }
}

/// Why a name and its parameters are no aggregator.
package enum RuleNameError: Error, Hashable, Sendable {
    case unknown(String)
    case missingParameter(String)
}

extension Aggregator {
    /// Reads `krum`, or with pre-steps `nnm+trimmed_mean`; a hyphen is as good as an underscore.
    package init(
        named name: String, parameters: RuleParameters, execution: Execution = Execution()
    ) throws(RuleNameError) {
        var words = name.split(separator: "+", omittingEmptySubsequences: false).map {
            String($0.map { $0 == "-" ? "_" : $0 })
        }
        guard let last = words.popLast() else { throw .unknown(name) }
        var steps: [PreStep] = []
        for word in words { steps.append(try PreStep(named: word, parameters)) }
        self.init(
            preSteps: steps, rule: try AggregationRule(named: last, parameters),
            execution: execution)
    }
}

extension PreStep {
    package static let names: Set<String> = ["nnm", "arc", "bucketing", "clip"]

    package init(named name: String, _ parameters: RuleParameters) throws(RuleNameError) {
        switch name {
        case "nnm":
            self = .nearestNeighbourMixing(byzantine: try parameters.need(\.byzantine, "f"))
        case "arc": self = .adaptiveClipping(byzantine: try parameters.need(\.byzantine, "f"))
        case "bucketing":
            self = .bucketing(
                size: try parameters.need(\.bucketSize, "s"),
                order: try parameters.need(\.bucketOrder, "perm"))
        case "clip": self = .normClipping(radius: try parameters.need(\.clipRadius, "radius"))
        default: throw .unknown(name)
        }
    }
}

extension AggregationRule {
    package init(named name: String, _ parameters: RuleParameters) throws(RuleNameError) {
        func f() throws(RuleNameError) -> Int { try parameters.need(\.byzantine, "f") }
        switch name {
        case "mean": self = .mean
        case "weighted_mean": self = .weightedMean
        case "median": self = .median
        case "weighted_median": self = .weightedMedian
        case "trimmed_mean": self = .trimmedMean(byzantine: try f())
        case "trimmed_mean_fraction":
            self = .trimmedMeanFraction(try parameters.need(\.fraction, "beta"))
        case "weighted_trimmed_mean": self = .weightedTrimmedMean(byzantine: try f())
        case "meamed": self = .meanAroundMedian(byzantine: try f())
        case "krum": self = .krum(byzantine: try f())
        case "multi_krum": self = .multiKrum(byzantine: try f(), kept: parameters.kept)
        case "bulyan": self = .bulyan(byzantine: try f())
        case "geometric_median": self = .geometricMedian
        case "rfa_smoothed_weiszfeld":
            self = .smoothedWeiszfeld(
                smoothing: try parameters.need(\.smoothing, "nu"),
                steps: try parameters.need(\.steps, "T"), fromMean: parameters.startsFromMean)
        case "centered_clipping":
            self = .centeredClipping(
                radius: try parameters.need(\.radius, "tau"),
                steps: try parameters.need(\.steps, "L"))
        case "mda": self = .minimumDiameter(byzantine: try f())
        case "monna": self = .monna(byzantine: try f(), own: try parameters.need(\.own, "idx"))
        case "fltrust": self = .trustByReference
        default: throw .unknown(name)
        }
    }
}

extension RuleParameters {
    fileprivate func need<Value>(
        _ field: KeyPath<RuleParameters, Value?>, _ name: String
    ) throws(RuleNameError) -> Value {
        guard let value = self[keyPath: field] else { throw .missingParameter(name) }
        return value
    }
}
