import Glibc

/// Why no noise multiplier meets a target.
package enum CalibrationError: Error, Hashable, Sendable {
    case invalidTarget
    /// Even σ = 10⁹ costs more: the target lies below what the orders can prove.
    case unreachable(epsilonLeast: Double)
}

/// Finds how a mechanism must be set to meet a budget.
package enum Calibration {
    /// The least σ, to the millionth, whose ε after `steps` steps is at most `epsilon`; that ε is
    /// then at most 0.1 % below it (where σ is above 0.01, and ε not so small that the proof
    /// jumps to zero).
    package static func noiseMultiplier(
        epsilon target: Double, delta: Double, samplingRate: Double, steps: Int
    ) throws(CalibrationError) -> Double {
        guard target > 0, target.isFinite, delta > 0, delta < 1, steps >= 0,
            samplingRate >= 0, samplingRate <= 1
        else { throw .invalidTarget }
        func cost(_ millionths: UInt64) -> Double {
            // The arguments were checked above.
            SampledGaussian(
                samplingRate: samplingRate, noiseMultiplier: Double(millionths) / 1e6
            ).map { RDPAccountant.epsilon($0, steps: steps, delta: delta) } ?? .infinity
        }
        if steps == 0 || samplingRate == 0 { return 0 }
        // `enough` always meets the target, `few` never does.
        var enough: UInt64 = 1_000_000
        var few: UInt64 = 0
        while cost(enough) > target {
            few = enough
            guard enough < 1_000_000_000_000_000 else {
                throw .unreachable(epsilonLeast: cost(enough))
            }
            enough *= 2
        }
        if few == 0 {
            few = enough / 2
            while few > 0, cost(few) <= target { (enough, few) = (few, few / 2) }
        }
        narrow(&enough, &few, target: target, cost: cost)
        return Double(enough) / 1e6
    }

    /// Closes in on the edge: secants in (log σ, log ε), where the curve is nearly straight, each
    /// followed by a step to its other side, and bisection where they do not help.
    private static func narrow(
        _ enough: inout UInt64, _ few: inout UInt64, target: Double,
        cost: (UInt64) -> Double
    ) {
        var (costEnough, costFew) = (cost(enough), few == 0 ? .infinity : cost(few))
        while enough - few > 1, costEnough < target * 0.9999 {
            let width = enough - few
            var guess = few + width / 2
            if costEnough > 0, costFew.isFinite {
                let slope =
                    (log(costFew) - log(costEnough)) / (log(Double(enough)) - log(Double(few)))
                let logGuess =
                    log(Double(enough)) - (log(target * 0.99997) - log(costEnough)) / slope
                let secant = exp(logGuess)
                if secant > Double(few), secant < Double(enough) {
                    guess = min(max(UInt64(secant), few + 1), enough - 1)
                }
            }
            place(guess, cost(guess))
            // A secant that leaves the wide side untouched is followed by a halving.
            if enough - few > width / 2, enough - few > 1, costEnough < target * 0.9999 {
                let middle = few + (enough - few) / 2
                place(middle, cost(middle))
            }
        }
        func place(_ candidate: UInt64, _ value: Double) {
            if value <= target {
                (enough, costEnough) = (candidate, value)
            } else {
                (few, costFew) = (candidate, value)
            }
        }
    }
}
