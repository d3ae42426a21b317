import AegisCore
import AegisProtocol

/// What an exploration starts from, and what traitors can say in any state of it.
final class ExplorerWorld {
    /// A value that can be proposed.
    struct Value {
        let height: UInt64
        let digest: Digest
        let header: [UInt8]
        let body: [UInt8]
        /// Of the header before.
        let previous: Digest
        /// Whether a traitor can make it from what everybody has said before anything else.
        let isAtHand: Bool
    }

    private struct Key: Hashable {
        let kind: ExplorerNode.Said.Kind
        let place: Int
        let height: UInt64
        let view: Int
        let value: Int
        let outcome: ExplorerStep.Outcome?
    }

    let setup: ExplorerSetup
    let cryptography = SymbolicCryptography()
    /// Of each height: who decides it.
    private(set) var rules: [MeshRules]
    private(set) var values: [Value] = []
    private var codes: [Digest: Int] = [:]
    /// The honest nodes at the start.
    private(set) var initial: [ExplorerNode] = []
    private var ofTraitors: [Key: SignedEnvelope] = [:]
    let commands: [SignedEnvelope]

    init(_ setup: ExplorerSetup) {
        self.setup = setup
        var options = SimulationOptions(participants: setup.founders)
        options.rounds = 1
        let mesh = SimulatedMesh(
            options, cryptography, breaches: setup.breaches.union(.forgettingIgnored))
        rules = [mesh.rules.coordinated(by: setup.coordinators)]
        if setup.isRosterChanging {
            let leaver = mesh.rules.roster.nodes[setup.founders - 1]
            let command = Command(
                mesh: mesh.rules.mesh, sequence: 0, expiresAt: UInt64(Int64.max),
                action: .membership(.leave(leaver)))
            commands = [
                cryptography.sign(.command, from: leaver, payload: command.payload),
                mesh.commands[0],
            ]
        } else {
            commands = [mesh.commands[0]]
        }
        prepare()
    }

    /// Everybody has the command and has said so in view 0; a traitor has made two values of that.
    private func prepare() {
        var all = (0..<setup.founders).map { founder($0) }
        for place in all.indices {
            var shell = ExplorerShell(self, all[place], place: place)
            shell.run([.start, .received(.signed(commands[0]), from: rules[0].admin)])
            all[place] = shell.node
        }
        initial = Array(all[setup.honest])
        var firsts = makeValues(at: 1, from: all)
        guard setup.isRosterChanging else { return }
        // What the next height can be made of, after either value.
        firsts = firsts.filter { values[$0].height == 1 }
        for first in firsts { prepareNext(after: first, all) }
    }

    private func founder(_ place: Int) -> ExplorerNode {
        let configuration = ParticipantConfiguration(
            node: rules[0].roster.nodes[place], rules: rules[0], seed: UInt64(place))
        guard
            let participant = try? Participant(
                configuration: configuration,
                restoring: DurableState(chain: rules[0].initialState))
        else { preconditionFailure("an empty journal is believed") }
        return ExplorerNode(participant: participant)
    }

    private func prepareNext(after first: Int, _ founders: [ExplorerNode]) {
        let votes = founders.indices.map { place in
            sign(
                .vote2, by: place,
                Vote2(scope: rules[0].scope(height: 1, view: 0), value: values[first].digest)
                    .payload)
        }
        let record = CommitRecord(
            header: values[first].header, body: values[first].body,
            certificate: Array(votes.prefix(rules[0].quorum)))
        var all = founders
        for place in all.indices {
            var shell = ExplorerShell(self, all[place], place: place)
            shell.run([.received(.commit(record), from: rules[0].roster.nodes[0])])
            all[place] = shell.node
        }
        if rules.count == 1 { rules.append(rules[0].at(all[0].participant.chain)) }
        _ = makeValues(at: 2, from: Array(all.prefix(setup.nodes)))
    }

    /// Two values, of two quorums' lists, as a coordinator that runs twice would propose them.
    private func makeValues(at height: UInt64, from all: [ExplorerNode]) -> [Int] {
        let quorum = rules(at: height).roster.quorum
        let others = Array(1..<all.count)
        return Set([others.prefix(quorum - 1), others.suffix(quorum - 1)]).sorted {
            $0.startIndex < $1.startIndex
        }.compactMap { chosen in
            // The first of the roster plays the coordinator, whoever it is later.
            guard let node = coordinator(of: height, like: all[0]) else { return nil }
            var shell = ExplorerShell(self, node, place: 0, isAtHand: true)
            shell.run(
                chosen.compactMap { place in
                    all[place].first(.list, height, 0).map {
                        .received(.signed($0.envelope), from: $0.envelope.sender)
                    }
                })
            return shell.node.first(.proposal, height, 0)?.value
        }
    }

    /// A process with the first node's key that coordinates view 0.
    private func coordinator(of height: UInt64, like node: ExplorerNode) -> ExplorerNode? {
        let configuration = ParticipantConfiguration(
            node: rules[0].roster.nodes[0], rules: rules[0].coordinated(by: [0]), seed: 0)
        guard
            let participant = try? Participant(
                configuration: configuration,
                restoring: DurableState(chain: node.participant.chain))
        else { return nil }
        var shell = ExplorerShell(
            self, ExplorerNode(participant: participant), place: 0)
        shell.run([
            .start, .received(.signed(commands[Int(height) - 1]), from: rules[0].admin),
        ])
        return shell.node
    }

    func rules(at height: UInt64) -> MeshRules { rules[min(Int(height), rules.count) - 1] }

    /// A number for each digest, the same all the time.
    func code(_ digest: Digest) -> Int {
        if let code = codes[digest] { return code }
        codes[digest] = 2_000 + codes.count
        return 2_000 + codes.count - 1
    }

    /// The number of a value, which is new if this proposal is the first for it.
    func value(of proposal: Proposal, isAtHand: Bool) -> Int {
        let digest = cryptography.digest(proposal.header)
        if let code = values.firstIndex(where: { $0.digest == digest }) { return code }
        let header = try? Header(decoding: proposal.header)
        values.append(
            Value(
                height: proposal.scope.height, digest: digest, header: proposal.header,
                body: proposal.body, previous: header?.previous ?? .zero, isAtHand: isAtHand))
        codes[digest] = values.count - 1
        return values.count - 1
    }

    func value(_ digest: Digest) -> Int { values.firstIndex { $0.digest == digest } ?? -1 }
}

// What traitors sign; made once.
extension ExplorerWorld {
    func sign(_ type: StatementType, by place: Int, _ payload: [UInt8]) -> SignedEnvelope {
        cryptography.sign(type, from: rules[0].roster.nodes[place], payload: payload)
    }

    private func cached(_ key: Key, _ make: () -> SignedEnvelope) -> SignedEnvelope {
        if let envelope = ofTraitors[key] { return envelope }
        let envelope = make()
        ofTraitors[key] = envelope
        return envelope
    }

    func vote(
        _ kind: ExplorerNode.Said.Kind, by place: Int, _ height: UInt64, _ view: Int,
        for value: Int
    ) -> SignedEnvelope {
        let key = Key(
            kind: kind, place: place, height: height, view: view, value: value, outcome: nil)
        return cached(key) {
            let scope = rules(at: height).scope(height: height, view: UInt32(view))
            let digest = values[value].digest
            return kind == .vote1
                ? sign(
                    .vote1, by: place, Vote1(scope: scope, value: digest, proposal: .zero).payload)
                : sign(.vote2, by: place, Vote2(scope: scope, value: digest).payload)
        }
    }

    func timeout(
        by place: Int, _ height: UInt64, _ view: Int, naming outcome: ExplorerStep.Outcome
    ) -> SignedEnvelope {
        let key = Key(
            kind: .timeout, place: place, height: height, view: view, value: -1, outcome: outcome)
        return cached(key) {
            let scope = rules(at: height).scope(height: height, view: UInt32(view))
            let timeout = Timeout(scope: scope, highest: certified(outcome))
            return sign(.timeout, by: place, timeout.payload)
        }
    }

    func certified(_ outcome: ExplorerStep.Outcome) -> Timeout.Certified? {
        outcome.view < 0
            ? nil : .init(view: UInt32(outcome.view), value: values[outcome.value].digest)
    }

    func proposal(
        by place: Int, _ height: UInt64, _ view: Int, _ value: Int,
        _ outcome: ExplorerStep.Outcome?, justification: () -> TimeoutCertificate?
    ) -> SignedEnvelope {
        let key = Key(
            kind: .proposal, place: place, height: height, view: view, value: value,
            outcome: outcome)
        return cached(key) {
            let scope = rules(at: height).scope(height: height, view: UInt32(view))
            let proposal = Proposal(
                scope: scope, header: values[value].header, body: values[value].body,
                justification: justification())
            return sign(.proposal, by: place, proposal.payload)
        }
    }
}
