import AegisCore
import AegisProtocol

/// The invariants of PROTOCOL.md §2.13, checked on everything that honest nodes sign and commit.
/// They hold or the simulation ends there.
struct SimulationChecker {
    let rules: MeshRules
    private(set) var violation: String?
    /// By height: what was committed first, and the state after it.
    private(set) var chain: [(header: Digest, state: ChainState)] = []
    private var signed: [SlotKey: [UInt8]] = [:]
    private var timeouts: [ViewKey: Int64] = [:]
    private var bindings: [Int: ParticipantBindings] = [:]
    /// Every signed update there is, for recomputation.
    private var updates: [Digest: UpdateStatement] = [:]

    private struct SlotKey: Hashable {
        let node: Int
        let slot: SigningSlot
    }

    private struct ViewKey: Hashable {
        let node: Int
        let height: UInt64
    }

    init(_ rules: MeshRules) { self.rules = rules }

    mutating func fail(_ text: String) { violation = violation ?? text }

    /// I4, I6: slots are written once, across restarts; no vote in a view given up.
    mutating func signs(_ node: Int, _ slot: SigningSlot, _ payload: [UInt8]) {
        let key = SlotKey(node: node, slot: slot)
        if let before = signed[key], before != payload {
            fail("I4: node \(node) signed two contents in slot \(slot)")
        }
        signed[key] = payload
        switch slot {
        case .timeout(let height, let view):
            let key = ViewKey(node: node, height: height)
            timeouts[key] = max(timeouts[key] ?? -1, Int64(view))
        case .vote1(let height, let view), .vote2(let height, let view):
            if let given = timeouts[ViewKey(node: node, height: height)], Int64(view) <= given {
                fail("I6: node \(node) voted at \(height)/\(view) after its timeout of \(given)")
            }
        case .update, .abstention, .haveList, .proposal: break
        }
    }

    mutating func released(_ statement: UpdateStatement, as digest: Digest) {
        updates[digest] = statement
    }

    /// I5: nothing that binds goes back, not even over a restart.
    mutating func bound(_ node: Int, by new: ParticipantBindings) {
        if new.highestView > new.view || new.vote2View > new.view || new.vote1View > new.view {
            fail("I5: node \(node) is behind what it said: \(new)")
        }
        if let old = bindings[node] {
            if new.height < old.height {
                fail("I5: node \(node) went back from height \(old.height) to \(new.height)")
            }
            if new.height == old.height,
                new.view < old.view || new.timeoutView < old.timeoutView
                    || new.vote1View < old.vote1View || new.vote2View < old.vote2View
                    || new.highestView < old.highestView
            {
                fail("I5: node \(node) went back from \(old) to \(new)")
            }
        }
        bindings[node] = new
    }

    /// After a crash only what was durable counts; a decision not yet acted on may be lost.
    mutating func forgetBindings(of node: Int) { bindings[node] = nil }

    /// I1, I2, I8, I9, I12, I15: the first commit of a height is checked from scratch, each later
    /// one must be the same.
    mutating func commits(
        _ node: Int, _ record: CommitRecord, isHeld: (Digest) -> Bool
    ) {
        let digest = rules.cryptography.digest(record.header)
        guard let header = try? Header(decoding: record.header) else {
            return fail("I8: node \(node) committed what is no header")
        }
        let index = Int(header.height) - 1
        if index < chain.count {
            guard chain[index].header == digest else {
                return fail("I1: two values at height \(header.height), the other at node \(node)")
            }
            return
        }
        guard index == chain.count else {
            return fail("I12: node \(node) committed height \(header.height) too early")
        }
        let before = chain.last?.state ?? rules.initialState
        let commit: Commit
        do { commit = try rules.verify(record, extending: before) } catch {
            return fail("I8: the commit of height \(header.height) proves nothing: \(error)")
        }
        if header.committedTime <= before.committedTime {
            fail("I15: committed time went back at height \(header.height)")
        }
        check(commit, after: before, isHeld: isHeld)
        chain.append((digest, commit.state))
    }

    private mutating func check(
        _ commit: Commit, after before: ChainState, isHeld: (Digest) -> Bool
    ) {
        guard commit.header.kind == .round, let run = before.active else { return }
        var blobs: [Digest] = []
        for member in commit.included {
            guard let update = updates[member.update] else {
                return fail("I9: nobody released update \(member.update.short)")
            }
            if !isHeld(update.blob.digest) {
                fail("I9: no honest node holds update \(member.update.short)")
            }
            blobs.append(update.blob.digest)
        }
        let expected = SimulatedAggregation(rules.cryptography).result(of: blobs, on: run.model)
        if expected.model != commit.header.model || expected.aggregate != commit.header.aggregate {
            fail("I2: the model of height \(commit.header.height) isn't what its updates give")
        }
    }
}

/// Digests in the place of tensors: as deterministic, and any difference shows.
struct SimulatedAggregation {
    private let cryptography: any ProtocolCryptography

    init(_ cryptography: any ProtocolCryptography) { self.cryptography = cryptography }

    func result(of blobs: [Digest], on base: Digest) -> ComputeResult {
        let aggregate = cryptography.digest(blobs.flatMap(\.bytes) + [1])
        return ComputeResult(
            aggregate: aggregate, model: cryptography.digest(base.bytes + aggregate.bytes))
    }

    func result(of request: ComputeRequest) -> ComputeResult {
        switch request {
        case .initialModel(let specification):
            ComputeResult(
                aggregate: .zero, model: cryptography.digest(specification.run.bytes + [2]))
        case .aggregate(let request):
            result(of: request.parts.map(\.blob), on: request.base)
        }
    }
}
