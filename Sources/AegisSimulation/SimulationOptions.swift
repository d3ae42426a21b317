/// What may go wrong in a simulated mesh, and how often. Drawn from the seed, each fault on or off
/// by itself (swarm testing), so that rare combinations come up.
package struct SimulationOptions: Hashable, Sendable {
    package var participants: Int
    package var strictThree = false
    package var rounds = 2
    package var participantsMin = 1
    /// Faults happen for so many milliseconds; then everything heals.
    package var faultMilliseconds = 15_000
    /// After healing, everybody must be done within so many.
    package var healMilliseconds = 400_000
    package var lossPerMille = 0
    package var duplicationPerMille = 0
    package var delayMilliseconds = 5
    /// Milliseconds between two changes of who reaches whom; nil: everybody does.
    package var partitionInterval: Int?
    /// Crashes at any effect, in 100,000.
    package var crashRate = 0
    /// Crashes right after a vote or a timeout was sent, in 1,000.
    package var crashOnVotePerMille = 0
    /// The coordinator of the present view is killed every so many milliseconds.
    package var coordinatorKillInterval: Int?
    /// Nodes that never come back once they are down.
    package var deadForever = 0
    /// Nodes that run twice with one key: they equivocate in every way there is (arXiv 2004.10617).
    package var twins = 0
    package var abstentionPerMille = 0
    package var isHinting = true
    /// A second command that stops the run in the middle.
    package var isStopped = false
    package var mutation: Mutation?

    package init(participants: Int) { self.participants = participants }

    /// Everything at once: what it takes to catch a shell that breaks its duty within few seeds.
    package static func harsh(participants: Int, twins: Int = 0) -> SimulationOptions {
        var options = SimulationOptions(participants: participants)
        options.rounds = 3
        options.faultMilliseconds = 20_000
        options.lossPerMille = 50
        options.duplicationPerMille = 100
        options.delayMilliseconds = 30
        options.partitionInterval = 2_500
        options.crashRate = 200
        options.crashOnVotePerMille = 300
        options.twins = twins
        return options
    }

    /// Options for `participants` nodes; f of them at most are faulty for good.
    package init(drawing random: inout SimulationRandom, participants: Int) {
        self.participants = participants
        strictThree = participants == 3 && random.chance(300)
        rounds = random.number(in: 1...3)
        let tolerance = (participants - 1) / 3
        participantsMin = random.number(in: 1...max(1, participants - tolerance))
        faultMilliseconds = random.number(in: 2_000...20_000)
        if random.chance(600) { lossPerMille = random.number(in: 10...300) }
        if random.chance(400) { duplicationPerMille = random.number(in: 10...300) }
        delayMilliseconds = random.chance(300) ? 200 : random.number(in: 1...30)
        if random.chance(500) { partitionInterval = random.number(in: 300...4_000) }
        if random.chance(400) { crashRate = random.number(in: 20...1_000) }
        if random.chance(400) { crashOnVotePerMille = random.number(in: 10...150) }
        if random.chance(300) { coordinatorKillInterval = random.number(in: 500...5_000) }
        if random.chance(200) { abstentionPerMille = 200 }
        isHinting = random.chance(600)
        isStopped = random.chance(150)
        guard tolerance > 0 else { return }
        if random.chance(400) {
            twins = random.number(in: 1...tolerance)
        } else if random.chance(300) {
            deadForever = random.number(in: 1...tolerance)
        }
    }
}

/// A shell that breaks its duty: each must be caught, or the checkers check nothing.
package enum Mutation: String, CaseIterable, Sendable {
    /// Sends a first vote before it is durable.
    case vote1NotDurable
    /// Sends a second vote, and what it rests on, before they are durable.
    case vote2NotDurable
    case timeoutNotDurable
    /// Starts again with its commits but without its journal.
    case journalLost
    /// Says that a commit is stored before it is.
    case commitNotDurable
    /// Every node answers with the same wrong model.
    case aggregateForged
}
