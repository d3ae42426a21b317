import AegisAggregation
import AegisCore
import Testing

@Suite("The mean of updates that still arrive")
struct StreamingMeanTests {
    private let updates = nodeUpdates(
        (0..<6).map { random(3000, seed: UInt64($0 + 1)) }, weights: [3, 1, 4, 1, 5, 9])

    @Test("has the bits of the mean, whatever the order of arrival")
    func order() throws {
        for isWeighted in [false, true] {
            let rule = isWeighted ? AggregationRule.weightedMean : .mean
            let whole = try Aggregator(rule: rule).aggregate(updates).values
            for order in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [2, 0, 5, 1, 3, 4]] {
                var mean = StreamingMean(
                    nodes: updates.map(\.node), count: 3000, isWeighted: isWeighted)
                for index in order { try mean.add(updates[index]) }
                #expect(try mean.finish() == whole)
            }
        }
    }

    @Test("an update is let go when it is added, not before")
    func waits() throws {
        var mean = StreamingMean(nodes: updates.map(\.node), count: 3000)
        #expect(try !mean.add(updates[1]))
        #expect(try !mean.add(updates[3]))
        #expect(try mean.add(updates[0]))
        #expect(mean.awaited == [2, 4, 5].map { updates[$0].node })
        try mean.leaveOut(updates[2].node)
        let rest = [0, 1, 3].map { updates[$0] }
        let expected = try Aggregator(rule: .mean).aggregate(rest).values
        #expect(try mean.finish() == expected)
    }

    @Test("strangers, second updates, other shapes and nobody at all are errors")
    func refusals() throws {
        var mean = StreamingMean(nodes: updates.prefix(2).map(\.node), count: 3000)
        #expect(throws: AggregationError.unknownNode(updates[3].node)) {
            try mean.add(updates[3])
        }
        #expect(throws: AggregationError.wrongShape(node: testNode(0), expected: 3000, actual: 1)) {
            try mean.add(NodeUpdate(node: testNode(0), values: [Float(1)]))
        }
        try mean.add(updates[0])
        #expect(throws: AggregationError.duplicate(updates[0].node)) {
            try mean.add(updates[0])
        }
        var nobody = StreamingMean(nodes: updates.map(\.node), count: 3000)
        #expect(throws: AggregationError.empty) { try nobody.finish() }
    }
}
