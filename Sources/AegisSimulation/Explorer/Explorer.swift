import AegisCore
import AegisProtocol

/// Tries everything: from each state every step that the network, a timer or a traitor could take,
/// over the same core that a node runs. States that differ in nothing that matters to what may come
/// are visited once (PROTOCOL.md §2.13).
package struct Explorer {
    package struct Progress: Sendable {
        package let states: Int
        package let transitions: Int
        package let depth: Int
    }

    private struct Frame {
        let state: ExplorerState
        let steps: [ExplorerStep]
        var next = 0
        /// That led here.
        let step: ExplorerStep?
    }

    private let setup: ExplorerSetup
    private let world: ExplorerWorld
    private var seen = FingerprintSet()
    /// Every state of each node that has come up.
    private var locals: [[Fingerprint: ExplorerLocal]]
    private var transitions = 0
    private var depthMax = 0

    package init(_ setup: ExplorerSetup) {
        self.setup = setup
        world = ExplorerWorld(setup)
        locals = world.initial.map { _ in [:] }
    }

    /// Goes on until all is seen, something is broken, there are too many states, or `goesOn` says
    /// no. A few random ways come first: they find soon what is badly broken.
    package mutating func explore(_ goesOn: (Progress) -> Bool = { _ in true }) -> ExplorerReport {
        let first = self.first
        if let (violation, path) = wander(from: first) { return report(violation, path: path) }
        var stack = [
            Frame(state: first, steps: ExplorerChoices(world, first).steps, step: nil)
        ]
        _ = seen.insert(combined(first))
        var isStopped = false
        while let last = stack.indices.last {
            guard stack[last].next < stack[last].steps.count else {
                stack.removeLast()
                continue
            }
            let step = stack[last].steps[stack[last].next]
            stack[last].next += 1
            transitions += 1
            if transitions & 0x3fff == 0 {
                let progress = Progress(
                    states: seen.count, transitions: transitions, depth: stack.count)
                isStopped = !goesOn(progress)
            }
            if isStopped || setup.statesMax.map({ seen.count >= $0 }) ?? false {
                return report(isComplete: false)
            }
            switch taken(step, from: stack[last].state) {
            case nil: continue
            case .broken(let violation):
                return report(violation, path: stack.compactMap(\.step) + [step])
            case .to(let state):
                guard seen.insert(combined(state)) else { continue }
                if let violation = broken(state) {
                    return report(violation, path: stack.compactMap(\.step) + [step])
                }
                stack.append(
                    Frame(state: state, steps: ExplorerChoices(world, state).steps, step: step))
                depthMax = max(depthMax, stack.count)
            }
        }
        return report(isComplete: true)
    }

    /// Random ways to the end.
    private mutating func wander(
        from first: ExplorerState, count: Int = 1_000
    ) -> (String, [ExplorerStep])? {
        var random = SimulationRandom(1, stream: .network)
        for _ in 0..<count {
            var state = first
            var path: [ExplorerStep] = []
            var left = ExplorerChoices(world, state).steps
            while !left.isEmpty {
                let step = left.remove(at: random.below(left.count))
                switch taken(step, from: state) {
                case nil: continue
                case .broken(let violation): return (violation, path + [step])
                case .to(let next):
                    path.append(step)
                    state = next
                    if let violation = broken(state) { return (violation, path) }
                    left = ExplorerChoices(world, state).steps
                }
            }
        }
        return nil
    }

    private enum Taken {
        case to(ExplorerState)
        case broken(String)
    }

    /// What a step leads to; nil where it changes nothing.
    private mutating func taken(_ step: ExplorerStep, from state: ExplorerState) -> Taken? {
        let local = state.nodes[step.node]
        let outcome: ExplorerLocal.Outcome
        if let known = local.outcomes[step] {
            outcome = known
        } else {
            outcome = computed(step, from: state)
            local.outcomes[step] = outcome
        }
        switch outcome {
        case .unchanged: return nil
        case .broken(let violation, _): return .broken(violation)
        case .changed(let next):
            var state = state
            state.nodes[step.node] = next
            return .to(state)
        }
    }

    private mutating func computed(
        _ step: ExplorerStep, from state: ExplorerState
    ) -> ExplorerLocal.Outcome {
        let (node, violation) = ExplorerChoices(world, state).node(after: step)
        if let violation { return .broken(violation, node) }
        let next = local(node, at: step.node)
        return next === state.nodes[step.node] ? .unchanged : .changed(next)
    }

    private func fingerprint(of node: ExplorerNode, at index: Int) -> Fingerprint {
        let place = UInt8(index + setup.traitors)
        return node.fingerprint(
            isCoordinating: setup.coordinators.contains(place),
            areListsHeard: !setup.isSymmetric, world.code)
    }

    private mutating func local(_ node: ExplorerNode, at index: Int) -> ExplorerLocal {
        let mark = fingerprint(of: node, at: index)
        if let known = locals[index][mark] { return known }
        let new = ExplorerLocal(node, mark, views: setup.views, heights: setup.heights)
        locals[index][mark] = new
        return new
    }

    private func report(isComplete: Bool) -> ExplorerReport {
        ExplorerReport(
            states: seen.count, locals: locals.map(\.count).reduce(0, +),
            transitions: transitions, depthMax: depthMax, tableBytes: seen.byteCount,
            isComplete: isComplete, violation: nil, transcript: [])
    }

    private mutating func report(_ violation: String, path: [ExplorerStep]) -> ExplorerReport {
        let path = shortened(path)
        return ExplorerReport(
            states: seen.count, locals: locals.map(\.count).reduce(0, +),
            transitions: transitions, depthMax: depthMax, tableBytes: seen.byteCount,
            isComplete: false, violation: violation,
            transcript: ExplorerTranscript(world).lines(of: path, from: first) + [violation])
    }

    /// I1, I3: whether what has been said certifies or decides two values.
    private func broken(_ state: ExplorerState) -> String? {
        let choices = ExplorerChoices(world, state)
        for height in 1...setup.heights {
            var first = -1
            for view in 0..<setup.views {
                if !setup.isForkSought, choices.certified(height, view).count > 1 {
                    return "I3: two certified values at \(height)/\(view)"
                }
                for value in choices.decided(height, view) {
                    if first >= 0, first != value {
                        return "I1: two values decided at height \(height)"
                    }
                    first = value
                }
            }
        }
        return nil
    }

    /// Nodes that differ only in their names may change places.
    private func combined(_ state: ExplorerState) -> Fingerprint {
        var prints = state.nodes.map(\.fingerprint)
        if setup.isSymmetric { prints[..<(setup.nodes - setup.traitors)].sort() }
        var combined = Fingerprint()
        for print in prints { combined.add(print) }
        return combined
    }

    /// A violation's way without the steps that it doesn't take.
    private mutating func shortened(_ path: [ExplorerStep]) -> [ExplorerStep] {
        var path = path
        var index = path.count - 1
        while index >= 0 {
            var shorter = path
            shorter.remove(at: index)
            if isBroken(shorter) { path = shorter }
            index -= 1
        }
        return path
    }

    private mutating func isBroken(_ path: [ExplorerStep]) -> Bool {
        var state = first
        for step in path {
            // What isn't there can't be brought.
            guard ExplorerChoices(world, state).steps(of: step.node).contains(step) else {
                return false
            }
            switch taken(step, from: state) {
            case nil: continue
            case .broken: return true
            case .to(let next):
                state = next
                if broken(state) != nil { return true }
            }
        }
        return false
    }

    /// Random ways on which every node keeps its own history: whether what was computed for another
    /// history with the same fingerprint is what this one gives, too. The first difference, if any.
    package mutating func difference(ways: Int) -> String? {
        var random = SimulationRandom(2, stream: .network)
        for _ in 0..<ways {
            // As known, and as they really came about.
            var (known, real) = (first, first)
            var left = ExplorerChoices(world, known).steps
            while !left.isEmpty {
                let step = left.remove(at: random.below(left.count))
                let before = real.nodes[step.node].fingerprint
                let node = ExplorerChoices(world, real).node(after: step).0
                let mark = fingerprint(of: node, at: step.node)
                switch taken(step, from: known) {
                case nil:
                    guard mark == before else { return "\(step) changes only this history" }
                    continue
                case .broken(let violation): return violation
                case .to(let next): known = next
                }
                guard mark == known.nodes[step.node].fingerprint else {
                    return "\(step) makes something else of this history"
                }
                real.nodes[step.node] = ExplorerLocal(
                    node, mark, views: setup.views, heights: setup.heights)
                left = ExplorerChoices(world, known).steps
            }
        }
        return nil
    }

    private var first: ExplorerState {
        mutating get {
            ExplorerState(nodes: world.initial.indices.map { local(world.initial[$0], at: $0) })
        }
    }
}
