import AegisCore
import AegisProtocol

/// What a traitor has seen, kept to be used against the others.
struct Traitor {
    let id: NodeID
    private let rules: MeshRules
    private(set) var height: UInt64 = 0
    /// Of the roster under which the others speak.
    private var roster: Digest
    private(set) var view: UInt32 = 0
    /// Values of this height: the view, the value's digest, and the proposal's where it is known.
    private(set) var values: [(view: UInt32, value: Digest, proposal: Digest)] = []
    private(set) var proposals: [Proposal] = []
    private(set) var timeouts: [(view: UInt32, highest: Timeout.Certified?, SignedEnvelope)] = []
    private(set) var certificates: [(named: Timeout.Certified, VoteCertificate)] = []
    private(set) var past: [Statement] = []

    private static let keptMax = 24

    init(_ id: NodeID, _ rules: MeshRules) {
        self.id = id
        self.rules = rules
        roster = rules.rosterDigest
    }

    mutating func see(_ statement: Statement) {
        past.append(statement)
        if past.count > Self.keptMax { past.removeFirst() }
        switch statement {
        case .signed(let envelope): see(envelope)
        case .voteCertificate(let certificate): see(certificate)
        case .timeoutCertificate(let election):
            for envelope in election.timeouts { see(envelope) }
            if let highest = election.highest { see(highest) }
        case .commit, .hello, .helloReply, .evidence, .finalCertificate, .fork: break
        }
    }

    private mutating func see(_ certificate: VoteCertificate) {
        guard let first = certificate.votes.first,
            let vote = try? Vote1(payload: first.unverifiedPayload),
            isPresent(vote.scope)
        else { return }
        let named = Timeout.Certified(view: vote.scope.view, value: vote.value)
        guard !certificates.contains(where: { $0.named == named }) else { return }
        certificates.append((named, certificate))
        if certificates.count > Self.keptMax { certificates.removeFirst() }
        for envelope in certificate.votes { see(envelope) }
    }

    private mutating func see(_ envelope: SignedEnvelope) {
        let payload = envelope.unverifiedPayload
        switch envelope.type {
        case .proposal:
            guard let proposal = try? Proposal(payload: payload), isPresent(proposal.scope) else {
                return
            }
            if let justification = proposal.justification {
                see(.timeoutCertificate(justification))
            }
            let value = rules.cryptography.digest(proposal.header)
            add(proposal.scope.view, value, rules.cryptography.digest(envelope.bytes))
            proposals.append(proposal)
            if proposals.count > 6 { proposals.removeFirst() }
        case .vote1:
            guard let vote = try? Vote1(payload: payload), isPresent(vote.scope) else { return }
            add(vote.scope.view, vote.value, vote.proposal)
        case .vote2:
            guard let vote = try? Vote2(payload: payload), isPresent(vote.scope) else { return }
            add(vote.scope.view, vote.value, .zero)
        case .timeout:
            guard let timeout = try? Timeout(payload: payload), isPresent(timeout.scope),
                !timeouts.contains(where: { $0.2.bytes == envelope.bytes })
            else { return }
            timeouts.append((timeout.scope.view, timeout.highest, envelope))
            if timeouts.count > Self.keptMax { timeouts.removeFirst() }
        case .haveList:
            guard let list = try? HaveList(payload: payload) else { return }
            _ = isPresent(list.scope)
        default: break
        }
    }

    private mutating func add(_ view: UInt32, _ value: Digest, _ proposal: Digest) {
        guard !values.contains(where: { $0.view == view && $0.value == value }) else { return }
        values.append((view, value, proposal))
        if values.count > 8 { values.removeFirst() }
    }

    /// Follows the others to their height and view.
    private mutating func isPresent(_ scope: StatementScope) -> Bool {
        if scope.height > height {
            height = scope.height
            roster = scope.roster
            view = 0
            values = []
            proposals = []
            timeouts = []
            certificates = []
        }
        guard scope.height == height else { return false }
        if scope.view < 1_000 { view = max(view, scope.view) }
        return true
    }

    func scope(_ view: UInt32) -> StatementScope {
        StatementScope(mesh: rules.mesh, roster: roster, height: height, view: view)
    }

    /// Timeouts of a view that say as little as possible of certified values, one of each signer.
    func timeouts(of view: UInt32) -> [(highest: Timeout.Certified?, SignedEnvelope)] {
        var chosen: [(highest: Timeout.Certified?, SignedEnvelope)] = []
        let sorted = timeouts.filter { $0.view == view }.sorted {
            ($0.highest.map { Int64($0.view) } ?? -1) < ($1.highest.map { Int64($0.view) } ?? -1)
        }
        for timeout in sorted where !chosen.contains(where: { $0.1.sender == timeout.2.sender }) {
            chosen.append((timeout.highest, timeout.2))
        }
        return chosen
    }

    func certificate(_ named: Timeout.Certified) -> VoteCertificate? {
        certificates.first { $0.named == named }?.1
    }
}
