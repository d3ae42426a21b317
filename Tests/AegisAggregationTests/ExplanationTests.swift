import AegisAggregation
import AegisCore
import Testing

@Suite("Explanations: who was heard")
struct ExplanationTests {
    /// Eight updates near each other, and three that pull the other way.
    private let updates: [NodeUpdate] = nodeUpdates(
        (0..<11).map { index in
            let noise = random(5000, seed: UInt64(index + 1))
            return noise.map { index < 8 ? 1 + $0 / 4 : -8 + $0 }
        })

    private let rules: [AggregationRule] = [
        .median, .trimmedMean(byzantine: 3), .meanAroundMedian(byzantine: 3),
        .multiKrum(byzantine: 3, kept: nil), .geometricMedian,
        .smoothedWeiszfeld(smoothing: 1e-3, steps: 8, fromMean: true),
        .minimumDiameter(byzantine: 3), .monna(byzantine: 3, own: testNode(2)),
    ]

    @Test("attackers are dropped, the others kept, with a score for each")
    func dropped() throws {
        for rule in rules {
            let explanation = try Aggregator(rule: rule).aggregate(updates).explanation
            #expect(explanation.dropped == [8, 9, 10].map(testNode), "\(rule)")
            let scores = explanation.verdicts.map(\.score)
            #expect((scores.prefix(8).max() ?? 0) < (scores.suffix(3).min() ?? 0), "\(rule)")
            let shares = explanation.verdicts.map(\.share).reduce(0, +)
            #expect(abs(shares - 1) < 1e-9)
        }
    }

    @Test("the plain mean drops nobody, and a weight is a share")
    func mean() throws {
        let mean = try Aggregator(rule: .mean).aggregate(updates).explanation
        #expect(mean.dropped.isEmpty)
        let weighted = nodeUpdates([[1], [2]], weights: [3, 1])
        let shares = try Aggregator(rule: .weightedMean).aggregate(weighted)
            .explanation.verdicts.map(\.share)
        #expect(shares == [0.75, 0.25])
    }

    @Test("after mixing, a share is that of the update, not of the mixture")
    func mixed() throws {
        let result = try Aggregator(
            preSteps: [.nearestNeighbourMixing(byzantine: 3)], rule: .trimmedMean(byzantine: 3)
        ).aggregate(updates).explanation
        let shares = result.verdicts.map(\.share)
        #expect(abs(shares.reduce(0, +) - 1) < 1e-9)
        #expect((shares.suffix(3).max() ?? 1) < (shares.prefix(8).min() ?? 0))
        let buckets = try Aggregator(
            preSteps: [.bucketing(size: 2, order: .permutation(Array(0..<11)))],
            rule: .krum(byzantine: 1)
        ).aggregate(updates).explanation
        let selected = try #require(buckets.selected?.first)
        let kept = buckets.verdicts.indices.filter { buckets.verdicts[$0].isKept }
        #expect(kept == [2 * selected, 2 * selected + 1])
    }
}

@Suite("Intake of updates")
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

    @Test("a batch is parted into admitted and refused, weights and norms among the reasons")
    func batch() {
        let intake = IntakeCheck(parameterCount: 1, normMax: 10, weightMax: 100)
        let (admitted, refused) = intake.admit(
            nodeUpdates(
                [[1], [.nan], [2], [20], [3], [4], [5, 6]],
                weights: [1, 1, 101, 1, .nan, -1, 1]))
        #expect(admitted.map(\.node) == [testNode(0)])
        #expect(refused.map(\.node) == (1...6).map(testNode))
        #expect(refused.first?.reason == .notFinite(index: 0))
        #expect(refused.dropFirst().first?.reason == .weightOutOfBounds(weight: 101, max: 100))
    }
}
