import Glibc

/// What a model said about labelled records: for each the scores of every class, as probabilities,
/// and the true class. The metrics are those people know from scikit-learn, whose values the tests
/// compare with.
package struct ClassMetrics: Hashable, Sendable {
    package let count: Int
    /// The share of records whose class has the highest probability; the first of equals counts.
    package let accuracy: Double
    /// Mean cross-entropy, in nats.
    package let loss: Double
    /// The unweighted mean of the classes' F1; with two classes that of the second.
    package let f1: Double
    /// Area under the ROC curve (Hanley and McNeil 1982); with more than two classes the mean of
    /// one against the rest. Nil where some class has no records, or all.
    package let auc: Double?
    /// Expected calibration error of the highest probability in 15 equal bins (Guo et al. 2017).
    package let calibrationError: Double

    package static let bins = 15

    /// `probabilities` are record after record, `classes` each.
    package init(probabilities: [Float], labels: [Int], classes: Int) {
        precondition(classes >= 2 && probabilities.count == labels.count * classes)
        precondition(labels.allSatisfy { (0..<classes).contains($0) })
        count = labels.count
        var (correct, loss) = (0, 0.0)
        var truePositive = [Int](repeating: 0, count: classes)
        var predicted = truePositive
        var actual = truePositive
        var bins = [(count: Int, correct: Int, confidence: Double)](
            repeating: (0, 0, 0), count: Self.bins)
        for (record, label) in labels.enumerated() {
            let scores = probabilities[record * classes..<(record + 1) * classes]
            var best = 0
            for index in 1..<classes
            where scores[scores.startIndex + index] > scores[scores.startIndex + best] {
                best = index
            }
            let confidence = Double(scores[scores.startIndex + best])
            loss -= log(max(Double(scores[scores.startIndex + label]), 1e-38))
            let isCorrect = best == label
            correct += isCorrect ? 1 : 0
            truePositive[label] += isCorrect ? 1 : 0
            predicted[best] += 1
            actual[label] += 1
            // Bins are (k/15, (k+1)/15].
            let bin = min(max(Int((confidence * Double(Self.bins)).rounded(.up)) - 1, 0), 14)
            bins[bin].count += 1
            bins[bin].correct += isCorrect ? 1 : 0
            bins[bin].confidence += confidence
        }
        let total = Double(max(count, 1))
        accuracy = Double(correct) / total
        self.loss = loss / total
        let scores = (0..<classes).map { index in
            let sum = predicted[index] + actual[index]
            return sum == 0 ? 0 : 2 * Double(truePositive[index]) / Double(sum)
        }
        f1 = classes == 2 ? scores[1] : scores.reduce(0, +) / Double(classes)
        calibrationError = bins.reduce(0) { $0 + abs(Double($1.correct) - $1.confidence) } / total
        auc = Self.auc(probabilities, labels, classes)
    }

    private static func auc(_ probabilities: [Float], _ labels: [Int], _ classes: Int) -> Double? {
        var total = 0.0
        let rest = classes == 2 ? [1] : Array(0..<classes)
        for index in rest {
            let scores = labels.indices.map { probabilities[$0 * classes + index] }
            guard let area = rankedArea(scores, labels.map { $0 == index }) else { return nil }
            total += area
        }
        return total / Double(rest.count)
    }

    /// The chance that a positive scores above a negative, ties counting half: from the sum of
    /// the positives' ranks (Mann and Whitney 1947).
    static func rankedArea(_ scores: [Float], _ positive: [Bool]) -> Double? {
        let order = scores.indices.sorted { scores[$0] < scores[$1] }
        let positives = positive.lazy.filter { $0 }.count
        let negatives = scores.count - positives
        guard positives > 0, negatives > 0 else { return nil }
        var rankSum = 0.0
        var start = 0
        while start < order.count {
            var end = start + 1
            while end < order.count, scores[order[end]] == scores[order[start]] { end += 1 }
            let rank = Double(start + end + 1) / 2
            for position in start..<end where positive[order[position]] { rankSum += rank }
            start = end
        }
        let (p, n) = (Double(positives), Double(negatives))
        return (rankSum - p * (p + 1) / 2) / (p * n)
    }
}

/// What a model said about numbers.
package struct NumberMetrics: Hashable, Sendable {
    package let count: Int
    /// Root of the mean squared error, in the target's own unit.
    package let rmse: Double
    /// Mean absolute error, in the target's own unit.
    package let mae: Double
    /// The share of the variance explained; nil where the targets are all alike.
    package let r2: Double?

    package init(predicted: [Double], actual: [Double]) {
        precondition(predicted.count == actual.count)
        count = actual.count
        let total = Double(max(count, 1))
        let mean = actual.reduce(0, +) / total
        var (squares, absolute, spread) = (0.0, 0.0, 0.0)
        for (guess, truth) in zip(predicted, actual) {
            squares += (guess - truth) * (guess - truth)
            absolute += abs(guess - truth)
            spread += (truth - mean) * (truth - mean)
        }
        rmse = (squares / total).squareRoot()
        mae = absolute / total
        r2 = spread > 0 ? 1 - squares / spread : nil
    }
}

/// The nodes' figures as one: each weighted by its test records, so that a node with many counts
/// for many. The area under the curve can't be pooled from the nodes' areas; their weighted mean
/// is given as what it is.
package struct FederationMetrics: Hashable, Sendable {
    package let count: Int
    package let accuracy: Double
    package let loss: Double
    /// The node that fares worst.
    package let worstAccuracy: Double

    package init?(_ nodes: [ClassMetrics]) {
        let counted = nodes.filter { $0.count > 0 }
        guard let worst = counted.map(\.accuracy).min() else { return nil }
        count = counted.reduce(0) { $0 + $1.count }
        let total = Double(count)
        accuracy = counted.reduce(0) { $0 + $1.accuracy * Double($1.count) } / total
        loss = counted.reduce(0) { $0 + $1.loss * Double($1.count) } / total
        worstAccuracy = worst
    }
}
