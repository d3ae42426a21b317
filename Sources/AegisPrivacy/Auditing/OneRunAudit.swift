import Glibc

/// What the guesses of one training run prove about its privacy. Each of m canaries was included
/// by a fair coin; an adversary guesses for some of them whether they were.
package struct OneRunAudit: Hashable, Sendable {
    /// m
    package let canaries: Int
    /// r: how many were guessed; on the rest the adversary abstained.
    package let guesses: Int
    /// v
    package let correct: Int

    /// Nil unless 0 ≤ v ≤ r ≤ m and m > 0.
    package init?(canaries: Int, guesses: Int, correct: Int) {
        guard canaries > 0, (0...canaries).contains(guesses), (0...guesses).contains(correct)
        else { return nil }
        self.canaries = canaries
        self.guesses = guesses
        self.correct = correct
    }

    /// The most likely that an (ε, δ)-private run lets so many guesses be right (Steinke, Nasr and
    /// Jagielski 2023, "Privacy Auditing with One (1) Training Run", Theorem 5.2).
    package func pValue(epsilon: Double, delta: Double) -> Double {
        let q = 1 / (1 + exp(-epsilon))
        let tail = Binomial.atLeast(correct, of: guesses, q)
        guard delta > 0 else { return min(1, tail) }
        var (sum, slope) = (0.0, 0.0)
        for index in stride(from: 1, through: correct, by: 1) {
            sum += exp(Binomial.logProbability(correct - index, of: guesses, q))
            slope = max(slope, sum / Double(index))
            // What is still to come can't raise the slope any more.
            if sum > 1 - 1e-15 || slope * Double(index) > 1 { break }
        }
        return min(1, tail + slope * delta * 2 * Double(canaries))
    }

    /// The largest ε that is refuted at this significance; zero where none is.
    package func epsilon(delta: Double, significance: Double) -> Double {
        Self.largest { pValue(epsilon: $0, delta: delta) < significance }
    }

    /// The largest ε at δ of a Gaussian mechanism that is refuted (Mahloujifar, Melis and
    /// Chaudhuri 2024, "Auditing f-Differential Privacy in One Run", Algorithm 3): tighter, and
    /// valid only where the trade-off is no worse than some Gaussian's.
    package func gaussianEpsilon(delta: Double, significance: Double) -> Double {
        let mu = Self.largest { refutes(mu: $0, significance: significance) }
        return mu > 0 ? GaussianMechanism.epsilon(logDelta: log(delta), mu: mu) : 0
    }

    private func refutes(mu: Double, significance: Double) -> Bool {
        let count = Double(canaries)
        var right = significance * Double(correct) / count
        var wrong = significance * Double(guesses - correct) / count
        for index in stride(from: correct - 1, through: 0, by: -1) {
            let next = max(wrong, Normal.below(Normal.quantile(right) - mu))
            // Once it stands still, it does so for good.
            if next == wrong { break }
            let rise = Double(index) / Double(guesses - index) * (next - wrong)
            (wrong, right) = (next, min(1, right + rise))
        }
        return right + wrong > Double(guesses) / count
    }

    /// The largest value that a condition refutes which refutes all below.
    private static func largest(_ refuted: (Double) -> Bool) -> Double {
        guard refuted(0) else { return 0 }
        var (low, high) = (0.0, 1.0)
        while refuted(high), high < 1_000 { (low, high) = (high, 2 * high) }
        for _ in 0..<50 {
            let middle = (low + high) / 2
            if refuted(middle) { low = middle } else { high = middle }
        }
        return low
    }
}
