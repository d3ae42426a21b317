import AegisCore

/// One rule at work on one set of rows.
struct Combiner {
    let rows: Rows
    /// In order of node id, as the rows' sources are.
    let updates: [NodeUpdate]
    let reference: UnsafeRawPointer?
    /// Nil only where the updates have no values.
    let result: UnsafeMutablePointer<Float>?

    /// What a rule says of the rows.
    struct Outcome {
        let meaning: ScoreMeaning
        var scores: [Double]
        /// The rows' parts of the result.
        var shares: [Double]
        var selected: [Int]?

        func explanation(of updates: [NodeUpdate], rows: Rows) -> Explanation {
            let shares = rows.sourceWeights(shares)
            let fair = 1 / Double(updates.count)
            // The score of an update in a bucket is the bucket's.
            let scores = rows.stages.reversed().reduce(scores) { $1.spread($0) }
            return Explanation(
                verdicts: updates.indices.map { index in
                    Explanation.Verdict(
                        node: updates[index].node, isKept: shares[index] >= fair / 2,
                        share: shares[index], score: scores[index])
                }, meaning: meaning, selected: selected)
        }
    }

    func combine(_ rule: AggregationRule) throws(AggregationError) -> Outcome {
        if let f = rule.byzantine, f < 0 { throw .badParameter("f") }
        let n = rows.count
        guard n >= rule.updatesMin else {
            throw .tooFewUpdates(count: n, needed: rule.updatesMin)
        }
        switch rule {
        case .mean: return weightedSum([Double](repeating: 1, count: n), divisor: Double(n))
        case .weightedMean:
            let weights = try weights()
            return weightedSum(weights, divisor: weights.reduce(0, +))
        case .median: return ranks((n - 1) / 2..<n / 2 + 1)
        case .weightedMedian: return try weightedMiddle(trim: nil)
        case .trimmedMean(let f): return ranks(f..<n - f)
        case .trimmedMeanFraction(let fraction):
            guard fraction >= 0, fraction < 0.5 else { throw .badParameter("beta") }
            let trim = Int(fraction * Double(n))
            return ranks(trim..<n - trim)
        case .weightedTrimmedMean(let f): return try weightedMiddle(trim: f)
        case .meanAroundMedian(let f):
            return nearestMedian(of: Array(0..<n), keep: n - f, selected: nil)
        case .krum(let f): return krum(f, kept: 1)
        case .multiKrum(let f, let kept):
            let kept = kept ?? n - f
            guard (1...n - f).contains(kept) else {
                throw .keptOutOfRange(kept: kept, max: n - f)
            }
            return krum(f, kept: kept)
        case .bulyan(let f):
            let selected = Selection.bulyan(rows.squaredDistances(), byzantine: f)
            return nearestMedian(of: selected, keep: n - 4 * f, selected: selected)
        case .geometricMedian:
            return aroundPoint(Combination(weights: GeometricMedian(rows).weights()))
        case .smoothedWeiszfeld(let smoothing, let steps, let fromMean):
            return try weiszfeld(smoothing, steps, fromMean: fromMean)
        case .centeredClipping(let radius, let steps): return try clipping(radius, steps)
        case .minimumDiameter(let f): return try minimumDiameter(f)
        case .monna(let f, let own): return try monna(f, own)
        case .trustByReference: return try trust()
        }
    }
}

extension Combiner {
    /// The updates' weights; those of buckets and mixtures are their members' means.
    private func weights() throws(AggregationError) -> [Double] {
        var weights = updates.map(\.weight)
        guard weights.allSatisfy({ $0 >= 0 && $0.isFinite }), weights.contains(where: { $0 > 0 })
        else { throw .badWeights }
        for stage in rows.stages {
            weights = stage.rows.map { row in
                row.members.reduce(0) { $0 + weights[$1] } / Double(row.members.count)
            }
        }
        guard weights.reduce(0, +).isFinite else { throw .badWeights }
        return weights
    }

    private func weightedSum(_ weights: [Double], divisor: Double) -> Outcome {
        write(Combination(weights: weights, divisor: divisor))
        return Outcome(
            meaning: .weight, scores: weights, shares: weights.map { $0 / divisor })
    }

    private func write(_ point: Combination) {
        guard let result else { return }
        rows.write(point, reference: reference, into: result)
    }

    private func ranks(_ ranks: Range<Int>) -> Outcome {
        guard let result else { return leftOut(.init(counts: [], coordinates: 0)) }
        return leftOut(rows.writeRanks(ranks, into: result))
    }

    private func nearestMedian(of members: [Int], keep: Int, selected: [Int]?) -> Outcome {
        guard let result else { return leftOut(.init(counts: [], coordinates: 0)) }
        var outcome = leftOut(rows.writeNearestMedian(of: members, keep: keep, into: result))
        outcome.selected = selected
        return outcome
    }

    private func leftOut(_ left: Rows.LeftOut) -> Outcome {
        guard left.coordinates > 0 else {
            return equal(meaning: .leftOut, scores: [Double](repeating: 0, count: rows.count))
        }
        let kept = left.counts.map { Double(left.coordinates - $0) }
        let total = kept.reduce(0, +)
        return Outcome(
            meaning: .leftOut, scores: left.counts.map { Double($0) / Double(left.coordinates) },
            shares: kept.map { $0 / total })
    }

    private func equal(meaning: ScoreMeaning, scores: [Double]) -> Outcome {
        let share = 1 / Double(rows.count)
        return Outcome(
            meaning: meaning, scores: scores, shares: scores.map { _ in share })
    }

    private func weightedMiddle(trim: Int?) throws(AggregationError) -> Outcome {
        let weights = try weights()
        let total = weights.reduce(0, +)
        var low = total / 2
        if let trim {
            // As much as f participants can weigh at most.
            low = weights.sorted(by: >).prefix(trim).reduce(0, +)
            guard 2 * low < total else {
                throw .tooFewUpdates(count: rows.count, needed: rows.count + 1)
            }
        }
        if let result {
            rows.writeWeighted(weights, from: low, to: total - low, into: result)
        }
        return Outcome(
            meaning: .weight, scores: weights, shares: weights.map { $0 / total })
    }

    private func krum(_ f: Int, kept: Int) -> Outcome {
        let n = rows.count
        let scores = Selection.krumScores(
            rows.squaredDistances(), among: Array(0..<n), neighbours: n - f - 2)
        return select(Selection.least(kept, by: scores), .neighbourDistance, scores)
    }

    private func select(
        _ selected: [Int], _ meaning: ScoreMeaning, _ scores: [Double]
    ) -> Outcome {
        var weights = [Double](repeating: 0, count: rows.count)
        for row in selected { weights[row] = 1 }
        write(Combination(weights: weights, divisor: Double(selected.count)))
        return Outcome(
            meaning: meaning, scores: scores,
            shares: weights.map { $0 / Double(selected.count) }, selected: selected)
    }

    private func minimumDiameter(_ f: Int) throws(AggregationError) -> Outcome {
        let distances = rows.squaredDistances()
        var search = MinimumDiameter(distances, byzantine: f)
        let selected = try search.subset()
        let scores = (0..<rows.count).map { row in
            selected.map { distances[row, $0] }.reduce(0, max).squareRoot()
        }
        return select(selected, .diameter, scores)
    }

    private func monna(_ f: Int, _ own: NodeID) throws(AggregationError) -> Outcome {
        guard let index = updates.firstIndex(where: { $0.node == own }), index < rows.count
        else { throw .unknownNode(own) }
        var point = Combination(weights: [Double](repeating: 0, count: rows.count))
        point.weights[index] = 1
        let squared = rows.squaredDistances(to: point)
        let nearest = Selection.least(rows.count - f, by: squared)
        return select(nearest, .distance, squared.map { $0.squareRoot() })
    }
}

extension Combiner {
    private func aroundPoint(_ point: Combination) -> Outcome {
        let squared = rows.squaredDistances(to: point, reference: reference)
        write(point)
        return Outcome(
            meaning: .distance, scores: squared.map { $0.squareRoot() },
            shares: point.weights.map { $0 / point.divisor })
    }

    private func weiszfeld(
        _ smoothing: Double, _ steps: Int, fromMean: Bool
    ) throws(AggregationError) -> Outcome {
        guard smoothing > 0, smoothing.isFinite else { throw .badParameter("nu") }
        guard (1...1000).contains(steps) else { throw .badParameter("T") }
        let n = rows.count
        var point = Combination(
            weights: [Double](repeating: fromMean ? 1 : 0, count: n),
            divisor: fromMean ? Double(n) : 1)
        var distances: [Double] = []
        for _ in 0..<steps {
            distances = rows.squaredDistances(to: point).map { $0.squareRoot() }
            point.weights = distances.map { 1 / max(smoothing, $0) }
            point.divisor = point.weights.reduce(0, +)
        }
        write(point)
        return Outcome(
            meaning: .distance, scores: distances,
            shares: point.weights.map { $0 / point.divisor })
    }

    private func clipping(_ radius: Double, _ steps: Int) throws(AggregationError) -> Outcome {
        guard radius > 0, radius.isFinite else { throw .badParameter("tau") }
        guard (1...1000).contains(steps) else { throw .badParameter("L") }
        let n = Double(rows.count)
        var point = Combination(
            weights: [Double](repeating: 0, count: rows.count), referenceWeight: 1)
        var distances: [Double] = []
        for _ in 0..<steps {
            distances = rows.squaredDistances(to: point, reference: reference)
                .map { $0.squareRoot() }
            let pulls = distances.map { $0 > radius ? radius / $0 : 1 }
            let rest = 1 - pulls.reduce(0, +) / n
            point.referenceWeight *= rest
            point.weights = zip(point.weights, pulls).map { $0 * rest + $1 / n }
        }
        write(point)
        return Outcome(meaning: .distance, scores: distances, shares: point.weights)
    }

    private func trust() throws(AggregationError) -> Outcome {
        guard let reference else { throw .missingReference }
        var products = rows.products(with: reference)
        guard let square = products.popLast(), square > 0 else { throw .noTrust }
        let norm = square.squareRoot()
        let norms = rows.squaredNorms().map { $0.squareRoot() }
        let cosines = zip(products, norms).map { $1 > 0 ? $0 / ($1 * norm) : 0 }
        let trust = cosines.map { max($0, 0) }
        let total = trust.reduce(0, +)
        guard total > 0 else { throw .noTrust }
        let weights = zip(trust, norms).map { $1 > 0 ? $0 * (norm / $1) : 0 }
        guard let result else { throw .noTrust }
        rows.write(Combination(weights: weights, divisor: total), into: result)
        return Outcome(meaning: .cosine, scores: cosines, shares: trust.map { $0 / total })
    }
}

extension Mixing {
    /// What is said of the new rows, said of the old: of each by the first row it is in, which is
    /// its own where every old row has one.
    fileprivate func spread(_ values: [Double]) -> [Double] {
        if rows.count == sourceCount { return values }
        var result = [Double](repeating: 0, count: sourceCount)
        for (row, value) in zip(rows, values).reversed() {
            for member in row.members { result[member] = value }
        }
        return result
    }
}
