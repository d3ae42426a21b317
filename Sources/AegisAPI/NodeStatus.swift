/// What `GET /mesh/v1/status` answers: what this node believes and why it waits.
/// In JSON through `AegisAPI.encode`, in snake case.
package struct NodeStatus: Codable, Hashable, Sendable {
    package var node: String
    package var name: String
    package var version: String
    package var state: State
    package var height: UInt64
    package var view: Int
    package var peakResidentMegabytes: Double
    package var run: RunProgress?
    package var privacy: [DatasetPrivacy]
    package var refusals: [Refusal]
    /// The newest of one run; where an answer was asked for what was measured after something, the
    /// next of those, whatever run they are of.
    package var rounds: [RoundMeasurement]
    /// How far `rounds` go, where they were asked for so: what to ask after next.
    package var measured: UInt64?
    /// Whose updates the rule left out in the run's rounds, the most often first.
    package var dropped: [DropCount]
    /// The last final height, and how firmly it stands; absent before there is one.
    package var final: FinalityView?
    /// Whose co-signatures of the last height are missing, where that isn't final.
    package var notCoSigned: [String]?
    /// Where two values were certified: the node has stopped for good.
    package var forkHeight: UInt64?
    /// Why it can't take part in a decision now; none where it can. Absent from older nodes.
    package var notReady: [String]?
    /// The other members, as it finds them.
    package var peers: [Peer]?

    /// Measurements in one answer: with 32 participants some 3 KB each.
    package static let roundsMax = 64

    package struct Peer: Codable, Hashable, Sendable {
        package var name: String
        /// Why it counts as away; absent where it answers.
        package var away: String?
        /// The newest version of the mesh's protocol that it speaks.
        package var protocolVersion: Int?
        package var program: String?

        package init(
            name: String, away: String?, protocolVersion: Int? = nil, program: String? = nil
        ) {
            self.name = name
            self.away = away
            self.protocolVersion = protocolVersion
            self.program = program
        }
    }

    package enum State: String, Codable, Sendable, CaseIterable {
        case idle, training, agreeing, syncing, stopped
    }

    package struct RunProgress: Codable, Hashable, Sendable {
        package var id: String
        package var name: String
        package var round: Int
        package var rounds: Int
        package var phase: String
        /// Of local training, 0 to 1.
        package var progress: Double
        package var coordinator: String
        /// Names of the participants this node waits for.
        package var waitingFor: [String]

        package init(
            id: String, name: String, round: Int, rounds: Int, phase: String, progress: Double,
            coordinator: String, waitingFor: [String]
        ) {
            self.id = id
            self.name = name
            self.round = round
            self.rounds = rounds
            self.phase = phase
            self.progress = progress
            self.coordinator = coordinator
            self.waitingFor = waitingFor
        }
    }

    package struct DatasetPrivacy: Codable, Hashable, Sendable {
        package var dataset: String
        package var epsilon: Double
        package var delta: Double
        package var budgetEpsilon: Double
        /// Which generator makes the noise: fast or exact.
        package var noise: String?

        package init(
            dataset: String, epsilon: Double, delta: Double, budgetEpsilon: Double,
            noise: String? = nil
        ) {
            self.dataset = dataset
            self.epsilon = epsilon
            self.delta = delta
            self.budgetEpsilon = budgetEpsilon
            self.noise = noise
        }
    }

    /// Something a peer sent that this node refused.
    package struct Refusal: Codable, Hashable, Sendable {
        package var peer: String
        package var reason: String
        package var count: Int

        package init(
            peer: String, reason: String, count: Int
        ) {
            self.peer = peer
            self.reason = reason
            self.count = count
        }
    }

    package init(
        node: String, name: String, version: String, state: State, height: UInt64, view: Int,
        peakResidentMegabytes: Double, run: RunProgress?, privacy: [DatasetPrivacy],
        refusals: [Refusal], rounds: [RoundMeasurement], dropped: [DropCount] = []
    ) {
        self.node = node
        self.name = name
        self.version = version
        self.state = state
        self.height = height
        self.view = view
        self.peakResidentMegabytes = peakResidentMegabytes
        self.run = run
        self.privacy = privacy
        self.refusals = refusals
        self.rounds = rounds
        self.dropped = dropped
    }

    /// Takes a measurement among the newest, in place of an earlier one of the same round. A new
    /// run's first clears the last run's.
    package mutating func add(_ measurement: RoundMeasurement) {
        if let last = rounds.last, last.run != measurement.run {
            guard measurement.height > last.height else { return }
            rounds.removeAll()
        }
        let place = rounds.lastIndex { $0.round <= measurement.round }
        if let place, rounds[place].round == measurement.round {
            rounds[place] = measurement
        } else {
            rounds.insert(measurement, at: place.map { $0 + 1 } ?? 0)
        }
        if rounds.count > Self.roundsMax { rounds.removeFirst() }
    }
}

/// One committed round as this node measured it.
package struct RoundMeasurement: Codable, Hashable, Sendable {
    package var run: String
    package var round: Int
    package var height: UInt64
    package var view: Int
    package var coordinator: String
    package var participants: [String]
    /// From the round's start to its commit on this node.
    package var seconds: Double
    /// On this node's test set; absent in runs without training.
    package var loss: Double?
    package var accuracy: Double?
    /// Spent by this node's data set so far.
    package var epsilon: Double?
    /// Digest of the committed model.
    package var model: String
    /// What else was measured on the test set.
    package var quality: ModelQuality?
    /// Whom the rule heard; absent where this node did not compute the round itself.
    package var aggregation: RoundExplanation?

    package init(
        run: String, round: Int, height: UInt64, view: Int, coordinator: String,
        participants: [String], seconds: Double, loss: Double?, accuracy: Double?, epsilon: Double?,
        model: String, aggregation: RoundExplanation? = nil
    ) {
        self.run = run
        self.round = round
        self.height = height
        self.view = view
        self.coordinator = coordinator
        self.participants = participants
        self.seconds = seconds
        self.loss = loss
        self.accuracy = accuracy
        self.epsilon = epsilon
        self.model = model
        self.aggregation = aggregation
    }
}
