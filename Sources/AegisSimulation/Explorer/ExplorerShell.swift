import AegisCore
import AegisProtocol

/// Hands inputs to one participant and does at once what it wants done: signs, computes, lets the
/// commands' timer run. What it sends lies in the network anyway.
struct ExplorerShell {
    private(set) var node: ExplorerNode
    private(set) var violation: String?
    private let world: ExplorerWorld
    private let place: Int
    private let isAtHand: Bool
    /// Commits of a height, for whoever lacks the value that was decided.
    private let record: (UInt64) -> CommitRecord?

    init(
        _ world: ExplorerWorld, _ node: ExplorerNode, place: Int, isAtHand: Bool = false,
        record: @escaping (UInt64) -> CommitRecord? = { _ in nil }
    ) {
        self.world = world
        self.node = node
        self.place = place
        self.isAtHand = isAtHand
        self.record = record
    }

    mutating func run(_ first: [Input]) {
        var inputs = first
        var position = 0
        while position < inputs.count {
            let before = node.participant.bindings
            let effects = node.participant.handle(
                inputs[position], at: Instant(nanoseconds: node.hours * 3_600_000_000_000),
                wallTime: UInt64(Simulation.epoch + place * 10))
            position += 1
            check(before, node.participant.bindings)
            for effect in effects { inputs += perform(effect) }
        }
    }

    private mutating func perform(_ effect: Effect) -> [Input] {
        switch effect {
        case .sign(let slot, let payload, _): return sign(slot, payload)
        case .compute(let request):
            let result = SimulatedAggregation(world.cryptography).result(of: request)
            return [.computed(request, result)]
        case .startTimer(.command, _):
            node.hours += 1
            return [.elapsed(.command)]
        case .apply(_, let state):
            guard Int(state.height) < world.commands.count else { return [] }
            return [
                .received(
                    .signed(world.commands[Int(state.height)]), from: world.rules[0].admin)
            ]
        case .synchronise(let peers, let height):
            guard let record = record(height), let peer = peers.first else { return [] }
            return [.received(.commit(record), from: peer)]
        case .persist, .send, .startTimer, .cancelTimer, .fetch, .train, .cancelTraining, .keep,
            .observe:
            return []
        }
    }

    private mutating func sign(_ slot: SigningSlot, _ payload: [UInt8]) -> [Input] {
        let envelope = world.sign(slot.type, by: place, payload)
        if let said = said(slot, payload, envelope) {
            if said.kind != .list, let before = node.first(said.kind, said.height, said.view),
                before.envelope != envelope
            {
                violation = violation ?? "I4: two contents of \(slot.words)"
            }
            let gaveUp = node.said.contains {
                $0.kind == .timeout && $0.height == said.height && $0.view >= said.view
            }
            if gaveUp, said.kind == .vote1 || said.kind == .vote2 {
                violation = violation ?? "I6: \(slot.words) after a timeout"
            }
            node.say(said)
        }
        return [.signed(slot, envelope)]
    }

    private func said(
        _ slot: SigningSlot, _ payload: [UInt8], _ envelope: SignedEnvelope
    ) -> ExplorerNode.Said? {
        func said(
            _ kind: ExplorerNode.Said.Kind, _ height: UInt64, _ view: UInt32, _ value: Int,
            named: Int = -1
        ) -> ExplorerNode.Said {
            .init(
                kind: kind, height: height, view: Int(view), value: value, namedView: named,
                envelope: envelope)
        }
        switch slot {
        case .vote1(let height, let view):
            return (try? Vote1(payload: payload)).map {
                said(.vote1, height, view, world.value($0.value))
            }
        case .vote2(let height, let view):
            return (try? Vote2(payload: payload)).map {
                said(.vote2, height, view, world.value($0.value))
            }
        case .timeout(let height, let view):
            return (try? Timeout(payload: payload)).map { timeout in
                said(
                    .timeout, height, view, timeout.highest.map { world.value($0.value) } ?? -1,
                    named: timeout.highest.map { Int($0.view) } ?? -1)
            }
        case .proposal(let height, let view):
            return (try? Proposal(payload: payload)).map {
                said(
                    .proposal, height, view, world.value(of: $0, isAtHand: isAtHand),
                    named: $0.justification == nil ? -1 : bindingView)
            }
        case .haveList(let height, let view, _): return said(.list, height, view, -1)
        case .update, .abstention, .readiness, .coSign: return nil
        }
    }

    /// Of the certificate that binds the coordinator of the present view; −1: none.
    private var bindingView: Int {
        let highest = node.participant.essence(isCoordinating: true).entryHighest
        return highest.map { Int($0.view) } ?? -1
    }

    /// I5.
    private mutating func check(_ old: ParticipantBindings, _ new: ParticipantBindings) {
        let isBehind =
            new.highestView > new.view || new.vote2View > new.view || new.vote1View > new.view
        let isBack =
            new.height < old.height
            || new.height == old.height
                && (new.view < old.view || new.timeoutView < old.timeoutView
                    || new.vote1View < old.vote1View || new.vote2View < old.vote2View
                    || new.highestView < old.highestView)
        if isBehind || isBack { violation = violation ?? "I5: from \(old) to \(new)" }
    }
}
