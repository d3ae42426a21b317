/// The hostile nodes of a mesh, acting as one: they see every honest update of a round before they
/// send their own, and know the rule. What a mesh promises must hold against that.
package struct Adversary: Sendable {
    package let attack: Attack
    /// f: how many nodes it has.
    package let count: Int
    private var random: SimulationRandom
    /// Whom a mimic copies, from its first round on.
    private var victim: Int?

    /// What one hostile node sends.
    package struct Update: Hashable, Sendable {
        package var values: [Float]
        /// The weight it claims.
        package var weight: UInt64 = 1

        package init(values: [Float], weight: UInt64 = 1) {
            self.values = values
            self.weight = weight
        }
    }

    package init(_ attack: Attack, count: Int, seed: UInt64) {
        self.attack = attack
        self.count = count
        random = SimulationRandom(seed, stream: .traitor)
    }

    /// What the hostile nodes send in a round.
    ///
    /// `honest` are the others' updates, of equal length and at least one. `own` are what the
    /// hostile nodes got by training on their own records, poisoned where the attack says so;
    /// without it, the honest mean stands in. `rule` is the mesh's rule, for attacks that try it:
    /// given all values, honest first, it answers the aggregate, or nil where it has none.
    package mutating func updates(
        honest: [[Float]], own: [[Float]] = [], rule: ([[Float]]) -> [Float]? = { _ in nil }
    ) -> [Update] {
        precondition(!honest.isEmpty, "an adversary needs somebody to attack")
        let cloud = UpdateCloud(honest)
        func alike(_ values: [Float], weight: UInt64 = 1) -> [Update] {
            [Update](repeating: Update(values: values, weight: weight), count: count)
        }
        switch attack {
        case .none, .labelFlip:
            return ownOrMean(own, cloud, factor: 1)
        case .backdoor(let factor):
            return ownOrMean(own, cloud, factor: factor)
        case .signFlip:
            return alike(cloud.mean(times: -1))
        case .scaled(let factor):
            return alike(cloud.mean(times: factor))
        case .innerProduct(let epsilon):
            return alike(cloud.mean(times: -epsilon))
        case .littleIsEnough(let deviations):
            let z = deviations ?? Self.littleIsEnough(honest: honest.count, hostile: count)
            return alike(cloud.point(-z))
        case .littleIsEnoughOptimised:
            return alike(cloud.point(-worstDeviations(cloud, honest, rule)))
        case .mimic:
            let victim = victim ?? cloud.mostUnusual()
            self.victim = victim
            return alike(honest[min(victim, honest.count - 1)])
        case .minMax:
            return alike(cloud.point(-cloud.reachWithinLargestDistance()))
        case .minSum:
            return alike(cloud.point(-cloud.reachWithinLargestSum()))
        case .gaussian(let deviation):
            return (0..<count).map { _ in
                Update(values: cloud.mean.map { _ in Float(deviation * random.normal()) })
            }
        case .zero:
            return alike([Float](repeating: 0, count: cloud.mean.count))
        case .weightInflation(let weight):
            return alike(cloud.mean(times: -1), weight: weight)
        }
    }

    private func ownOrMean(
        _ own: [[Float]], _ cloud: UpdateCloud, factor: Double
    ) -> [Update] {
        (0..<count).map { index in
            guard index < own.count else { return Update(values: cloud.mean(times: factor)) }
            return Update(values: own[index].map { Float(Double($0) * factor) })
        }
    }

    /// z = Φ⁻¹((n − f − s) / (n − f)) with s = ⌊n / 2 + 1⌋ − f: so many honest updates have to lie
    /// beyond the hostile ones for these to be the median. Never negative.
    package static func littleIsEnough(honest: Int, hostile: Int) -> Double {
        let needed = (honest + hostile) / 2 + 1 - hostile
        let share = Double(honest - needed) / Double(honest)
        return max(0, NormalDistribution.quantile(min(max(share, 0.001), 0.999)))
    }

    /// The z that moves the rule's result furthest from the honest mean; where the rule has no
    /// result, the one of the formula.
    private func worstDeviations(
        _ cloud: UpdateCloud, _ honest: [[Float]], _ rule: ([[Float]]) -> [Float]?
    ) -> Double {
        lineMaximum(evaluations: 20) { z in
            let hostile = [[Float]](repeating: cloud.point(-z), count: count)
            guard let result = rule(honest + hostile), result.count == cloud.mean.count else {
                return nil
            }
            return squaredDistance(result.map(Double.init), cloud.mean)
        } ?? Self.littleIsEnough(honest: honest.count, hostile: count)
    }
}

/// Where in x ≥ 0 a function is largest, roughly: doubles the step while that helps, then halves
/// it around the best. Nil where the function has no value at first.
func lineMaximum(evaluations: Int, _ value: (Double) -> Double?) -> Double? {
    guard var best = value(0) else { return nil }
    var (position, step, left) = (0.0, 0.5, evaluations)
    while left > 0, let next = value(position + step), next > best {
        (position, best, step, left) = (position + step, next, step * 2, left - 1)
    }
    while left > 0 {
        step /= 2
        for candidate in [position + step, position - step] where left > 0 && candidate > 0 {
            left -= 1
            if let next = value(candidate), next > best { (position, best) = (candidate, next) }
        }
        if step < 1e-3 { break }
    }
    return position
}
