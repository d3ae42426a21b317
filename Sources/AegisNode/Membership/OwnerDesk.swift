import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisStore
import AegisTransport
import Glibc
import Logging
import Synchronization

/// What the owner of a running node asks of the mesh for it. The commands of `aegis-node` leave it
/// in the node's folder; the node itself hands it in until it is decided, also after a crash. Its
/// connections stay as they are: another process under the same identity would need a TLS key of
/// its own, and peers take the newest only.
struct OwnerDesk: Sendable {
    /// The signed commands that `leave`, `move` and `motion` have left, a file each.
    private static let requestPrefix = "request-"
    private static let requestSuffix = ".cose"
    private static let requestsMax = 16
    private static let lookEvery = Duration.milliseconds(250)
    /// Commands are kept by whoever has them; this is for those that were lost.
    private static let repeatEvery = Duration.seconds(2)
    /// How long those who can't be told that this node's key has changed are waited for, where a
    /// quorum has been told.
    private static let handOverPatience = Duration.seconds(5)

    let directory: IdentityDirectory
    let identity: IdentityKey
    let membership: MeshMembership
    let inbox: Inbox
    let client: MeshClient
    let watch: PeerWatch
    /// A client that speaks with another key of this node's.
    let clientAs: @Sendable (IdentityKey) throws -> MeshClient
    let database: NodeDatabase
    /// Where peers ask for an organisation's word, there must be one for the next key first.
    let mayBecome: @Sendable (NodeID) -> Bool
    let logger: Logger

    /// Returns once the mesh knows this node under its next key, and enough others do.
    func run() async throws {
        let clock = ContinuousClock()
        var next: IdentityKey?
        var submitted: (names: Set<String>, at: ContinuousClock.Instant)?
        while true {
            try await Task.sleep(for: Self.lookEvery)
            if next == nil, directory.has(IdentityDirectory.nextKeyName) {
                next = try directory.nextKey()
            }
            if let next, isReplaced(by: next.publicKey) {
                logger.notice(
                    "the mesh knows this node by its new key",
                    metadata: ["new": "\(next.publicKey.short)"])
                return try await handOver(to: next.publicKey)
            }
            let requests = directory.names(from: Self.requestPrefix, to: Self.requestSuffix)
                .prefix(Self.requestsMax)
            guard next != nil || !requests.isEmpty else { continue }
            if let submitted, submitted.names.isSuperset(of: requests),
                clock.now - submitted.at <= Self.repeatEvery
            {
                continue
            }
            submitted = (Set(requests), clock.now)
            let envelopes = [next.flatMap(rotation(to:))] + requests.map(openRequest(in:))
            for case let envelope? in envelopes {
                inbox.add(.received(.signed(envelope), from: identity.publicKey))
            }
            if let next { try await catchUp(as: next) }
        }
    }

    /// Killed after it had voted for its next key, this node does not know what was decided, and
    /// those who know refuse the old key. The next one they let in.
    private func catchUp(as next: IdentityKey) async throws {
        let members = membership.roster.members.filter { $0.node != identity.publicKey }
        guard !members.isEmpty, members.allSatisfy({ !watch.isReached($0.node) }) else { return }
        let client = try clientAs(next)
        for member in members {
            guard let address = MeshAddress(member.address) else { continue }
            await client.setAddress(address, of: member.node)
            let height = membership.chain.height
            let answer = try? await client.get(
                "/mesh/v1/commits?from=\(height + 1)&count=\(CommitList.countMax)",
                from: member.node, bytesMax: CommitList.bytesMax)
            guard let answer, let records = try? CommitList.decode(answer), !records.isEmpty
            else { continue }
            for record in records {
                inbox.add(.received(.commit(record), from: member.node))
            }
            break
        }
        await client.shutdown()
    }

    /// Whether the chain has this node under another key, which it has ready.
    func isReplaced(by next: NodeID) -> Bool { membership.roster.member(next) != nil }

    /// Nil where this node is no member, so that there is nothing to replace.
    private func rotation(to next: IdentityKey) -> SignedEnvelope? {
        guard membership.roster.member(identity.publicKey) != nil else { return nil }
        guard mayBecome(next.publicKey) else {
            logger.notice(
                "the next key has no certificate of the organisation yet: it waits for it",
                metadata: ["key": "\(next.publicKey)"])
            return nil
        }
        return EnvelopeSigner(identity).sign(
            .command,
            KeySuccession.command(
                from: identity.publicKey, to: next, mesh: membership.rules.mesh
            ).payload)
    }

    static func requestName(of envelope: SignedEnvelope) -> String {
        requestPrefix + SHA256.digest(of: envelope.bytes).hexadecimal.prefix(16) + requestSuffix
    }

    /// Nil where it can't be decided any more; then its file goes: whoever left it reads the chain.
    private func openRequest(in name: String) -> SignedEnvelope? {
        guard let bytes = try? directory.read(name) else { return nil }
        guard let envelope = try? SignedEnvelope(parsing: bytes),
            let request = try? MembershipRequest(envelope),
            case .open = request.outcome(in: membership.chain, mesh: membership.rules.mesh)
        else {
            try? directory.remove(name)
            return nil
        }
        return envelope
    }

    /// The others must have the decision before this node speaks with another key: whoever lacks
    /// it would not let the new one in, nor find the old one. Who refuses the old key has it.
    private func handOver(to next: NodeID) async throws {
        let roster = membership.roster
        let others = roster.members.map(\.node).filter { $0 != next }
        let told = Told()
        try await withThrowingTaskGroup { group in
            for other in others {
                group.addTask {
                    try await tell(other)
                    told.insert(other)
                }
            }
            let clock = ContinuousClock()
            let patienceEnds = clock.now + Self.handOverPatience
            while true {
                let told = told.all
                let deciding = told.count { roster.contains($0) } + 1
                if told.count == others.count
                    || deciding >= roster.quorum && clock.now >= patienceEnds
                {
                    break
                }
                try await Task.sleep(for: .milliseconds(50))
            }
            group.cancelAll()
        }
    }

    /// Who has the decision.
    private final class Told: Sendable {
        private let nodes = Mutex(Set<NodeID>())

        var all: Set<NodeID> { nodes.withLock { $0 } }
        func insert(_ node: NodeID) { nodes.withLock { _ = $0.insert(node) } }
    }

    private func tell(_ other: NodeID) async throws {
        while true {
            let tip = try database.tip()?.height ?? 0
            let first = tip - min(tip, UInt64(CommitList.countMax / 8)) + 1
            let records = try database.commits(from: first, count: CommitList.countMax / 8)
            do throws(MeshClientError) {
                try await client.post(statements: records, to: other)
            } catch {
                switch error {
                case .refusedByPeer, .status(_, 403, _): return
                default: break
                }
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}
