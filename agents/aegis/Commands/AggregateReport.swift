import AegisAPI
import AegisAggregation
import AegisCore
import AegisReport
import FoundationEssentials

/// What `aegis aggregate` says of a result.
struct AggregateReport {
    let rule: String
    let updates: [UpdateFile]
    let refused: [(node: NodeID, reason: IntakeError)]
    let explanation: Explanation
    let parameterCount: Int
    let digest: String
    let saved: String?

    var text: String {
        let verdicts = Dictionary(
            uniqueKeysWithValues: explanation.verdicts.map { ($0.node, $0) })
        let reasons = Dictionary(uniqueKeysWithValues: refused.map { ($0.node, $0.reason) })
        let rows = updates.map { update -> [String] in
            if let reason = reasons[update.node] {
                return [update.file.path, "refused: " + Self.text(reason), "", ""]
            }
            guard let verdict = verdicts[update.node] else {
                return [update.file.path, "", "", ""]
            }
            return [
                update.file.path, verdict.isKept ? "kept" : "dropped",
                Output.percent(verdict.share), Self.number(verdict.score),
            ]
        }
        let table = Table(
            [
                .init("UPDATE", cutTo: 24), .init("VERDICT"), .init("SHARE", .right),
                .init(explanation.meaning.rawValue.uppercased(), .right),
            ], rows: rows)
        var lines = table.text(width: Console.columns)
        lines += "\n\(rule) of \(Output.plural(explanation.verdicts.count, "update")), "
        lines += "\(parameterCount) parameters\n\(digest)\n"
        if let saved { lines += "written to \(saved)\n" }
        return lines
    }

    func json() throws -> String {
        let reasons = Dictionary(uniqueKeysWithValues: refused.map { ($0.node, $0.reason) })
        let verdicts = Dictionary(
            uniqueKeysWithValues: explanation.verdicts.map { ($0.node, $0) })
        let items = updates.map { update -> JSONValue in
            var item: [String: JSONValue] = ["file": .text(update.file.path)]
            if let reason = reasons[update.node] { item["refused"] = .text(Self.text(reason)) }
            if let verdict = verdicts[update.node] {
                item["kept"] = .bool(verdict.isKept)
                item["share"] = .number(verdict.share)
                item["score"] = .number(verdict.score)
            }
            return .object(item)
        }
        return try Output.json(
            try AegisAPI.encodeDocument(
                .object([
                    "rule": .text(rule), "score_meaning": .text(explanation.meaning.rawValue),
                    "updates": .array(items), "parameters": .integer(Int64(parameterCount)),
                    "digest": .text(digest), "saved": saved.map { .text($0) } ?? .null,
                ])))
    }

    /// Six significant digits.
    static func number(_ value: Double) -> String {
        let size = abs(value)
        guard size > 0 else { return "0" }
        if size >= 1e-3, size < 1e6 {
            return Decimal.fixed(value, places: size >= 1000 ? 1 : size >= 1 ? 4 : 6)
        }
        let text = "\(value)"
        guard let exponent = text.firstIndex(of: "e") else { return text }
        return String(text[..<exponent].prefix(7) + text[exponent...])
    }
}

extension AggregateReport {
    static func list(_ output: ReportFormat) throws -> String {
        switch output {
        case .text:
            let blocks = RuleDescription.all.map { rule in
                let parameters = rule.parameters.map { " " + $0 }.joined()
                return """
                    \(rule.name)\(parameters)\(rule.kind == .preStep ? "  (pre-step)" : "")
                      \(rule.note); needs \(rule.needs); bears \(rule.tolerance)
                      time \(rule.cost); \(rule.source)

                    """
            }
            return blocks.joined()
        case .json:
            let items = RuleDescription.all.map { rule -> JSONValue in
                .object([
                    "name": .text(rule.name), "kind": .text(rule.kind.rawValue),
                    "parameters": .array(rule.parameters.map { .text($0) }),
                    "needs": .text(rule.needs), "tolerance": .text(rule.tolerance),
                    "cost": .text(rule.cost), "source": .text(rule.source),
                    "note": .text(rule.note),
                ])
            }
            return try Output.json(try AegisAPI.encodeDocument(.array(items)))
        }
    }

    /// The option that sets a parameter of the reference vectors' name.
    static func option(for parameter: String) -> String {
        switch parameter {
        case "f": "--byzantine"
        case "s": "--bucket-size"
        case "T", "L": "--steps"
        default: "--" + parameter
        }
    }

    static func text(_ error: IntakeError) -> String {
        switch error {
        case .wrongShape(let expected, let actual): "\(actual) values, not \(expected)"
        case .notFinite(let index): "value \(index) is not finite"
        case .normAboveBound(let norm, let bound):
            "norm \(number(norm)) above \(number(bound))"
        case .weightOutOfBounds(let weight, _): "weight \(number(weight))"
        }
    }

    static func text(_ error: IntakeError, of updates: [UpdateFile], _ node: NodeID) -> String {
        let path = updates.first { $0.node == node }?.file.path ?? ""
        return path + " was refused: " + text(error)
    }

    static func text(_ error: AggregationError) -> String {
        switch error {
        case .empty: "no update is left"
        case .tooFewUpdates(let count, let needed):
            "the rule needs \(needed) updates for this f, and there are \(count)"
        case .wrongShape(_, let expected, let actual): "\(actual) values, not \(expected)"
        case .duplicate: "an update is there twice"
        case .updateNotFinite: "an update is not finite"
        case .notFinite(let index): "the result is not finite at \(index)"
        case .keptOutOfRange(let kept, let max): "--kept \(kept) is not between 1 and \(max)"
        case .badWeights: "the weights are negative, or all zero"
        case .noTrust: "no update points the way of the reference"
        case .missingReference: "the rule needs --reference"
        case .referenceOfWrongShape(let expected, let actual):
            "the reference has \(actual) values, not \(expected)"
        case .unknownNode: "the rule's own update is not among them"
        case .badParameter(let name): "\(option(for: name)) is out of range"
        case .tooCostly: "the exact search takes too long for this n and f"
        }
    }
}
