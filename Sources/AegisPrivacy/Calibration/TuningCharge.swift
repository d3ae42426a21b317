import Glibc

/// What a search by repeated training costs where every training looks at private records: the
/// number of trainings is drawn at random, and only the best is told (Papernot and Steinke 2022,
/// "Hyperparameter Tuning with Renyi Differential Privacy", Theorem 2, with the geometric law,
/// η = 1).
package struct TuningCharge: Hashable, Sendable {
    /// γ: the chance to stop after each training. One over the expected number of trainings.
    package let stopping: Double

    /// Nil unless 0.001 ≤ γ ≤ 1.
    package init?(stopping: Double) {
        guard stopping >= 0.001, stopping <= 1 else { return nil }
        self.stopping = stopping
    }

    package var expectedTrainings: Double { 1 / stopping }

    /// ε of the whole search at δ, where no single training costs more than `phase`.
    package func epsilon(of phase: PrivacyPhase, delta: Double) -> Double {
        precondition(delta > 0 && delta < 1, "δ is a probability")
        let orders = RDPAccountant.defaultOrders
        let curve = orders.map { Double(phase.steps) * phase.renyiDivergence(order: $0) }
        // What the choice among the trainings reveals: 2·((1 − 1/λ)·ε(λ) + log(1/γ)/λ).
        let choice = zip(orders, curve).map { order, divergence in
            2 * ((1 - 1 / order) * divergence - log(stopping) / order)
        }.min()
        guard let choice else { return .infinity }
        let best = zip(orders, curve).map { order, divergence in
            divergence + choice - log(stopping) / (order - 1)
                + log1p(-1 / order) - (log(delta) + log(order)) / (order - 1)
        }.min()
        return max(0, best ?? .infinity) * (1 + 1e-9)
    }

    /// How often to train. The draw is part of what protects: it stays secret.
    package func trainings(using generator: inout some RandomNumberGenerator) -> Int {
        var count = 1
        while Double(generator.next() >> 11) * 0x1p-53 >= stopping { count += 1 }
        return count
    }
}
