import AegisCore
import AegisProtocol
import AegisTransport
import Synchronization

/// Asks the other members every now and then whether they are there: this node must know that it
/// can't reach a quorum before somebody waits for it in vain. A hint for people and for what waits
/// to be delivered; nothing is decided by it.
final class PeerWatch: Sendable {
    /// After so long without an answer a peer counts as away.
    static let silenceMax = Duration.seconds(4)
    private static let lookEvery = Duration.milliseconds(500)
    /// A peer that has answered is left alone for so long.
    private static let restAfterAnswer = Duration.milliseconds(1_500)
    private static let answerWithin = Duration.seconds(2)

    /// What is known of a peer.
    struct Contact: Sendable {
        var answeredAt: ContinuousClock.Instant?
        /// Nobody listens at its address.
        var isRefused = false
        var hello: MeshHello?
        fileprivate var isAsked = false
    }

    private let contacts = Mutex<[NodeID: Contact]>([:])
    private let client: MeshClient
    private let own: MeshHello
    private let startedAt = ContinuousClock().now
    private let members: @Sendable () -> [NodeID]
    /// Told of a peer that answers again.
    private let onReturn: @Sendable (NodeID) -> Void

    init(
        through client: MeshClient, own: MeshHello,
        members: @escaping @Sendable () -> [NodeID],
        onReturn: @escaping @Sendable (NodeID) -> Void
    ) {
        self.client = client
        self.own = own
        self.members = members
        self.onReturn = onReturn
    }

    /// Of the members of a node's mesh; its mail goes on at once when one is back.
    convenience init(
        of node: NodeID, in membership: MeshMembership, through client: MeshClient,
        own: MeshHello, mail: PeerMail
    ) {
        self.init(through: client, own: own) {
            membership.roster.members.map(\.node).filter { $0 != node }
        } onReturn: {
            mail.returned($0)
        }
    }

    /// Until the task is cancelled.
    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            while true {
                for peer in due() { group.addTask { await self.ask(peer) } }
                try await Task.sleep(for: Self.lookEvery)
            }
        }
    }

    /// Whether the peer has answered lately.
    func isReached(_ peer: NodeID) -> Bool {
        contacts.withLock { Self.isReached($0[peer], at: ContinuousClock().now) }
    }

    /// Why the peer counts as away; nil where it doesn't.
    func absence(of peer: NodeID) -> String? {
        let now = ContinuousClock().now
        let contact = contacts.withLock { $0[peer] }
        if Self.isReached(contact, at: now) {
            guard let hello = contact?.hello, hello.common(with: own.spoken) == nil else {
                return nil
            }
            return "speaks protocol \(Self.text(hello.spoken)), this node \(Self.text(own.spoken))"
        }
        if contact?.isRefused == true { return "nobody listens there" }
        guard let answered = contact?.answeredAt else { return "has not answered yet" }
        return "no answer for \((now - answered).components.seconds) s"
    }

    func hello(of peer: NodeID) -> MeshHello? { contacts.withLock { $0[peer]?.hello } }

    private static func isReached(
        _ contact: Contact?, at now: ContinuousClock.Instant
    ) -> Bool {
        guard let contact, !contact.isRefused, let answered = contact.answeredAt else {
            return false
        }
        return now - answered < silenceMax
    }

    private static func text(_ versions: ClosedRange<Int>) -> String {
        versions.count == 1
            ? "\(versions.lowerBound)" : "\(versions.lowerBound) to \(versions.upperBound)"
    }

    private func due() -> [NodeID] {
        let now = ContinuousClock().now
        let members = members()
        return contacts.withLock { contacts in
            contacts = contacts.filter { members.contains($0.key) }
            return members.filter { peer in
                let contact = contacts[peer] ?? Contact()
                guard !contact.isAsked,
                    contact.answeredAt.map({ now - $0 >= Self.restAfterAnswer }) ?? true
                else { return false }
                contacts[peer, default: Contact()].isAsked = true
                return true
            }
        }
    }

    private func ask(_ peer: NodeID) async {
        let answer: Result<MeshHello, MeshClientError>
        do throws(MeshClientError) {
            answer = .success(try await client.hello(of: peer, within: Self.answerWithin))
        } catch { answer = .failure(error) }
        let isBack = contacts.withLock { contacts in
            guard var contact = contacts[peer] else { return false }
            let now = ContinuousClock().now
            let wasReached = Self.isReached(contact, at: now)
            contact.isAsked = false
            switch answer {
            case .success(let hello):
                contact.hello = hello
                contact.answeredAt = now
                contact.isRefused = false
            case .failure(.connectionRefused): contact.isRefused = true
            case .failure: break
            }
            contacts[peer] = contact
            return !wasReached && Self.isReached(contact, at: now)
        }
        if isBack { onReturn(peer) }
    }
}
