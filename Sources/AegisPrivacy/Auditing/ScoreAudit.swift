import Glibc

/// What scores of canaries that were in a data set and of others that were not prove about a
/// mechanism. A higher score speaks for "in".
package struct ScoreAudit: Sendable {
    /// Of each threshold that is worth considering: canaries at or above it.
    struct Threshold: Hashable, Sendable {
        let truePositives: Int
        let falsePositives: Int
    }

    package let inCount: Int
    package let outCount: Int
    let thresholds: [Threshold]

    /// Nil where there are no scores of one kind, or one is not a number.
    package init?(in inScores: [Double], out outScores: [Double]) {
        guard !inScores.isEmpty, !outScores.isEmpty,
            !inScores.contains(where: \.isNaN), !outScores.contains(where: \.isNaN)
        else { return nil }
        inCount = inScores.count
        outCount = outScores.count
        thresholds = Self.frontier(inScores.sorted(), outScores.sorted())
    }

    /// ε at δ from one threshold: log((TPR − δ) / FPR) of the Clopper-Pearson limits, half of the
    /// significance for each. `thresholds` says among how many it was chosen; each then has its
    /// share of the significance.
    static func epsilon(
        _ threshold: Threshold, of inCount: Int, _ outCount: Int, delta: Double,
        significance: Double
    ) -> Double {
        let rate = Binomial.lowerLimit(threshold.truePositives, of: inCount, significance / 2)
        let wrong = Binomial.upperLimit(threshold.falsePositives, of: outCount, significance / 2)
        guard rate > delta, wrong > 0 else { return 0 }
        return max(0, log((rate - delta) / wrong))
    }

    /// The best of all thresholds, which share the significance.
    package func clopperPearson(delta: Double, significance: Double) -> Double {
        let share = significance / Double(thresholds.count)
        return thresholds.map {
            Self.epsilon($0, of: inCount, outCount, delta: delta, significance: share)
        }.max() ?? 0
    }

    /// The scores as those of one run, each canary included by a fair coin: the best of all
    /// thresholds, which share the significance.
    package func oneRun(delta: Double, significance: Double) -> Double {
        let share = significance / Double(thresholds.count)
        return thresholds.compactMap { threshold in
            OneRunAudit(
                canaries: inCount + outCount,
                guesses: threshold.truePositives + threshold.falsePositives,
                correct: threshold.truePositives
            )?.epsilon(delta: delta, significance: share)
        }.max() ?? 0
    }

    /// The area under the curve of the best rates, those by chance between two thresholds
    /// included.
    package var areaUnderCurve: Double {
        var area = 0
        for (left, right) in zip(thresholds, thresholds.dropFirst()) {
            area +=
                (right.falsePositives - left.falsePositives)
                * (right.truePositives + left.truePositives)
        }
        return Double(area) / 2 / Double(inCount) / Double(outCount)
    }

    /// The corners of the upper convex hull of the points (false, true positives), ends included:
    /// no other threshold is better for any ε.
    private static func frontier(_ ins: [Double], _ outs: [Double]) -> [Threshold] {
        var hull: [Threshold] = []
        let scores = Array(Set(ins + outs)).sorted() + [.infinity]
        for score in scores.reversed() {
            let point = Threshold(
                truePositives: ins.count - ins.partitionPoint { $0 < score },
                falsePositives: outs.count - outs.partitionPoint { $0 < score })
            while hull.count >= 2 {
                let (a, b) = (hull[hull.count - 2], hull[hull.count - 1])
                let before =
                    (b.truePositives - a.truePositives)
                    * (point.falsePositives - b.falsePositives)
                let after =
                    (point.truePositives - b.truePositives)
                    * (b.falsePositives - a.falsePositives)
                guard before <= after else { break }
                hull.removeLast()
            }
            hull.append(point)
        }
        return hull
    }
}

extension [Double] {
    /// How many elements of this sorted array come before the first without the property.
    fileprivate func partitionPoint(_ isBefore: (Double) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBefore(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
