package struct RunView: Codable, Sendable, Equatable {
    package enum State: String, Codable, Sendable, CaseIterable {
        /// Kept here; the mesh knows nothing of it yet.
        case draft
        /// Signed and sent; no quorum has committed it yet.
        case submitted
        case running
        /// A stop was sent and is not committed yet.
        case stopping
        case completed
        case stopped
        /// It will not go on; `reason` says why.
        case failed

        package var isOver: Bool {
            switch self {
            case .draft, .submitted, .running, .stopping: false
            case .completed, .stopped, .failed: true
            }
        }
    }

    package var id: String
    package var name: String
    package var state: State
    package var reason: String?
    package var submittedAt: String
    package var submittedBy: String
    package var rounds: Int
    package var roundsCommitted: Int
    package var dataset: String
    package var loss: Double?
    package var accuracy: Double?
    /// The most any node has spent in this run.
    package var epsilonMax: Double?
    package var delta: Double?
    /// σ as it was given or calibrated.
    package var noiseMultiplier: Double?
    package var model: String?
    /// Of the commit that names the model.
    package var modelHeight: UInt64?
    /// What makes the model final; absent while it is only committed.
    package var final: FinalityView?
    /// The squared length of a step's noise over the largest of a gradient; above 1 a robust rule
    /// sees mostly noise. Absent without privacy.
    package var noiseToSignal: Double?
    /// What the run may not do as it was submitted, in words.
    package var warnings: [String] = []
    /// Whose updates the rule left out, the most often first.
    package var dropped: [DropCount] = []
    /// What was submitted.
    package var specification: JSONValue

    package init(
        id: String, name: String, state: State, reason: String?, submittedAt: String,
        submittedBy: String, rounds: Int, roundsCommitted: Int, dataset: String,
        noiseMultiplier: Double?, delta: Double?, specification: JSONValue
    ) {
        self.id = id
        self.name = name
        self.state = state
        self.reason = reason
        self.submittedAt = submittedAt
        self.submittedBy = submittedBy
        self.rounds = rounds
        self.roundsCommitted = roundsCommitted
        self.dataset = dataset
        self.noiseMultiplier = noiseMultiplier
        self.delta = delta
        self.specification = specification
    }
}

/// One committed round, as the mesh decided it and as the nodes measured it.
package struct RoundView: Codable, Sendable, Equatable {
    /// What one node measured.
    package struct Measure: Codable, Sendable, Equatable {
        package var node: String
        package var name: String
        package var seconds: Double
        package var loss: Double?
        package var accuracy: Double?
        package var epsilon: Double?
        /// On its public test records.
        package var quality: ModelQuality?

        package init(
            node: String, name: String, seconds: Double, loss: Double?, accuracy: Double?,
            epsilon: Double?, quality: ModelQuality? = nil
        ) {
            self.node = node
            self.name = name
            self.seconds = seconds
            self.loss = loss
            self.accuracy = accuracy
            self.epsilon = epsilon
            self.quality = quality
        }
    }

    package var round: Int
    package var height: UInt64
    package var view: Int
    /// Names of the roster.
    package var coordinator: String
    package var participants: [String]
    package var model: String?
    /// Digest of the certified proposal, `sha256:…`.
    package var certificate: String?
    package var measures: [Measure]
    /// Whom the rule heard, with names of the roster, as most of the nodes computed it.
    package var aggregation: RoundExplanation?
    /// Of the federation: the nodes' figures, weighted by their test records.
    package var quality: ModelQuality?

    package init(
        round: Int, height: UInt64, view: Int, coordinator: String, participants: [String],
        model: String?, certificate: String?, measures: [Measure],
        aggregation: RoundExplanation? = nil
    ) {
        self.round = round
        self.height = height
        self.view = view
        self.coordinator = coordinator
        self.participants = participants
        self.model = model
        self.certificate = certificate
        self.measures = measures
        self.aggregation = aggregation
        quality = ModelQuality(ofAll: measures.compactMap(\.quality))
    }

    /// The slowest node's time: when the round was over for everybody.
    package var seconds: Double? { measures.map(\.seconds).max() }
    /// The nodes' mean.
    package var loss: Double? { Self.mean(measures.compactMap(\.loss)) }
    package var accuracy: Double? { Self.mean(measures.compactMap(\.accuracy)) }
    package var epsilonMax: Double? { measures.compactMap(\.epsilon).max() }

    private static func mean(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }
}

/// A commit certificate's place in a list; `bytes` is the commit record in base64.
package struct CertificateView: Codable, Sendable, Equatable {
    package var height: UInt64
    package var digest: String
    package var run: String?
    package var round: Int?
    package var bytes: String

    package init(height: UInt64, digest: String, run: String?, round: Int?, bytes: String) {
        self.height = height
        self.digest = digest
        self.run = run
        self.round = round
        self.bytes = bytes
    }
}

package struct StopRequest: Codable, Sendable, Equatable {
    package var reason: String

    package init(reason: String) { self.reason = reason }
}

/// What the nodes do for a run at this moment.
package struct RunProgressView: Codable, Sendable, Equatable {
    package struct Node: Codable, Sendable, Equatable {
        package var name: String
        package var reachable: Bool
        package var state: String?
        package var round: Int?
        package var phase: String?
        /// Of local training, 0 to 1.
        package var progress: Double?
        package var waitingFor: [String]

        package init(
            name: String, reachable: Bool, state: String?, round: Int?, phase: String?,
            progress: Double?, waitingFor: [String]
        ) {
            self.name = name
            self.reachable = reachable
            self.state = state
            self.round = round
            self.phase = phase
            self.progress = progress
            self.waitingFor = waitingFor
        }
    }

    package var nodes: [Node]
    /// Of the data set of the run.
    package var budgets: [BudgetView]

    package init(nodes: [Node], budgets: [BudgetView]) {
        self.nodes = nodes
        self.budgets = budgets
    }
}
