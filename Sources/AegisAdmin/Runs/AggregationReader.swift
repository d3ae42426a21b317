package import AegisAPI
import AegisCore
package import AegisProtocol

/// Reads the `aggregation` of a run request: which rule, whether it fits, with what.
package struct AggregationReader {
    private let faults: FaultList

    package init(faults: FaultList) { self.faults = faults }

    package static let standard = JSONValue.object(["rule": .text("mean")])

    /// `participantsMin` is the fewest updates a round may have, `participants` the most.
    package func read(
        _ value: JSONValue, participants: Int, participantsMin: Int?
    ) -> AggregationDeclaration? {
        var fields = FieldReader(value, path: "aggregation", faults: faults)
        let named = name(&fields)
        let byzantine = fields.integer(
            "byzantine", in: 0...Limits.participantsMax,
            default: named?.rule.isRobust == false ? 0 : nil)
        let norm = fields.number("update_norm_max", in: 0.000001...1_000_000, default: 100)
        guard let named else {
            // Which other fields there are depends on the rule.
            return nil
        }
        var aggregation = AggregationDeclaration(
            preSteps: named.preSteps, rule: named.rule, byzantine: byzantine ?? 0,
            updateNormMaxMillionths: Self.millionths(norm ?? 100))
        let isComplete = readParameters(of: &aggregation, &fields)
        fields.finish()
        guard byzantine != nil, norm != nil, isComplete else { return nil }
        checkCounts(aggregation, fields, participants: participants, participantsMin)
        return aggregation
    }

    private func name(
        _ fields: inout FieldReader
    ) -> (preSteps: [AggregationDeclaration.PreStep], rule: AggregationDeclaration.Rule)? {
        let rules = AggregationDeclaration.Rule.allCases.map(\.rawValue)
        let steps = AggregationDeclaration.PreStep.allCases.map(\.rawValue)
        let expected =
            "one of \(rules.joined(separator: ", ")), after pre-steps of "
            + "\(steps.joined(separator: ", ")) and a + each"
        guard let value = fields.value("rule", expected) else { return nil }
        if case .text(let text) = value {
            if let named = AggregationDeclaration.parse(text) { return named }
            if let reason = Self.unfit[text.split(separator: "+").last.map(String.init) ?? ""] {
                fields.fault("rule", reason)
                return nil
            }
        }
        fields.fault("rule", "must be \(expected), is \(FieldReader.shown(value))")
        return nil
    }

    /// Rules that exist and that no mesh can agree with.
    private static let unfit = [
        "fltrust": "can't be fltrust: it asks for trusted data, which differ from node to node, "
            + "and the mesh votes on one result",
        "monna": "can't be monna: every node's result is another, and the mesh votes on one",
        "trimmed-mean-fraction": "can't be trimmed-mean-fraction: f is a whole number here, "
            + "for trimmed-mean with byzantine",
    ]

    private func readParameters(
        of aggregation: inout AggregationDeclaration, _ fields: inout FieldReader
    ) -> Bool {
        var isComplete = true
        if aggregation.rule.isWeighted {
            let largest = Int(AggregationDeclaration.weightMaxLargest)
            let weight = fields.integer("weight_max", in: 1...largest)
            aggregation.weightMax = UInt64(weight ?? 1)
            isComplete = weight != nil
        }
        let needed = aggregation.needed
        let allowed = aggregation.allowed
        for parameter in AggregationDeclaration.Parameter.allCases
        where allowed.contains(parameter) {
            if !needed.contains(parameter), fields.optional(parameter.name) == nil { continue }
            let range = parameter.range
            let value =
                parameter.isLength
                ? fields.number(
                    parameter.name,
                    in: Double(range.lowerBound) / 1e6...Double(range.upperBound) / 1e6
                ).map(Self.millionths)
                : fields.integer(parameter.name, in: range)
            aggregation.parameters[parameter] = value
            if value == nil { isComplete = false }
        }
        return isComplete
    }

    /// What no round could satisfy.
    private func checkCounts(
        _ aggregation: AggregationDeclaration, _ fields: FieldReader, participants: Int,
        _ participantsMin: Int?
    ) {
        let f = aggregation.byzantine
        if !aggregation.rule.isRobust, f > 0 {
            fields.fault(
                "byzantine", "must be 0 for \(aggregation.rule.rawValue), which withstands none")
        }
        guard let participantsMin else { return }
        if participantsMin < aggregation.updatesMin {
            fields.fault(
                "byzantine",
                "\(aggregation.name) with \(f) needs participants_min of at "
                    + "least \(aggregation.updatesMin), is \(participantsMin)")
        } else if let kept = aggregation.parameters[.kept], kept > participantsMin - f {
            fields.fault(
                "kept",
                "must be at most participants_min - byzantine, \(participantsMin - f); is \(kept)")
        }
        if aggregation.rule == .minimumDiameter,
            Self.subsets(of: participants, leavingOut: f) > Self.subsetsMax
        {
            fields.fault(
                "rule",
                "mda compares all subsets of n - f updates, more than \(Self.subsetsMax) for "
                    + "\(participants) participants and \(f); take nnm+trimmed-mean")
        }
    }

    /// A minute of one core.
    private static let subsetsMax = 1_000_000

    private static func subsets(of count: Int, leavingOut: Int) -> Int {
        guard leavingOut > 0, leavingOut < count else { return 1 }
        var subsets = 1
        for index in 1...leavingOut {
            subsets = subsets * (count - index + 1) / index
            if subsets > subsetsMax { return subsets }
        }
        return subsets
    }

    private static func millionths(_ value: Double) -> Int { Int((value * 1e6).rounded()) }
}
