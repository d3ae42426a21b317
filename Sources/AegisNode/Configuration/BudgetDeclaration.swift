package import AegisPrivacy

/// What the owner of a data set allows it to cost: no run, admin or coordinator can raise it. Every
/// ε is at the same δ, and a run that asks for a larger δ is refused.
package struct BudgetDeclaration: Codable, Hashable, Sendable {
    /// Over the data set's whole life.
    package var epsilon: Double
    package var delta: Double
    /// For one run; no limit of its own where absent.
    package var perRun: Double?
    /// For any stretch of time; no limit of its own where absent.
    package var perPeriod: PeriodBudgetDeclaration?
    /// The least noise multiplier that a run may use.
    package var noiseMultiplierMin: Double?

    package init(
        epsilon: Double, delta: Double, perRun: Double? = nil,
        perPeriod: PeriodBudgetDeclaration? = nil, noiseMultiplierMin: Double? = nil
    ) {
        self.epsilon = epsilon
        self.delta = delta
        self.perRun = perRun
        self.perPeriod = perPeriod
        self.noiseMultiplierMin = noiseMultiplierMin
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case epsilon, delta, perRun, perPeriod, noiseMultiplierMin
    }

    package init(from decoder: any Decoder) throws {
        try UnknownKeys.refuse(in: decoder, known: CodingKeys.allCases.map(\.rawValue))
        let container = try decoder.container(keyedBy: CodingKeys.self)
        epsilon = try container.decode(Double.self, forKey: .epsilon)
        delta = try container.decode(Double.self, forKey: .delta)
        perRun = try container.decodeIfPresent(Double.self, forKey: .perRun)
        perPeriod = try container.decodeIfPresent(
            PeriodBudgetDeclaration.self, forKey: .perPeriod)
        noiseMultiplierMin = try container.decodeIfPresent(
            Double.self, forKey: .noiseMultiplierMin)
    }

    var faults: [String] {
        var faults: [String] = []
        func check(_ name: String, _ value: Double?, _ isRight: (Double) -> Bool, _ need: String) {
            if let value, !isRight(value) { faults.append("\(name): needs \(need)") }
        }
        let isEpsilon = { (value: Double) in value > 0 && value <= 1_000 }
        check("epsilon", epsilon, isEpsilon, "0 < epsilon <= 1000")
        check("delta", delta, { $0 >= 1e-18 && $0 < 0.1 }, "1e-18 <= delta < 0.1")
        check("perRun", perRun, isEpsilon, "0 < epsilon <= 1000")
        check("perPeriod.epsilon", perPeriod?.epsilon, isEpsilon, "0 < epsilon <= 1000")
        check(
            "perPeriod.days", perPeriod?.days, { $0 >= 0.01 && $0 <= 36_500 },
            "0.01 <= days <= 36500")
        check(
            "noiseMultiplierMin", noiseMultiplierMin, { $0 >= 0 && $0 <= 1_000 },
            "0 <= noiseMultiplierMin <= 1000")
        return faults
    }

    /// As the ledger keeps it; nil where something is out of range.
    package var policy: OwnerPolicy? {
        guard faults.isEmpty, let lifetime = PrivacyBudget(epsilon: epsilon, delta: delta)
        else { return nil }
        return OwnerPolicy(
            lifetime: lifetime, runEpsilon: perRun,
            period: perPeriod.map { ($0.epsilon, $0.days) },
            noiseMultiplierMin: noiseMultiplierMin ?? 0)
    }
}

/// ε that may be spent within any so many days.
package struct PeriodBudgetDeclaration: Codable, Hashable, Sendable {
    package var epsilon: Double
    package var days: Double

    package init(epsilon: Double, days: Double) {
        self.epsilon = epsilon
        self.days = days
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case epsilon, days
    }

    package init(from decoder: any Decoder) throws {
        try UnknownKeys.refuse(in: decoder, known: CodingKeys.allCases.map(\.rawValue))
        let container = try decoder.container(keyedBy: CodingKeys.self)
        epsilon = try container.decode(Double.self, forKey: .epsilon)
        days = try container.decode(Double.self, forKey: .days)
    }
}
