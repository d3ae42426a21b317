import AegisCore
import AegisProtocol

/// A whole mesh in one thread on a virtual clock, around the same core that a node runs. Everything
/// follows from the seed and the options: a failure is replayed by its seed (PROTOCOL.md §7.2).
package struct Simulation {
    package let seed: UInt64
    package let options: SimulationOptions
    let rules: MeshRules
    let cryptography = SymbolicCryptography()
    let aggregation: SimulatedAggregation
    let commands: [SignedEnvelope]

    var random: SimulationRandom
    var queue = EventQueue<SimulationEvent>()
    /// Milliseconds since the start.
    var time = 0
    var isFaulty = true
    var nodes: [SimulatedNode] = []
    /// Who is cut off from whom, by process.
    var isBlocked: [[Bool]]
    var checker: SimulationChecker
    var trace: UInt64 = 0
    var eventCount = 0

    /// The start of the true clock, milliseconds since 1970.
    static let epoch = 1_700_000_000_000

    package init(seed: UInt64, options: SimulationOptions) {
        self.seed = seed
        self.options = options
        random = SimulationRandom(seed)
        let mesh = SimulatedMesh(options)
        rules = mesh.rules
        commands = mesh.commands
        aggregation = SimulatedAggregation(mesh.rules.cryptography)
        checker = SimulationChecker(mesh.rules)
        for (index, id) in mesh.rules.roster.nodes.enumerated() {
            for copy in 0..<(index < options.twins ? 2 : 1) {
                nodes.append(
                    SimulatedNode(
                        id: id, isByzantine: index < options.twins,
                        disk: SimulatedDisk(mesh.rules.initialState),
                        clockOffset: random.number(in: -500...500) + copy * 300))
            }
        }
        isBlocked = Array(
            repeating: Array(repeating: false, count: nodes.count), count: nodes.count)
    }

    /// Runs to the end and says how it went.
    package mutating func run() -> SimulationReport {
        for index in nodes.indices { queue.schedule(.restart(node: index), at: random.below(50)) }
        for index in commands.indices {
            queue.schedule(.command(index), at: 60 + index * options.faultMilliseconds / 2)
        }
        if let interval = options.partitionInterval { queue.schedule(.partition, at: interval) }
        if let interval = options.coordinatorKillInterval {
            queue.schedule(.killCoordinator, at: interval)
        }
        queue.schedule(.heal, at: options.faultMilliseconds)
        let end = options.faultMilliseconds + options.healMilliseconds
        while checker.violation == nil, let (at, event) = queue.next() {
            time = at
            if at > end { checker.fail("I16: not done: \(unfinished)") }
            if eventCount > 2_000_000 { checker.fail("I17: events without end") }
            if !isFaulty, isDone { break }
            eventCount += 1
            happen(event)
        }
        if checker.violation == nil, !isDone { checker.fail("I16: nothing happens: \(unfinished)") }
        return SimulationReport(
            seed: seed, options: options, violation: checker.violation, trace: trace,
            events: eventCount, milliseconds: time, heights: checker.chain.count)
    }

    private mutating func happen(_ event: SimulationEvent) {
        switch event {
        case .deliver(let statements, let sender, let node):
            for statement in statements {
                handle(.received(passedOn(statement), from: sender), at: node)
            }
        case .input(let input, let node, let incarnation):
            if isCurrent(node, incarnation) { handle(input, at: node) }
        case .timer(let timer, let node, let incarnation, let at):
            guard isCurrent(node, incarnation), nodes[node].timers[timer] == at else { return }
            nodes[node].timers[timer] = nil
            handle(.elapsed(timer), at: node)
        case .trained(let request, let node, let incarnation, let training):
            guard isCurrent(node, incarnation), nodes[node].training == training else { return }
            finishTraining(request, at: node)
        case .fetch(let request, let node, let incarnation, let attempt):
            if isCurrent(node, incarnation) { fetch(request, at: node, attempt: attempt) }
        case .synchronise(let peers, let height, let node, let incarnation):
            guard isCurrent(node, incarnation) else { return }
            synchronise(from: peers, height: height, at: node)
        case .restart(let node): start(node)
        case .command(let index): command(index)
        case .partition: partition()
        case .killCoordinator: killCoordinator()
        case .heal: heal()
        }
    }

    /// Now and then through its bytes, as on a wire.
    private mutating func passedOn(_ statement: Statement) -> Statement {
        guard random.chance(60) else { return statement }
        guard let decoded = try? Statement(decoding: statement.encoded), decoded == statement
        else {
            checker.fail("a statement doesn't survive its encoding")
            return statement
        }
        return decoded
    }

    private func isCurrent(_ node: Int, _ incarnation: Int) -> Bool {
        nodes[node].isUp && nodes[node].incarnation == incarnation
    }

    /// I16: every honest node that lives has the run behind it, at one tip.
    private var isDone: Bool {
        guard let last = checker.chain.last?.state, !last.finished.isEmpty else { return false }
        return nodes.allSatisfy { node in
            node.isByzantine || node.isDeadForever || node.participant?.chain == last
        }
    }

    private var unfinished: String {
        let states = nodes.map { node -> String in
            guard let participant = node.participant else { return "down" }
            let status = participant.status
            return "\(status.height)/\(status.view) \(status.phase) \(status.round ?? 0)"
                + (node.isByzantine ? " twin" : "")
        }
        return "\(states) of \(checker.chain.count) heights"
    }

    mutating func note(_ word: UInt64) {
        trace = (trace ^ word) &* 0x0000_0100_0000_01b3
        trace ^= trace >> 29
    }
}

/// How a simulation went. `description` is enough to replay it.
package struct SimulationReport: CustomStringConvertible, Sendable {
    package let seed: UInt64
    package let options: SimulationOptions
    package let violation: String?
    /// Equal for equal runs.
    package let trace: UInt64
    package let events: Int
    package let milliseconds: Int
    package let heights: Int

    package var description: String {
        "seed \(seed), \(options): \(violation ?? "holds") after \(events) events, "
            + "\(milliseconds) ms, \(heights) heights, trace \(trace)"
    }
}
