import AegisAPI
import AegisAdmin
import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisStore
import Synchronization

/// A mesh of one: the real protocol core with a shell that does everything at once. It answers the
/// admin's calls in the place of a node.
final class SoleNode: MeshCalls {
    private struct State {
        var participant: Participant
        var commits: [CommitRecord] = []
        var finals: [(finality: Finality, certificate: FinalCertificate)] = []
        var inputs: [Input] = []
        var timers: [(TimerID, Instant)] = []
        var now = Instant(nanoseconds: 0)
        var measured: [RoundMeasurement] = []
        var posts = 0
    }

    struct Unreachable: Error {}

    private let node: TestNode
    private let rules: MeshRules
    /// Where its clock starts.
    private let wallStart: UInt64
    private let state: Mutex<State>
    let isDown = Mutex(false)
    /// Whether it keeps what is final to itself.
    let isQuietOnFinality = Mutex(false)
    /// What the node's last model is said to be.
    let modelBytes: [UInt8] = Array("a model".utf8)
    private var model: Digest { SHA256.digest(of: modelBytes) }

    init(_ node: TestNode, genesis: Genesis, wallStart: UInt64 = noon) throws {
        self.node = node
        self.wallStart = wallStart
        rules = MeshRules(
            founding: genesis.founding.statement, genesis: genesis.statement,
            cryptography: Libsodium())
        state = Mutex(
            State(
                participant: try Participant(
                    configuration: ParticipantConfiguration(
                        node: node.identity.publicKey, rules: rules, seed: 1),
                    restoring: DurableState(chain: rules.initialState))))
        give(.start)
    }

    var posts: Int { state.withLock { $0.posts } }
    var height: UInt64 { state.withLock { $0.participant.chain.height } }

    /// Says to have measured a round of another number than the last one's.
    func inventRound(_ round: Int, height: UInt64) {
        state.withLock { state in
            guard var measurement = state.measured.last else { return }
            measurement.round = round
            measurement.height = height
            measurement.loss = 100
            state.measured.append(measurement)
        }
    }

    func get(_ path: String, from node: RosterEntry, bytesMax: Int) async throws -> [UInt8] {
        if isDown.withLock({ $0 }) { throw Unreachable() }
        let asked = "/mesh/v1/status?measured="
        if path.hasPrefix(asked), let place = UInt64(path.dropFirst(asked.count)) {
            return Array(try AegisAPI.encode(status(after: place)))
        }
        let final = "/mesh/v1/final?from="
        if path.hasPrefix(final), let from = UInt64(path.dropFirst(final.count)) {
            guard let known = finals.first(where: { $0.finality.height >= from }) else {
                throw Unreachable()
            }
            return known.certificate.encoded
        }
        let prefix = "/mesh/v1/commits?from="
        guard path.hasPrefix(prefix),
            let from = UInt64(path.dropFirst(prefix.count).prefix { $0 != "&" })
        else { throw Unreachable() }
        let records = state.withLock { $0.commits.dropFirst(Int(from) - 1) }
        return CBOR.array(records.map { .bytes($0.encoded) }).encoded
    }

    func post(_ path: String, _ body: [UInt8], to node: RosterEntry) async throws {
        guard case .array(let elements) = try CBOR.decode(body) else { return }
        state.withLock { $0.posts += 1 }
        for case .bytes(let bytes) in elements {
            give(.received(try Statement(decoding: bytes), from: rules.admin))
        }
    }

    func fetch(_ blob: Digest, from node: RosterEntry, into store: BlobStore) async throws {
        guard blob == model else { throw Unreachable() }
        _ = try store.write(modelBytes)
    }

    private var finals: [(finality: Finality, certificate: FinalCertificate)] {
        isQuietOnFinality.withLock { $0 } ? [] : state.withLock { $0.finals }
    }

    /// Two measurements in one answer, so that a look brings in a part only.
    private func status(after place: UInt64) -> NodeStatus {
        let final = finals.last?.finality
        return state.withLock { state in
            let told = state.measured.dropFirst(Int(place)).prefix(2)
            var status = NodeStatus(
                node: node.identity.publicKey.text, name: "north", version: "test", state: .idle,
                height: state.participant.chain.height, view: 0, peakResidentMegabytes: 20,
                run: nil, privacy: [], refusals: [], rounds: Array(told))
            status.measured = place + UInt64(told.count)
            status.final = final.map {
                FinalityView(
                    height: $0.height, signatures: $0.signatures, participants: $0.participants,
                    resists: $0.resists)
            }
            return status
        }
    }

    /// Hands an input in, and all that follows from it, until only a wait is left; then waits.
    private func give(_ input: Input) {
        state.withLock { state in
            state.inputs.append(input)
            var steps = 0
            while steps < 2_000 {
                steps += 1
                if state.inputs.isEmpty {
                    // Nothing to decide and no run: only repetitions are left.
                    guard state.participant.chain.active != nil || steps < 20,
                        let next = state.timers.min(by: { $0.1 < $1.1 })
                    else { return }
                    state.timers.removeAll { $0.0 == next.0 }
                    state.now = max(state.now, next.1)
                    state.inputs.append(.elapsed(next.0))
                }
                let input = state.inputs.removeFirst()
                let wall = wallStart + state.now.nanoseconds / 1_000_000
                let effects = state.participant.handle(input, at: state.now, wallTime: wall)
                for effect in effects { perform(effect, &state, wall: wall) }
            }
        }
    }

    private func perform(_ effect: Effect, _ state: inout State, wall: UInt64) {
        switch effect {
        case .sign(let slot, let payload, _):
            state.inputs.append(
                .signed(slot, EnvelopeSigner(node.identity).sign(slot.type, payload)))
        case .startTimer(let timer, let instant):
            state.timers.removeAll { $0.0 == timer }
            state.timers.append((timer, instant))
        case .cancelTimer(let timer): state.timers.removeAll { $0.0 == timer }
        case .train(let request): state.inputs.append(trained(request, wall: wall))
        case .fetch(let request): state.inputs.append(.held(update: request.update))
        case .compute(let request):
            state.inputs.append(
                .computed(
                    request,
                    ComputeResult(
                        aggregate: request.isInitial ? .zero : SHA256.digest(of: [1]),
                        model: model)))
        case .apply(let record, let chain): apply(record, chain, &state)
        case .keep(let certificate, let finality):
            state.finals.append((finality, certificate))
        case .persist, .send, .cancelTraining, .synchronise, .observe: break
        }
    }

    private func trained(_ request: TrainingRequest, wall: UInt64) -> Input {
        guard let blob = UpdateBlob(digest: SHA256.digest(of: [2]), byteCount: 1) else {
            preconditionFailure("a small blob has no chunks")
        }
        return .trained(
            UpdateDraft(
                run: request.specification.run, round: request.round, base: request.base,
                blob: blob, expiresAt: wall + 3_600_000))
    }

    private func apply(_ record: CommitRecord, _ chain: ChainState, _ state: inout State) {
        state.commits.append(record)
        guard let header = try? Header(decoding: record.header), header.kind == .round,
            let run = header.run
        else { return }
        state.measured.append(
            RoundMeasurement(
                run: run.description, round: header.round, height: header.height, view: 0,
                coordinator: node.identity.publicKey.text, participants: [], seconds: 0.5,
                loss: 1 / Double(header.round), accuracy: 0.5, epsilon: nil,
                model: header.model.description))
    }
}

extension ComputeRequest {
    fileprivate var isInitial: Bool {
        switch self {
        case .initialModel: true
        case .aggregate: false
        }
    }
}
