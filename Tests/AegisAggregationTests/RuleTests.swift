import AegisAggregation
import AegisCore
import Testing

@Suite("Rules against slow ones written from the papers")
struct RuleTests {
    private func aggregate(_ rule: AggregationRule, _ updates: [NodeUpdate]) throws -> [Float] {
        try Aggregator(rule: rule).aggregate(updates).values
    }

    @Test("trimmed mean is the sort's for every count and f a mesh can have", arguments: 1...32)
    func trimmedMean(count: Int) throws {
        let updates = (0..<count).map { random(1500, seed: UInt64($0 + 1)) }
        for byzantine in 0...(count - 1) / 2 {
            let ours = try aggregate(.trimmedMean(byzantine: byzantine), nodeUpdates(updates))
            for coordinate in stride(from: 0, to: 1500, by: 7) {
                let kept = updates.map { $0[coordinate] }.sorted()
                    .dropFirst(byzantine).dropLast(byzantine)
                let expected = Float(kept.reduce(0) { $0 + Double($1) } / Double(kept.count))
                #expect(ours[coordinate] == expected)
            }
        }
    }

    // With whole weights w, a weighted rule is the plain one on w copies of each update.
    @Test("weighted median and trimmed mean are the plain ones on as many copies")
    func weighted() throws {
        for seed in 0..<20 as Range<UInt64> {
            let updates = (0..<7).map { random(200, seed: seed * 100 + UInt64($0)) }
            let weights = updates.indices.map { 1 + (Int(seed) * 5 + $0 * 3) % 6 }
            let inputs = nodeUpdates(updates, weights: weights.map(Double.init))
            let copies = nodeUpdates(
                zip(updates, weights).flatMap { Array(repeating: $0, count: $1) })
            #expect(try aggregate(.weightedMedian, inputs) == aggregate(.median, copies))
            let trim = weights.max() ?? 0
            guard 2 * trim < copies.count else { continue }
            let ours = try aggregate(.weightedTrimmedMean(byzantine: 1), inputs)
            let plain = try aggregate(.trimmedMean(byzantine: trim), copies)
            for (ours, plain) in zip(ours, plain) { #expect(abs(ours - plain) < 1e-6) }
        }
    }

    @Test("minimum diameter finds what trying every subset finds, ties included")
    func minimumDiameter() throws {
        for seed in 0..<60 as Range<UInt64> {
            let count = 4 + Int(seed % 7)
            // Whole numbers of a small range: many equal distances.
            let updates = (0..<count).map { row in
                random(2, seed: seed * 50 + UInt64(row)).map { ($0 * 3).rounded() }
            }
            for byzantine in 1...(count - 1) / 2 {
                let result = try Aggregator(rule: .minimumDiameter(byzantine: byzantine))
                    .aggregate(nodeUpdates(updates))
                let expected = subsets(of: count, size: count - byzantine)
                    .min { diameter($0, updates) < diameter($1, updates) }
                #expect(result.explanation.selected == expected)
            }
        }
    }

    /// In lexicographic order.
    private func subsets(of count: Int, size: Int, from first: Int = 0) -> [[Int]] {
        guard size > 0 else { return [[]] }
        guard count - first >= size else { return [] }
        return (first...count - size).flatMap { head in
            subsets(of: count, size: size - 1, from: head + 1).map { [head] + $0 }
        }
    }

    private func diameter(_ subset: [Int], _ updates: [[Float]]) -> Float {
        subset.flatMap { i in
            subset.map { j in
                zip(updates[i], updates[j]).map { ($0 - $1) * ($0 - $1) }.reduce(0, +)
            }
        }.max() ?? 0
    }

    @Test("minimum diameter of a hundred updates ends, with a subset or by saying so")
    func minimumDiameterOfMany() throws {
        let updates = (0..<100).map { random(40, seed: UInt64($0)) }
        do throws(AggregationError) {
            let result = try Aggregator(rule: .minimumDiameter(byzantine: 20))
                .aggregate(nodeUpdates(updates))
            #expect(result.explanation.selected?.count == 80)
        } catch {
            #expect(error == .tooCostly)
        }
    }

    // Its definition: the updates' pulls, unit vectors whatever the distance, cancel out.
    @Test("the geometric median holds its place against one far, up to thirty decades")
    func geometricMedian() throws {
        for scale in [1, 1e3, 1e12, 1e30] as [Float] {
            var updates = (0..<9).map { random(20, seed: UInt64($0 + 7)) }
            for index in 0..<20 { updates[4][index] *= scale }
            let ours = try aggregate(.geometricMedian, nodeUpdates(updates)).map(Double.init)
            var pull = [Double](repeating: 0, count: 20)
            for update in updates {
                let gaps = zip(update, ours).map { Double($0) - $1 }
                let length = norm(gaps)
                for index in 0..<20 { pull[index] += gaps[index] / length }
            }
            #expect(norm(pull) < 1e-5, "scale \(scale)")
        }
    }

    private func norm(_ vector: [Double]) -> Double {
        vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
    }

    @Test("negative zero becomes zero, in rules and in the new model")
    func zeros() throws {
        let zeros = nodeUpdates([[-0.0, -1], [-0.0, 1], [0.0, -0.0]])
        for rule in [
            AggregationRule.mean, .trimmedMean(byzantine: 1), .median, .krum(byzantine: 0),
        ]
        where rule != .krum(byzantine: 0) {
            #expect(try aggregate(rule, zeros).map(\.bitPattern) == [0, 0])
        }
        let krum = try aggregate(.krum(byzantine: 0), nodeUpdates([[-0.0], [-0.0], [5]]))
        #expect(krum.map(\.bitPattern) == [0])
        var model: [Float] = [-0.0, 1]
        try ServerOptimizer.average(rate: 1).apply([-0.0, -1], to: &model)
        #expect(model.map(\.bitPattern) == [0, 0])
    }

    @Test("a duplicate node and a sum beyond float32 are errors")
    func errors() throws {
        let twice = [
            NodeUpdate(node: testNode(1), values: [Float(1)]),
            NodeUpdate(node: testNode(1), values: [Float(2)]),
        ]
        #expect(throws: AggregationError.duplicate(testNode(1))) {
            try aggregate(.mean, twice)
        }
        let most = Float.greatestFiniteMagnitude
        #expect(try aggregate(.mean, nodeUpdates([[most], [most]])) == [most])
        #expect(throws: AggregationError.notFinite(index: 1)) {
            var model = [1, most]
            try ServerOptimizer.average(rate: 1).apply([1, most], to: &model)
        }
    }

    @Test("parameters out of range are errors, never traps")
    func parameters() throws {
        let updates = nodeUpdates((0..<7).map { random(3, seed: UInt64($0)) })
        let rules: [AggregationRule] = [
            .trimmedMean(byzantine: -1), .krum(byzantine: .min), .bulyan(byzantine: .max),
            .trimmedMean(byzantine: .max), .trimmedMeanFraction(0.5), .trimmedMeanFraction(.nan),
            .multiKrum(byzantine: 1, kept: .max), .monna(byzantine: 1, own: testNode(200)),
            .smoothedWeiszfeld(smoothing: 0, steps: 3, fromMean: true),
            .smoothedWeiszfeld(smoothing: 1, steps: -3, fromMean: true),
            .centeredClipping(radius: .nan, steps: 1), .centeredClipping(radius: 1, steps: .max),
            .trustByReference, .weightedTrimmedMean(byzantine: 4),
        ]
        for rule in rules {
            #expect(throws: AggregationError.self, "\(rule)") { try aggregate(rule, updates) }
        }
        let steps: [PreStep] = [
            .bucketing(size: 0, order: .permutation([0])),
            .bucketing(size: 2, order: .permutation([0, 1, 2, 3, 4, 5, 5])),
            .nearestNeighbourMixing(byzantine: 4), .adaptiveClipping(byzantine: .max),
            .normClipping(radius: -1),
        ]
        for step in steps {
            #expect(throws: AggregationError.self, "\(step)") {
                try Aggregator(preSteps: [step], rule: .mean).aggregate(updates)
            }
        }
        #expect(throws: AggregationError.referenceOfWrongShape(expected: 3, actual: 1)) {
            try Aggregator(rule: .trustByReference).aggregate(updates, reference: [Float(1)])
        }
        #expect(try aggregate(.median, nodeUpdates([[], [], []])).isEmpty)
    }

    @Test("every rule of the list has a name that is read, and the parameters it says")
    func catalog() throws {
        for entry in RuleDescription.all {
            var parameters = RuleParameters()
            if entry.parameters.contains("f") { parameters.byzantine = 1 }
            if entry.parameters.contains("beta") { parameters.fraction = 0.1 }
            if entry.parameters.contains("nu") { parameters.smoothing = 0.1 }
            if !Set(entry.parameters).isDisjoint(with: ["T", "L"]) { parameters.steps = 1 }
            if entry.parameters.contains("tau") { parameters.radius = 1 }
            if entry.parameters.contains("radius") { parameters.clipRadius = 1 }
            if entry.parameters.contains("idx") { parameters.own = testNode(0) }
            if entry.parameters.contains("s") { parameters.bucketSize = 2 }
            if entry.parameters.contains("perm") { parameters.bucketOrder = .seed(.zero) }
            let name = entry.kind == .rule ? entry.name : entry.name + "+mean"
            let updates = nodeUpdates((0..<9).map { random(3, seed: UInt64($0)) })
            let aggregator = try Aggregator(named: name, parameters: parameters)
            _ = try aggregator.aggregate(updates, reference: random(3, seed: 3))
        }
        #expect(throws: RuleNameError.unknown("krumm")) {
            try Aggregator(named: "krumm", parameters: RuleParameters(byzantine: 1))
        }
        #expect(throws: RuleNameError.missingParameter("f")) {
            try Aggregator(named: "nnm+median", parameters: RuleParameters())
        }
    }
}
