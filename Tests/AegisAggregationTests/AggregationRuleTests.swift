import AegisAggregation
import AegisCore
import Foundation
import Testing

/// The excerpt of the reference vectors in Fixtures/aggregation.json. Non-finite numbers are
/// strings there.
private struct Vectors: Decodable {
    struct Number: Decodable {
        let value: Double
        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                value = text == "NaN" ? .nan : text == "Infinity" ? .infinity : -.infinity
            } else {
                value = try container.decode(Double.self)
            }
        }
    }
    struct Result: Decodable {
        let output: [Double]
        let tol_abs: Double
    }
    struct Expectation: Decodable {
        struct Parameters: Decodable { let f: Int? }
        let rule: String
        let params: Parameters
        let output: [Double]?
        let tol_abs: Double?
        let error: String?
        let rejected: [Int]?
        let after_rejection: Result?
    }
    struct Case: Decodable {
        let id: String
        let inputs: [[Number]]
        let expect: [Expectation]
    }
    let cases: [Case]

    static func load() throws -> [Case] {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Fixtures/aggregation.json")
        return try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: file)).cases
    }
}

func testNode(_ index: Int) -> NodeID {
    guard let node = NodeID([UInt8(index)] + [UInt8](repeating: 0, count: 31)) else {
        preconditionFailure("32 bytes are a node id")
    }
    return node
}

func nodeUpdates(_ updates: [[Float]]) -> [NodeUpdate] {
    updates.enumerated().map { NodeUpdate(node: testNode($0), values: $1) }
}

@Suite("Aggregation rules: mean, trimmed mean (Yin et al. 2018)")
struct AggregationRuleTests {
    @Test("the reference vectors, their refusals included")
    func vectors() throws {
        let cases = try Vectors.load()
        var checked = 0
        for item in cases {
            let inputs = item.inputs.map { $0.map { Float($0.value) } }
            for expectation in item.expect {
                let rule: AggregationRule =
                    expectation.rule == "mean"
                    ? .mean : .trimmedMean(byzantine: try #require(expectation.params.f))
                try check(rule, inputs, expectation, id: item.id)
                checked += 1
            }
        }
        #expect(checked > 100)
    }

    private func check(
        _ rule: AggregationRule, _ inputs: [[Float]], _ expected: Vectors.Expectation, id: String
    ) throws {
        switch expected.error {
        case nil:
            let ours = try Aggregator(rule: rule).aggregate(nodeUpdates(inputs)).values
            compare(
                ours, try #require(expected.output), within: try #require(expected.tol_abs), id)
        case "non_finite":
            let intake = IntakeCheck(parameterCount: inputs[0].count, normMax: .infinity)
            let admitted = inputs.filter { (try? intake.check($0)) != nil }
            let rejected = inputs.indices.filter { (try? intake.check(inputs[$0])) == nil }
            #expect(rejected == expected.rejected)
            let result = try #require(expected.after_rejection)
            let ours = try Aggregator(rule: rule).aggregate(nodeUpdates(admitted)).values
            compare(ours, result.output, within: result.tol_abs, id)
        case "n_too_small":
            #expect(
                throws: AggregationError.tooFewUpdates(
                    count: inputs.count, needed: rule.updatesMin)
            ) { try Aggregator(rule: rule).aggregate(nodeUpdates(inputs)).values }
        case "empty":
            #expect(throws: AggregationError.empty) { try Aggregator(rule: rule).aggregate([]) }
        case "shape_mismatch":
            #expect(throws: AggregationError.self) {
                try Aggregator(rule: rule).aggregate(nodeUpdates(inputs)).values
            }
        default: Issue.record("unknown error \(String(describing: expected.error)) in \(id)")
        }
    }

    private func compare(
        _ ours: [Float], _ expected: [Double], within tolerance: Double, _ id: String
    ) {
        #expect(ours.count == expected.count)
        for (ours, expected) in zip(ours, expected) {
            #expect(abs(Double(ours) - expected) <= tolerance, "\(id): \(ours) vs \(expected)")
        }
    }

    private func random(_ count: Int, seed: UInt64) -> [Float] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-31
        }
    }

    @Test("trimmed mean is the sort's for every count and f a mesh can have", arguments: 1...32)
    func oracle(count: Int) throws {
        let updates = (0..<count).map { random(1500, seed: UInt64($0 + 1)) }
        for byzantine in 0...(count - 1) / 2 {
            let ours = try Aggregator(rule: .trimmedMean(byzantine: byzantine))
                .aggregate(nodeUpdates(updates)).values
            for coordinate in stride(from: 0, to: 1500, by: 7) {
                let kept = updates.map { $0[coordinate] }.sorted()
                    .dropFirst(byzantine).dropLast(byzantine)
                let expected = Float(kept.reduce(0) { $0 + Double($1) } / Double(kept.count))
                #expect(ours[coordinate] == expected)
            }
        }
    }

    @Test("the same bits in whatever order the updates arrive, and from unaligned memory")
    func orderFree() throws {
        let updates = nodeUpdates((0..<7).map { random(2049, seed: UInt64($0 + 40)) })
        for rule in [AggregationRule.mean, .trimmedMean(byzantine: 2)] {
            let bits = try Aggregator(rule: rule).aggregate(updates).values.map(\.bitPattern)
            #expect(
                try Aggregator(rule: rule).aggregate(updates.reversed()).values.map(\.bitPattern)
                    == bits)
            var memory: [UnsafeMutableRawBufferPointer] = []
            defer { for block in memory { block.deallocate() } }
            var raw: [NodeUpdate] = []
            for update in updates {
                let block = UnsafeMutableRawBufferPointer.allocate(
                    byteCount: 4 * 2049 + 1, alignment: 16)
                memory.append(block)
                let unaligned = UnsafeMutableRawBufferPointer(rebasing: block.dropFirst())
                update.values.withValues(in: 0..<2049) { values in
                    unaligned.copyMemory(from: UnsafeRawBufferPointer(values))
                }
                let source = try #require(RawUpdate(UnsafeRawBufferPointer(unaligned)))
                raw.append(NodeUpdate(node: update.node, values: source))
            }
            #expect(try Aggregator(rule: rule).aggregate(raw).values.map(\.bitPattern) == bits)
        }
    }

    // The numbers come from NumPy, computed in the same order.
    @Test("golden bits: the result of a fixed input never changes between versions or machines")
    func golden() throws {
        let updates = nodeUpdates((0..<5).map { random(10_000, seed: UInt64($0 + 99)) })
        func fingerprint(_ values: [Float]) -> UInt64 {
            values.reduce(0xcbf2_9ce4_8422_2325) {
                ($0 ^ UInt64($1.bitPattern)) &* 0x100_0000_01b3
            }
        }
        let mean = try Aggregator(rule: .mean).aggregate(updates).values
        let trimmed = try Aggregator(rule: .trimmedMean(byzantine: 1)).aggregate(updates).values
        #expect(fingerprint(mean) == 6_348_492_409_341_947_612)
        #expect(fingerprint(trimmed) == 6_027_343_228_063_680_162)
        let norm = try IntakeCheck(parameterCount: 10_000, normMax: 1e9)
            .check(random(10_000, seed: 99))
        #expect(norm.bitPattern == 4_633_283_851_010_361_779)
    }

    @Test("negative zero becomes zero, in rules and in the new model")
    func zeros() throws {
        let zeros = nodeUpdates([[-0.0, -1], [-0.0, 1], [0.0, -0.0]])
        for rule in [AggregationRule.mean, .trimmedMean(byzantine: 1)] {
            #expect(try Aggregator(rule: rule).aggregate(zeros).values.map(\.bitPattern) == [0, 0])
        }
        #expect(try apply(base: [-0.0, 1], aggregate: [-0.0, -1]).map(\.bitPattern) == [0, 0])
    }

    @Test("a duplicate node and a sum beyond float32 are errors")
    func errors() throws {
        let twice = [
            NodeUpdate(node: testNode(1), values: [Float(1)]),
            NodeUpdate(node: testNode(1), values: [Float(2)]),
        ]
        #expect(throws: AggregationError.duplicate(testNode(1))) {
            try Aggregator(rule: .mean).aggregate(twice)
        }
        let most = Float.greatestFiniteMagnitude
        #expect(
            try Aggregator(rule: .mean).aggregate(nodeUpdates([[most], [most]])).values == [most])
        #expect(throws: AggregationError.notFinite(index: 1)) {
            try apply(base: [1, most], aggregate: [1, most])
        }
    }
}

@Suite("Intake of one update")
struct IntakeCheckTests {
    @Test("shape, the first value that is no number, and the norm, each with its reason")
    func refused() throws {
        let intake = IntakeCheck(parameterCount: 3000, normMax: 5)
        var update = [Float](repeating: 0, count: 3000)
        (update[0], update[2999]) = (3, 4)
        #expect(try intake.check(update) == 5)
        #expect(throws: IntakeError.wrongShape(expected: 3000, actual: 2)) {
            try intake.check([Float(1), 2])
        }
        update[2999] = 4.0001
        let norm = (9 + Double(update[2999]) * Double(update[2999])).squareRoot()
        #expect(throws: IntakeError.normAboveBound(norm: norm, bound: 5)) {
            try intake.check(update)
        }
        update[2500] = .infinity
        #expect(throws: IntakeError.notFinite(index: 2500)) { try intake.check(update) }
        update[17] = .nan
        #expect(throws: IntakeError.notFinite(index: 17)) { try intake.check(update) }
        let huge = [Float](repeating: .greatestFiniteMagnitude, count: 3000)
        #expect(throws: IntakeError.self) { try intake.check(huge) }
        #expect(try IntakeCheck(parameterCount: 3000, normMax: 1e60).check(huge).isFinite)
    }

    @Test("bytes that are no whole values are no update")
    func raw() {
        let bytes: [UInt8] = [0, 0, 0]
        bytes.withUnsafeBytes { #expect(RawUpdate($0) == nil) }
    }
}
