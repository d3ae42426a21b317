import AegisCore
import AegisProtocol

/// What can be brought to whom in a state, and what comes of it.
struct ExplorerChoices {
    typealias Outcome = ExplorerStep.Outcome
    typealias Kind = ExplorerNode.Said.Kind

    let world: ExplorerWorld
    let state: ExplorerState
    private var setup: ExplorerSetup { world.setup }

    init(_ world: ExplorerWorld, _ state: ExplorerState) {
        self.world = world
        self.state = state
    }

    /// Every step that may change something.
    var steps: [ExplorerStep] { state.nodes.indices.flatMap { steps(of: $0) } }

    func steps(of index: Int) -> [ExplorerStep] {
        let node = state.nodes[index]
        let bindings = node.bindings
        let height = bindings.height
        let place = index + setup.traitors
        guard !node.isHalted, height <= setup.heights,
            place < world.rules(at: height).roster.count
        else { return [] }
        var steps: [ExplorerStep] = []
        for view in max(0, Int(bindings.view))..<setup.views {
            let mayVote = view > bindings.view || mayVoteFirst(node)
            if mayVote { steps += proposals(to: index, node.node, height, view) }
            // A certificate of a view that is known already brings nothing new.
            if view > bindings.highestView {
                for value in certified(height, view) {
                    steps.append(
                        .certificate(node: index, height: height, view: view, value: value))
                }
            }
            // Nobody needs to give up on the last view: it could as well be silent.
            guard view < setup.views - 1 else { continue }
            for outcome in outcomes(height, view) {
                steps.append(.election(node: index, height: height, view: view, outcome))
                // Given up already, it makes the same of both.
                guard bindings.timeoutView < Int64(view) else { continue }
                steps.append(.timeouts(node: index, height: height, view: view, outcome))
            }
        }
        let view = Int(bindings.view)
        if view < setup.views - 1, bindings.timeoutView < bindings.view {
            steps.append(.giveUp(node: index))
        }
        if view < setup.views, Int(setup.coordinators[view]) == place,
            node.node.first(.proposal, height, view) == nil,
            let from = listed(height, view, by: index)
        {
            steps.append(.lists(node: index, height: height, view: view, from: from))
        }
        if height < setup.heights {
            for view in 0..<setup.views {
                for value in decided(height, view) {
                    steps.append(.commit(node: index, height: height, view: view, value: value))
                }
            }
        }
        return steps
    }

    /// Whose lists make a quorum with the coordinator's own: the first of the roster. Which ones
    /// changes the value, not what can become of it.
    private func listed(_ height: UInt64, _ view: Int, by index: Int) -> [Int]? {
        let others = state.nodes.indices.filter {
            $0 != index && state.nodes[$0].node.first(.list, height, view) != nil
        }
        let needed = world.rules(at: height).quorum - 1
        return others.count >= needed ? Array(others.prefix(needed)) : nil
    }

    /// Whether a proposal of its view can still get its vote.
    private func mayVoteFirst(_ node: ExplorerLocal) -> Bool {
        node.bindings.timeoutView < node.bindings.view
            && (node.bindings.vote1View < node.bindings.view
                || setup.breaches.contains(.vote1Twice))
    }

    private func proposals(
        to index: Int, _ node: ExplorerNode, _ height: UInt64, _ view: Int
    ) -> [ExplorerStep] {
        let outcomes: [Outcome?] = view == 0 ? [nil] : self.outcomes(height, view - 1)
        let coordinator = Int(setup.coordinators[view])
        guard setup.isTraitor(coordinator) else {
            // It makes one proposal, and brings it to whom the network likes.
            let said = state.nodes[coordinator - setup.traitors].node
                .first(.proposal, height, view)
            return said.map {
                [
                    .proposal(
                        node: index, height: height, view: view, value: $0.value,
                        view == 0 ? nil : $0.named)
                ]
            } ?? []
        }
        var steps: [ExplorerStep] = []
        for value in world.values.indices where isAvailable(value, after: node, height) {
            for outcome in outcomes {
                steps.append(
                    .proposal(node: index, height: height, view: view, value: value, outcome))
            }
        }
        return steps
    }

    /// What follows what this node has, and was made of what has been said.
    private func isAvailable(_ value: Int, after node: ExplorerNode, _ height: UInt64) -> Bool {
        let known = world.values[value]
        guard known.height == height, known.previous == node.participant.chain.tip else {
            return false
        }
        return known.isAtHand
            || state.nodes.contains { other in
                other.node.said.contains { $0.kind == .proposal && $0.value == value }
            }
    }

    // What has been said.

    /// Values with a quorum's votes of this kind. Traitors alone certify nothing that matters.
    private func voted(
        _ kind: Kind, _ height: UInt64, _ view: Int, quorum: Int
    ) -> [Int] {
        var voted: [Int] = []
        for node in state.nodes {
            let value = node.vote(kind, height, view)
            guard value >= 0, !voted.contains(value) else { continue }
            let voters = state.nodes.count { $0.vote(kind, height, view) == value }
            if voters + setup.traitors >= quorum { voted.append(value) }
        }
        return voted.sorted()
    }

    /// Values with a quorum's first votes.
    func certified(_ height: UInt64, _ view: Int) -> [Int] {
        voted(.vote1, height, view, quorum: world.rules(at: height).certificateQuorum)
    }

    /// Values with a quorum's second votes.
    func decided(_ height: UInt64, _ view: Int) -> [Int] {
        voted(.vote2, height, view, quorum: world.rules(at: height).quorum)
    }

    /// What the timeouts of a view can be made to name.
    private func outcomes(_ height: UInt64, _ view: Int) -> [Outcome] {
        var all: [Outcome] = [.none]
        for named in 0...view {
            all += certified(height, named).map { Outcome(view: named, value: $0) }
        }
        return all.filter { signers(of: $0, height, view) != nil }
    }

    /// Honest nodes whose timeouts, with the traitors', make an election with this outcome.
    private func signers(of outcome: Outcome, _ height: UInt64, _ view: Int) -> [Int]? {
        var signers: [Int] = []
        var isNamed = setup.traitors > 0 || outcome.view < 0
        // Whoever names it comes first.
        for index in state.nodes.indices {
            guard let timeout = state.nodes[index].node.first(.timeout, height, view) else {
                continue
            }
            if timeout.namedView == outcome.view {
                guard timeout.value == outcome.value else { continue }
                isNamed = true
                signers.insert(index, at: 0)
            } else if timeout.namedView < outcome.view {
                signers.append(index)
            }
        }
        let needed = max(0, world.rules(at: height).electionQuorum - setup.traitors)
        guard isNamed, signers.count >= needed, needed > 0 else { return nil }
        return Array(signers.prefix(needed))
    }
}

// Steps, taken.
extension ExplorerChoices {
    /// The node that a step is about, after it.
    func node(after step: ExplorerStep) -> (ExplorerNode, violation: String?) {
        var node = state.nodes[step.node].node
        let inputs: [Input]
        switch step {
        case .proposal(_, let height, let view, let value, let outcome):
            inputs = [.received(.signed(proposal(height, view, value, outcome)), from: peer)]
        case .certificate(_, let height, let view, let value):
            inputs = brought(votes(.vote1, height, view, value), except: step.node)
        case .election(_, let height, let view, let outcome):
            guard let certificate = election(height, view, outcome) else { return (node, nil) }
            inputs = [.received(.timeoutCertificate(certificate), from: peer)]
        case .timeouts(_, let height, let view, let outcome):
            // Each after the certificate that it names, as whoever gives up sends it.
            inputs = (timeouts(height, view, outcome) ?? []).flatMap { timeout in
                let certificate = certificate(height, timeout.named)
                    .map { Input.received(.voteCertificate($0), from: peer) }
                return [certificate].compactMap(\.self)
                    + brought([timeout.envelope], except: step.node)
            }
        case .giveUp:
            node.hours += 1
            inputs = [.elapsed(.view)]
        case .lists(_, let height, let view, let from):
            inputs = brought(
                from.compactMap { state.nodes[$0].node.first(.list, height, view)?.envelope },
                except: step.node)
        case .commit(_, let height, let view, let value):
            inputs = brought(votes(.vote2, height, view, value), except: step.node)
        }
        var shell = ExplorerShell(
            world, node, place: step.node + setup.traitors, record: record)
        shell.run(inputs)
        return (shell.node, shell.violation)
    }

    /// Somebody else, to whom the core gives no meaning beyond that.
    private var peer: NodeID { world.rules[0].roster.nodes[0] }

    private func brought(_ envelopes: [SignedEnvelope], except index: Int) -> [Input] {
        let me = world.rules[0].roster.nodes[index + setup.traitors]
        return envelopes.filter { $0.sender != me }
            .map { .received(.signed($0), from: $0.sender) }
    }

    private func votes(
        _ kind: Kind, _ height: UInt64, _ view: Int, _ value: Int
    ) -> [SignedEnvelope] {
        (0..<setup.traitors).map { world.vote(kind, by: $0, height, view, for: value) }
            + state.nodes.compactMap { $0.node.vote(kind, height, view, for: value)?.envelope }
    }

    private func proposal(
        _ height: UInt64, _ view: Int, _ value: Int, _ outcome: Outcome?
    ) -> SignedEnvelope {
        let coordinator = Int(setup.coordinators[view])
        guard setup.isTraitor(coordinator) else {
            let node = state.nodes[coordinator - setup.traitors].node
            guard let said = node.first(.proposal, height, view) else {
                preconditionFailure("a step is taken where it may be")
            }
            return said.envelope
        }
        return world.proposal(by: coordinator, height, view, value, outcome) {
            outcome.flatMap { election(height, view - 1, $0) }
        }
    }

    private func election(
        _ height: UInt64, _ view: Int, _ outcome: Outcome
    ) -> TimeoutCertificate? {
        timeouts(height, view, outcome).map { timeouts in
            TimeoutCertificate(
                timeouts: timeouts.map(\.envelope), highest: certificate(height, outcome))
        }
    }

    /// A quorum's timeouts that have this outcome, and what each names.
    private func timeouts(
        _ height: UInt64, _ view: Int, _ outcome: Outcome
    ) -> [(envelope: SignedEnvelope, named: Outcome)]? {
        guard let signers = signers(of: outcome, height, view) else { return nil }
        return (0..<setup.traitors).map {
            (world.timeout(by: $0, height, view, naming: outcome), outcome)
        }
            + signers.compactMap { state.nodes[$0].node.first(.timeout, height, view) }
            .map { ($0.envelope, $0.named) }
    }

    private func certificate(_ height: UInt64, _ outcome: Outcome) -> VoteCertificate? {
        guard outcome.view >= 0 else { return nil }
        let votes = votes(.vote1, height, outcome.view, outcome.value)
        return VoteCertificate(
            votes: Array(votes.prefix(world.rules(at: height).certificateQuorum)))
    }

    /// Of a height that is decided.
    private func record(_ height: UInt64) -> CommitRecord? {
        for view in 0..<setup.views {
            guard let value = decided(height, view).first else { continue }
            let votes = votes(.vote2, height, view, value)
            return CommitRecord(
                header: world.values[value].header, body: world.values[value].body,
                certificate: Array(votes.prefix(world.rules(at: height).quorum)))
        }
        return nil
    }
}
