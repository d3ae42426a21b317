import AegisAggregation
import AegisCore
import Testing

@Suite("The reference vectors: 1,450 expectations by independent binary64 code")
struct VectorTests {
    static let executions =
        Execution.Instructions.available.map { Execution(instructions: $0) }
        + [Execution(threads: 2)]

    @Test("every output, index, selection and error", arguments: executions)
    func vectors(_ execution: Execution) throws {
        var checked = 0
        for item in Vectors.all {
            let inputs = item.inputs.map { $0.map { Float($0.value) } }
            for expectation in item.expect {
                try check(expectation, inputs, execution, id: item.id)
                checked += 1
            }
        }
        #expect(checked == 1450)
    }

    private func check(
        _ expected: Vectors.Expectation, _ inputs: [[Float]], _ execution: Execution, id: String
    ) throws {
        let label: Comment = "\(id): \(expected.rule) \(expected.params)"
        guard let error = expected.error else {
            let ours = try result(expected, inputs, execution)
            let tolerance = try #require(expected.tol_abs)
            compare(ours.rows, try #require(expected.output).rows, within: tolerance, label)
            if let index = expected.index { #expect(ours.selected == [index], label) }
            if let selected = expected.selected, expected.rule != "mda" || ours.selected != nil {
                #expect(ours.selected == selected, label)
            }
            return
        }
        switch error {
        case "non_finite":
            let intake = IntakeCheck(parameterCount: inputs[0].count, normMax: .infinity)
            let (admitted, refused) = intake.admit(nodeUpdates(inputs))
            let rejected = try #require(expected.rejected)
            #expect(refused.map(\.node) == rejected.map(testNode), label)
            let result = try #require(expected.after_rejection)
            let left = inputs.indices.filter { !rejected.contains($0) }.map { inputs[$0] }
            #expect(admitted.count == left.count)
            let ours = try self.result(expected, left, execution)
            compare(ours.rows, result.output.rows, within: result.tol_abs, label)
            if let index = result.index { #expect(ours.selected == [index], label) }
            if let selected = result.selected { #expect(ours.selected == selected, label) }
        default:
            do throws(AggregationError) {
                _ = try self.result(expected, inputs, execution)
                Issue.record("no \(error) of \(label)")
            } catch {
                #expect(name(of: error) == expected.error, label)
            }
        }
    }

    private func name(of error: AggregationError) -> String {
        switch error {
        case .empty: "empty"
        case .tooFewUpdates: "n_too_small"
        case .wrongShape: "shape_mismatch"
        case .keptOutOfRange: "bad_m"
        case .badWeights: "bad_weights"
        case .noTrust: "no_trust"
        default: "\(error)"
        }
    }

    private func result(
        _ expected: Vectors.Expectation, _ inputs: [[Float]], _ execution: Execution
    ) throws(AggregationError) -> (rows: [[Float]], selected: [Int]?) {
        let given = expected.params
        var parameters = RuleParameters(byzantine: given.f)
        parameters.kept = given.m
        parameters.fraction = given.beta
        parameters.smoothing = given.nu
        parameters.steps = given.T ?? given.L
        parameters.startsFromMean = given.`init` == "mean"
        parameters.radius = given.tau
        parameters.own = given.idx.map(testNode)
        parameters.bucketSize = given.s
        parameters.bucketOrder = given.perm.map { .permutation($0) }
        let updates = nodeUpdates(inputs, weights: given.weights)
        if expected.rule == "nnm" {
            return (
                try Aggregator.mixed(
                    updates, by: [.nearestNeighbourMixing(byzantine: given.f ?? 0)],
                    execution: execution), nil
            )
        }
        guard
            let aggregator = try? Aggregator(
                named: expected.rule, parameters: parameters, execution: execution)
        else { throw .badParameter(expected.rule) }
        let reference = (given.v0 ?? given.root).map { $0.map { Float($0) } }
        let aggregation = try aggregator.aggregate(updates, reference: reference)
        return ([aggregation.values], aggregation.explanation.selected)
    }

    private func compare(
        _ ours: [[Float]], _ expected: [[Double]], within tolerance: Double, _ label: Comment
    ) {
        #expect(ours.map(\.count) == expected.map(\.count), label)
        for (ours, expected) in zip(ours.joined(), expected.joined()) {
            #expect(abs(Double(ours) - expected) <= tolerance, label)
        }
    }
}
