/// A data set as the mesh knows it: what was registered of it, and what its holders report. Never
/// a row.
package struct DatasetView: Codable, Sendable, Equatable {
    package enum State: String, Codable, Sendable, CaseIterable {
        /// Registered here.
        case registered
        /// Nodes report it; nobody registered it.
        case reported
        /// No new run may use it.
        case retired
    }

    package var name: String
    package var state: State
    package var description: String?
    /// Numbers in a record.
    package var features: Int?
    package var classes: Int?
    package var registeredAt: String?
    package var registeredBy: String?
    package var holders: [BudgetView]

    package init(
        name: String, state: State, description: String? = nil, features: Int? = nil,
        classes: Int? = nil, registeredAt: String? = nil, registeredBy: String? = nil,
        holders: [BudgetView]
    ) {
        self.name = name
        self.state = state
        self.description = description
        self.features = features
        self.classes = classes
        self.registeredAt = registeredAt
        self.registeredBy = registeredBy
        self.holders = holders
    }
}

/// What a participant's ledger says was spent of one data set's budget.
package struct BudgetView: Codable, Sendable, Equatable {
    package var participant: String
    package var dataset: String
    package var epsilon: Double
    package var delta: Double
    package var budgetEpsilon: Double

    package init(
        participant: String, dataset: String, epsilon: Double, delta: Double,
        budgetEpsilon: Double
    ) {
        self.participant = participant
        self.dataset = dataset
        self.epsilon = epsilon
        self.delta = delta
        self.budgetEpsilon = budgetEpsilon
    }
}

/// σ and ε of a planned run, whichever of them was given.
package struct CalibrationView: Codable, Sendable, Equatable {
    package var epsilon: Double
    package var delta: Double
    package var noiseMultiplier: Double
    package var samplingRate: Double
    package var steps: Int
    /// Which accounting proves it.
    package var accountant: String
    /// ε after a tenth, two tenths … all of the steps.
    package var course: [Double]

    package init(
        epsilon: Double, delta: Double, noiseMultiplier: Double, samplingRate: Double,
        steps: Int, accountant: String, course: [Double]
    ) {
        self.epsilon = epsilon
        self.delta = delta
        self.noiseMultiplier = noiseMultiplier
        self.samplingRate = samplingRate
        self.steps = steps
        self.accountant = accountant
        self.course = course
    }
}

/// A robust rule and what it needs in this mesh.
package struct AggregationRuleView: Codable, Sendable, Equatable {
    package var rule: String
    /// The most hostile updates it can be set to withstand when every participant answers.
    package var byzantineMax: Int
    /// The fewest updates for each number of hostile ones from 0 to `byzantine_max`.
    package var updatesMin: [Int]

    package init(rule: String, byzantineMax: Int, updatesMin: [Int]) {
        self.rule = rule
        self.byzantineMax = byzantineMax
        self.updatesMin = updatesMin
    }
}
