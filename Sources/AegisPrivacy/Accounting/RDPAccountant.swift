import Glibc

/// Composes sampled Gaussian mechanisms by their Rényi divergences, which add (Mironov 2017,
/// Proposition 1), and converts the sum to (ε, δ). A value: asking changes nothing.
///
/// The adjacency is add-or-remove-one, the sampling Poisson.
package struct RDPAccountant: Hashable, Sendable {
    /// α of the curve, each above one.
    package let orders: [Double]
    /// The curve of what has been composed is recomputed from these, in the order of first use:
    /// so ten charges of thirty steps cost to the last bit what one of three hundred costs.
    private var phases: [MechanismEvent] = []
    /// The divergence of one step, for each phase and order.
    private var curves: [[Double]] = []

    package init(orders: [Double] = RDPAccountant.defaultOrders) {
        precondition(orders.allSatisfy { $0 > 1 }, "a Rényi order is above one")
        self.orders = orders
    }

    /// 1.1 to 10.9 by tenths, the whole numbers to 64, then powers of two for small budgets.
    package static let defaultOrders: [Double] =
        (11..<110).map { Double($0) / 10 } + (11...64).map { Double($0) }
        + [80, 96, 128, 192, 256, 384, 512, 1024]

    package mutating func compose(_ event: MechanismEvent) {
        guard event.steps > 0 else { return }
        if let index = phases.firstIndex(where: { $0.mechanism == event.mechanism }) {
            let (steps, overflow) = phases[index].steps.addingReportingOverflow(event.steps)
            phases[index] = MechanismEvent(
                mechanism: event.mechanism, steps: overflow ? .max : steps)
            return
        }
        phases.append(event)
        curves.append(
            orders.map { RenyiDivergence.sampledGaussian(event.mechanism, order: $0) })
    }

    package func composing(_ event: MechanismEvent) -> RDPAccountant {
        var copy = self
        copy.compose(event)
        return copy
    }

    /// The divergence of everything composed, one for each order.
    package var curve: [Double] {
        var total = [Double](repeating: 0, count: orders.count)
        for (phase, curve) in zip(phases, curves) {
            for index in total.indices { total[index] += Double(phase.steps) * curve[index] }
        }
        return total
    }

    /// The least ε that the curve proves at `delta`; infinite where it proves none.
    package func epsilon(delta: Double) -> Double {
        conversion(delta: delta).epsilon
    }

    /// The order that proves the least ε at `delta`.
    package func bestOrder(delta: Double) -> Double? {
        conversion(delta: delta).order
    }

    /// Canonne, Kamath and Steinke 2020, Proposition 12 (also Balle et al. 2020, Theorem 21).
    /// Where the total variation, bounded by √(1 − e^{−ε(α)}) (Bretagnolle and Huber), is already
    /// within δ, no ε is needed. The result is rounded up by more than the sums can lose.
    private func conversion(delta: Double) -> (epsilon: Double, order: Double?) {
        precondition(delta >= 0 && delta <= 1, "δ is a probability")
        if phases.isEmpty { return (0, nil) }
        guard delta > 0 else { return (.infinity, nil) }
        var best: (epsilon: Double, order: Double?) = (.infinity, nil)
        for (order, divergence) in zip(orders, curve) {
            let epsilon: Double
            if -expm1(-divergence) <= delta * delta {
                epsilon = 0
            } else {
                let bound =
                    divergence + log1p(-1 / order) - (log(delta) + log(order)) / (order - 1)
                epsilon = max(0, bound) * (1 + 0x1p-40)
            }
            if epsilon < best.epsilon { best = (epsilon, order) }
        }
        return best
    }
}

extension RDPAccountant {
    /// What `steps` uses of `mechanism` would cost, without anything being charged.
    package static func epsilon(
        _ mechanism: SampledGaussian, steps: Int, delta: Double
    ) -> Double {
        RDPAccountant().composing(MechanismEvent(mechanism: mechanism, steps: steps))
            .epsilon(delta: delta)
    }
}
