import Glibc

/// How a mean gradient g becomes a step. Everything here comes after the noise, so that it costs
/// no privacy.
package enum Optimizer: Hashable, Sendable {
    /// v ← μv + g;  w ← w − ηv
    case sgd(momentum: Float = 0)
    /// Kingma and Ba 2015, Algorithm 1, with bias correction.
    case adam(beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8)
}

/// η of each step, from a base rate.
package struct LearningRate: Hashable, Sendable {
    package enum Schedule: Hashable, Sendable {
        case constant
        /// From the base rate down to `final` of it, in a straight line.
        case linear(final: Float = 0)
        /// Half a cosine from the base rate down to `final` of it (Loshchilov and Hutter 2017).
        case cosine(final: Float = 0)
        /// Times `factor` after every so many steps.
        case staircase(every: Int, factor: Float)
    }

    package var base: Float
    package var schedule: Schedule
    /// Steps over which the rate first rises from near 0.
    package var warmUp: Int

    package init(_ base: Float, schedule: Schedule = .constant, warmUp: Int = 0) {
        self.base = base
        self.schedule = schedule
        self.warmUp = warmUp
    }

    /// Of the step with this number, from 1, of `total` that the schedule spans.
    package func value(at step: Int, of total: Int) -> Float {
        let rise = step < warmUp ? Float(step) / Float(warmUp) : 1
        let span = Float(max(1, total - warmUp))
        let done = min(1, max(0, Float(step - 1 - warmUp) / span))
        let factor: Float =
            switch schedule {
            case .constant: 1
            case .linear(let final): 1 - (1 - final) * done
            case .cosine(let final): final + (1 - final) * (1 + cosf(.pi * done)) / 2
            case .staircase(let every, let factor):
                powf(factor, Float((step - 1) / max(1, every)))
            }
        return base * rise * factor
    }
}
