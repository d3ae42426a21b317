/// How the model follows from the base and the round's aggregate Δ, which stands for a negative
/// gradient (Reddi et al. 2021, "Adaptive Federated Optimization", Algorithms 1 and 2).
///
/// Every node applies it itself, and the mesh votes on the digest of the outcome, state included:
/// so only additions, multiplications, divisions and square roots in binary64, in the order
/// written here, one rounding to float32 for each number kept, and zero is always positive.
package enum ServerOptimizer: Hashable, Sendable {
    /// FedAvg: x ← x + ηΔ; with η = 1 one float32 addition.
    case average(rate: Double)
    /// FedAvgM (Hsu, Qi and Brown 2019): m ← βm + Δ; x ← x + ηm.
    case momentum(rate: Double, beta: Double)
    /// FedAdam: m ← β₁m + (1 − β₁)Δ; v ← β₂v + (1 − β₂)Δ²; x ← x + ηm / (√v + τ).
    case adam(rate: Double, beta1: Double, beta2: Double, tau: Double)
    /// FedYogi: as FedAdam, but v ← v − (1 − β₂)Δ² sign(v − Δ²).
    case yogi(rate: Double, beta1: Double, beta2: Double, tau: Double)

    /// What is kept from round to round beside the parameters, a vector of their number each: m,
    /// then v.
    package var stateNames: [String] {
        switch self {
        case .average: []
        case .momentum: ["momentum"]
        case .adam, .yogi: ["momentum", "variance"]
        }
    }

    /// Before the first round: m = 0, v = τ².
    package func initialState(count: Int) -> [Float] {
        let zeros = [Float](repeating: 0, count: count)
        switch self {
        case .average: return []
        case .momentum: return zeros
        case .adam(_, _, _, let tau), .yogi(_, _, _, let tau):
            return zeros + [Float](repeating: Float(tau * tau), count: count)
        }
    }

    /// Makes the next model of `model`, in place: the parameters and, after them, the state, as
    /// this or `initialState` made it. A model that an error leaves is no model any more.
    package func apply(
        _ aggregate: [Float], to model: inout [Float]
    ) throws(AggregationError) {
        precondition(
            model.count == (1 + stateNames.count) * aggregate.count,
            "an aggregate has its base's shape, and a state too")
        aggregate.withUnsafeBufferPointer { aggregate in
            model.withUnsafeMutableBufferPointer { step(aggregate, $0) }
        }
        if let index = model.firstIndex(where: { !$0.isFinite }) {
            throw .notFinite(index: aggregate.isEmpty ? index : index % aggregate.count)
        }
    }

    private func step(
        _ aggregate: UnsafeBufferPointer<Float>, _ model: UnsafeMutableBufferPointer<Float>
    ) {
        let count = aggregate.count
        // Adding zero makes a negative zero positive.
        if case .average(1) = self {
            for index in 0..<count { model[index] = model[index] + aggregate[index] + 0 }
            return
        }
        for index in 0..<count {
            let (x, delta) = (Double(model[index]), Double(aggregate[index]))
            switch self {
            case .average(let rate): model[index] = Float(x + rate * delta) + 0
            case .momentum(let rate, let beta):
                let m = Float(beta * Double(model[count + index]) + delta) + 0
                model[index] = Float(x + rate * Double(m)) + 0
                model[count + index] = m
            case .adam(let rate, let beta1, let beta2, let tau):
                let m = first(model[count + index], delta, beta1)
                let old = Double(model[2 * count + index])
                let v = Float(beta2 * old + (1 - beta2) * (delta * delta)) + 0
                model[index] = step(x, rate, m, v, tau)
                (model[count + index], model[2 * count + index]) = (m, v)
            case .yogi(let rate, let beta1, let beta2, let tau):
                let m = first(model[count + index], delta, beta1)
                let old = Double(model[2 * count + index])
                let square = delta * delta
                let change = (1 - beta2) * square
                let v = Float(old > square ? old - change : old < square ? old + change : old) + 0
                model[index] = step(x, rate, m, v, tau)
                (model[count + index], model[2 * count + index]) = (m, v)
            }
        }
    }

    private func first(_ m: Float, _ delta: Double, _ beta: Double) -> Float {
        Float(beta * Double(m) + (1 - beta) * delta) + 0
    }

    private func step(
        _ x: Double, _ rate: Double, _ m: Float, _ v: Float, _ tau: Double
    ) -> Float {
        Float(x + rate * Double(m) / (Double(v).squareRoot() + tau)) + 0
    }
}
