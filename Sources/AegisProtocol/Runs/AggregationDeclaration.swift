package import AegisCore

/// How the updates of a round become one: pre-steps, a rule, and their parameters. Only rules
/// whose result follows from a round's signed updates alone are here: a rule that asks for a
/// node's own data (FLTrust) or position (MoNNA) gives each node another result, and the mesh has
/// nothing to vote on.
package struct AggregationDeclaration: Hashable, Sendable {
    package enum Rule: String, CaseIterable, Sendable {
        case mean
        case weightedMean = "weighted-mean"
        case median
        case weightedMedian = "weighted-median"
        case trimmedMean = "trimmed-mean"
        case weightedTrimmedMean = "weighted-trimmed-mean"
        case meanAroundMedian = "meamed"
        case krum
        case multiKrum = "multi-krum"
        case bulyan
        case geometricMedian = "geometric-median"
        case smoothedWeiszfeld = "rfa-smoothed-weiszfeld"
        case centeredClipping = "centered-clipping"
        case minimumDiameter = "mda"
    }

    /// What happens to the updates before the rule sees them.
    package enum PreStep: String, CaseIterable, Sendable {
        /// Nearest-neighbour mixing.
        case mixing = "nnm"
        /// Averages of small groups, in an order drawn from the updates' digests.
        case bucketing
        /// Adaptive robust clipping.
        case adaptiveClipping = "arc"
        /// Updates longer than `clipRadius` are shortened to it.
        case clipping = "clip"
    }

    /// What a rule or pre-step needs besides f. Whole numbers; lengths are millionths.
    package enum Parameter: Int64, CaseIterable, Sendable {
        /// m of Multi-Krum; n − f where it is absent.
        case kept = 1
        /// T of smoothed Weiszfeld, L of centered clipping.
        case steps = 2
        /// τ of centered clipping, in units of an update's norm.
        case radius = 3
        /// ν of smoothed Weiszfeld, in units of an update's norm.
        case smoothing = 4
        /// s of bucketing.
        case bucketSize = 5
        case clipRadius = 6

        package var range: ClosedRange<Int> {
            switch self {
            case .kept: 1...Limits.participantsMax
            case .steps: 1...100
            case .bucketSize: 2...Limits.participantsMax
            case .radius, .smoothing, .clipRadius: 1...1_000_000_000_000
            }
        }

        package var isLength: Bool {
            switch self {
            case .kept, .steps, .bucketSize: false
            case .radius, .smoothing, .clipRadius: true
            }
        }

        /// In run files.
        package var name: String {
            switch self {
            case .kept: "kept"
            case .steps: "steps"
            case .radius: "radius"
            case .smoothing: "smoothing"
            case .bucketSize: "bucket_size"
            case .clipRadius: "clip_radius"
            }
        }
    }

    package static let preStepsMax = 3
    package static let weightMaxLargest: UInt64 = 1_000_000

    package var preSteps: [PreStep]
    package var rule: Rule
    /// f of the rule: how many of the updates may be hostile.
    package var byzantine: Int
    package var parameters: [Parameter: Int]
    /// The largest weight an update may claim, for the weighted rules; 1 for all others.
    package var weightMax: UInt64
    /// The largest Euclidean norm an update may have and still be admitted.
    package var updateNormMaxMillionths: Int

    package init(
        preSteps: [PreStep] = [], rule: Rule, byzantine: Int,
        parameters: [Parameter: Int] = [:], weightMax: UInt64 = 1, updateNormMaxMillionths: Int
    ) {
        self.preSteps = preSteps
        self.rule = rule
        self.byzantine = byzantine
        self.parameters = parameters
        self.weightMax = weightMax
        self.updateNormMaxMillionths = updateNormMaxMillionths
    }

    /// Pre-steps and rule as run files and commits write them: `nnm+trimmed-mean`.
    package var name: String {
        (preSteps.map(\.rawValue) + [rule.rawValue]).joined(separator: "+")
    }

    /// Reads `name`; nil for what is no such name, or a pre-step twice.
    package static func parse(_ name: String) -> (preSteps: [PreStep], rule: Rule)? {
        let words = name.split(separator: "+", omittingEmptySubsequences: false).map(String.init)
        guard let last = words.last, let rule = Rule(rawValue: last) else { return nil }
        let steps = words.dropLast().compactMap(PreStep.init(rawValue:))
        guard steps.count == words.count - 1, Set(steps).count == steps.count,
            steps.count <= preStepsMax
        else { return nil }
        return (steps, rule)
    }

    /// The fewest updates with which f of them can be borne. A rule behind buckets sees one value
    /// for each of them, f of which may be spoilt.
    package var updatesMin: Int {
        var needed = max(rule.updatesMin(byzantine), 1)
        for step in preSteps.reversed() {
            switch step {
            case .mixing, .adaptiveClipping: needed = max(needed, 2 * byzantine + 1)
            case .bucketing:
                let size = parameters[.bucketSize] ?? 1
                needed = size * (needed - 1) + 1
            case .clipping: break
            }
        }
        return needed
    }

    /// What must be given, and what may be.
    package var needed: Set<Parameter> {
        preSteps.reduce(into: rule.needed) { $0.formUnion($1.needed) }
    }
    package var allowed: Set<Parameter> { needed.union(rule.optional) }
}

extension AggregationDeclaration.Rule {
    /// Whether it uses the weights of the updates.
    package var isWeighted: Bool {
        switch self {
        case .weightedMean, .weightedMedian, .weightedTrimmedMean: true
        case .mean, .median, .trimmedMean, .meanAroundMedian, .krum, .multiKrum, .bulyan,
            .geometricMedian, .smoothedWeiszfeld, .centeredClipping, .minimumDiameter:
            false
        }
    }

    /// Whether f says all of it: no other parameter, no weights.
    package var needsOnlyByzantine: Bool { needed.isEmpty && !isWeighted }

    /// Whether it withstands any hostile update at all.
    package var isRobust: Bool { self != .mean && self != .weightedMean }

    /// How many updates it needs to bear f hostile ones: the authors' conditions.
    func updatesMin(_ f: Int) -> Int {
        switch self {
        case .mean, .weightedMean: 1
        case .median, .weightedMedian, .trimmedMean, .weightedTrimmedMean, .meanAroundMedian,
            .geometricMedian, .smoothedWeiszfeld, .centeredClipping, .minimumDiameter:
            2 * f + 1
        case .krum, .multiKrum: 2 * f + 3
        case .bulyan: 4 * f + 3
        }
    }

    var needed: Set<AggregationDeclaration.Parameter> {
        switch self {
        case .smoothedWeiszfeld: [.smoothing, .steps]
        case .centeredClipping: [.radius, .steps]
        case .mean, .weightedMean, .median, .weightedMedian, .trimmedMean, .weightedTrimmedMean,
            .meanAroundMedian, .krum, .multiKrum, .bulyan, .geometricMedian, .minimumDiameter:
            []
        }
    }

    var optional: Set<AggregationDeclaration.Parameter> { self == .multiKrum ? [.kept] : [] }
}

extension AggregationDeclaration.PreStep {
    var needed: Set<AggregationDeclaration.Parameter> {
        switch self {
        case .bucketing: [.bucketSize]
        case .clipping: [.clipRadius]
        case .mixing, .adaptiveClipping: []
        }
    }
}

extension AggregationDeclaration {
    var cbor: CBOR {
        .fields([
            1: .text(name), 2: .integer(Int64(byzantine)),
            3: .integer(Int64(updateNormMaxMillionths)), 4: .unsigned(weightMax),
            5: .map(
                CBORMap(parameters.map { ($0.key.rawValue, .integer(Int64($0.value))) })),
        ])
    }

    /// Refuses what is not there for a reason: a parameter that the rule doesn't use, a weight
    /// without a weighted rule, an f that the rule can't bear.
    init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        guard let (steps, rule) = Self.parse(try fields.text(1)) else {
            throw .outOfRange(field: 1)
        }
        let byzantine = try fields.count(2, in: 0...Limits.participantsMax)
        let norm = try fields.count(3, in: 1...1_000_000_000_000)
        let weightMax = try fields.unsigned(4, max: Self.weightMaxLargest)
        var given = try CBORFields(try fields.value(5))
        try fields.finish()
        self.init(
            preSteps: steps, rule: rule, byzantine: byzantine, weightMax: weightMax,
            updateNormMaxMillionths: norm)
        for parameter in Parameter.allCases where allowed.contains(parameter) {
            guard let value = given.optional(parameter.rawValue) else {
                if needed.contains(parameter) { throw .missing(field: parameter.rawValue) }
                continue
            }
            guard case .unsigned(let number) = value, let number = Int(exactly: number),
                parameter.range.contains(number)
            else { throw .outOfRange(field: parameter.rawValue) }
            parameters[parameter] = number
        }
        try given.finish()
        guard rule.isRobust || byzantine == 0 else { throw .outOfRange(field: 2) }
        guard weightMax >= 1, rule.isWeighted || weightMax == 1 else {
            throw .outOfRange(field: 4)
        }
    }
}
