import AegisAggregation
import AegisCore

/// One line in, one line out: `{"id","rule","params","inputs"}` to the result or the name of what
/// forbids it.
package enum AggregateBatch {
    /// The answer to one line, without its newline.
    package static func answer(_ line: some Collection<UInt8>) -> String {
        var parser = BatchJSON(line)
        guard let fields = parser.document()?.value.object else {
            return "{\"id\":null,\"error\":\"bad_json\"}"
        }
        return "{\"id\":\(fields["id"]?.text ?? "null"),\(BatchCase(fields).answer())}"
    }
}

/// What only a batch can get wrong, by the name of its answer.
private enum BatchError: String, Error {
    case badJSON = "bad_json"
    case badParameters = "bad_params"
    case badWeights = "bad_weights"

    static func name(of error: any Error) -> String {
        switch error {
        case let error as BatchError: error.rawValue
        case let error as AggregationError: name(of: error)
        case RuleNameError.unknown: "unknown_rule"
        default: badParameters.rawValue
        }
    }

    private static func name(of error: AggregationError) -> String {
        switch error {
        case .empty: "empty"
        case .tooFewUpdates: "n_too_small"
        case .wrongShape, .referenceOfWrongShape: "shape_mismatch"
        case .keptOutOfRange: "bad_m"
        case .badWeights: badWeights.rawValue
        case .noTrust: "no_trust"
        case .tooCostly: "too_costly"
        case .updateNotFinite, .notFinite: "non_finite"
        case .duplicate, .missingReference, .unknownNode, .badParameter:
            badParameters.rawValue
        }
    }
}

/// One aggregation to do.
private struct BatchCase {
    private let rule: String
    private let parameters: [String: BatchJSON.Field]
    private let inputs: BatchJSON.Value?

    init(_ fields: [String: BatchJSON.Field]) {
        rule = fields["rule"]?.value.text ?? ""
        parameters = fields["params"]?.value.object ?? [:]
        inputs = fields["inputs"]?.value
    }

    func answer() -> String {
        do {
            let updates = try updates()
            let rejected = Set(updates.indices.filter { !updates[$0].allSatisfy(\.isFinite) })
            guard !rejected.isEmpty else { return try result(updates, without: []) }
            let rest: String
            do { rest = try result(updates, without: rejected) } catch { rest = Self.text(error) }
            return "\"error\":\"non_finite\",\"rejected\":\(rejected.sorted().json),"
                + "\"after_rejection\":{\(rest)}"
        } catch {
            return Self.text(error)
        }
    }

    private static func text(_ error: any Error) -> String {
        "\"error\":\"\(BatchError.name(of: error))\""
    }

    /// Float32: each number as binary64, then rounded once.
    private func updates() throws -> [[Float]] {
        guard let rows = inputs?.list else { throw BatchError.badJSON }
        let updates = try rows.map { row in
            guard let numbers = row.numbers else { throw BatchError.badJSON }
            return numbers.map { Float($0) }
        }
        guard let first = updates.first else { throw AggregationError.empty }
        for (index, update) in updates.enumerated() where update.count != first.count {
            throw AggregationError.wrongShape(
                node: Self.node(index), expected: first.count, actual: update.count)
        }
        return updates
    }

    private func result(_ updates: [[Float]], without rejected: Set<Int>) throws -> String {
        let weights = try weights(updates.count)
        let admitted = updates.indices.filter { !rejected.contains($0) }.map {
            NodeUpdate(node: Self.node($0), weight: weights?[$0] ?? 1, values: updates[$0])
        }
        let parameters = try ruleParameters(updates.count, without: rejected)
        let words = rule.split(separator: "+").map(String.init)
        if let last = words.last, PreStep.names.contains(last) {
            let steps = try words.map { try PreStep(named: $0, parameters) }
            let rows = try Aggregator.mixed(admitted, by: steps)
            return "\"output\":[\(rows.map(\.json).joined(separator: ","))]"
        }
        let aggregation = try Aggregator(named: rule, parameters: parameters)
            .aggregate(admitted, reference: try reference())
        var text = "\"output\":\(aggregation.values.json)"
        if let selected = aggregation.explanation.selected {
            if words.last == "krum", let index = selected.first { text += ",\"index\":\(index)" }
            text += ",\"selected\":\(selected.json)"
        }
        return text
    }

    /// In the order of the inputs.
    private static func node(_ index: Int) -> NodeID {
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: index >> (56 - 8 * $0)) }
        guard let node = NodeID(bytes + [UInt8](repeating: 0, count: 24)) else {
            preconditionFailure("32 bytes are a node id")
        }
        return node
    }
}

extension BatchCase {
    private func given(_ name: String) -> BatchJSON.Value? {
        guard let value = parameters[name]?.value else { return nil }
        if case .null = value { return nil }
        return value
    }

    private func number(_ name: String) throws -> Double? {
        guard let value = given(name) else { return nil }
        guard let number = value.number, number.isFinite else { throw BatchError.badParameters }
        return number
    }

    private func integer(_ name: String) throws -> Int? {
        guard let number = try number(name) else { return nil }
        guard let integer = Int(exactly: number) else { throw BatchError.badParameters }
        return integer
    }

    private func ruleParameters(_ count: Int, without rejected: Set<Int>) throws -> RuleParameters {
        var result = RuleParameters(byzantine: try integer("f"))
        result.kept = try integer("m")
        result.fraction = try number("beta")
        result.smoothing = try number("nu")
        result.steps = try integer(rule.hasSuffix("centered_clipping") ? "L" : "T")
        result.radius = try number("tau")
        result.clipRadius = try number("radius")
        result.bucketSize = try integer("s")
        if let start = given("init") {
            guard let word = start.text, ["mean", "zero"].contains(word) else {
                throw BatchError.badParameters
            }
            result.startsFromMean = word == "mean"
        }
        if let index = try integer("idx") {
            guard (0..<count).contains(index) else { throw BatchError.badParameters }
            result.own = Self.node(index)
        }
        if let order = given("perm") {
            guard let numbers = order.numbers else { throw BatchError.badParameters }
            let indices = numbers.compactMap { Int(exactly: $0) }
            guard indices.count == numbers.count, indices.sorted() == Array(0..<count) else {
                throw BatchError.badParameters
            }
            // The same order of those that are left.
            let left = indices.filter { !rejected.contains($0) }
            let ranks = Dictionary(
                uniqueKeysWithValues: left.sorted().enumerated().map { ($1, $0) })
            result.bucketOrder = .permutation(left.compactMap { ranks[$0] })
        }
        return result
    }

    private func weights(_ count: Int) throws -> [Double]? {
        guard let value = given("weights") else {
            if rule.contains("weighted_") { throw BatchError.badWeights }
            return nil
        }
        guard let weights = value.numbers, weights.count == count else {
            throw BatchError.badWeights
        }
        return weights
    }

    /// The start of centered clipping, or the trusted update.
    private func reference() throws -> [Float]? {
        guard let value = given("v0") ?? given("root") else { return nil }
        guard let numbers = value.numbers else { throw BatchError.badParameters }
        let values = numbers.map { Float($0) }
        guard values.allSatisfy(\.isFinite) else { throw BatchError.badParameters }
        return values
    }
}

extension [Int] {
    fileprivate var json: String { "[\(map(String.init).joined(separator: ","))]" }
}

extension [Float] {
    /// Shortest decimals that read back as exactly these values, as binary64 too.
    fileprivate var json: String {
        var text = "["
        for (index, value) in enumerated() {
            if index > 0 { text += "," }
            text += value.isFinite ? "\(Double(value))" : "\"\(value < 0 ? "-" : "")Infinity\""
        }
        return text + "]"
    }
}
