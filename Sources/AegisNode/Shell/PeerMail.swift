import AegisCore
import AegisProtocol
import AegisTransport
import Synchronization

/// A queue for each other member, and the task that empties it.
final class PeerMail: Sendable {
    private struct State {
        var queues: [NodeID: OutboundQueue] = [:]
        /// Of each queue, once `run` has begun.
        var tasks: [NodeID: Task<Void, Never>] = [:]
        var isRunning = false

        mutating func start(_ node: NodeID) {
            guard isRunning, tasks[node] == nil, let queue = queues[node] else { return }
            tasks[node] = Task { await queue.run() }
        }
    }

    private let state = Mutex(State())
    private let client: MeshClient
    private let inbox: Inbox

    init(to peers: [NodeID], through client: MeshClient, inbox: Inbox) {
        self.client = client
        self.inbox = inbox
        setPeers(peers)
    }

    /// These peers and no others.
    func setPeers(_ peers: [NodeID]) {
        state.withLock { state in
            for (node, _) in state.queues where !peers.contains(node) {
                state.queues[node] = nil
                state.tasks.removeValue(forKey: node)?.cancel()
            }
            for peer in peers where state.queues[peer] == nil {
                state.queues[peer] = queue(to: peer)
                state.start(peer)
            }
        }
    }

    private func queue(to peer: NodeID) -> OutboundQueue {
        let inbox = inbox
        return OutboundQueue(to: peer, through: client) { reachability in
            switch reachability {
            case .reachable: inbox.add(.peerReachable(peer))
            case .dead: inbox.add(.peerUnreachable(peer))
            case .silent, .unreachable: inbox.add(.peerSilent(peer))
            }
        }
    }

    private var queues: [NodeID: OutboundQueue] { state.withLock { $0.queues } }

    func send(_ statements: [Statement], to recipients: [NodeID]) {
        let encoded = statements.map(\.encoded)
        let queues = queues
        for recipient in recipients {
            for statement in encoded { queues[recipient]?.enqueue(statement) }
        }
    }

    /// Something came from this peer: it is there, so what waits for it is tried at once.
    func heard(from peer: NodeID) {
        guard let queue = queues[peer], queue.reachability != .reachable else { return }
        queue.wake()
    }

    /// The peer answers again: what is still under way on a connection of before is given up.
    func returned(_ peer: NodeID) { queues[peer]?.startAgain() }

    /// Delivers until the task is cancelled, also where there is nobody to deliver to.
    func run() async throws {
        state.withLock { state in
            state.isRunning = true
            for node in state.queues.keys { state.start(node) }
        }
        defer {
            state.withLock { state in
                state.isRunning = false
                for task in state.tasks.values { task.cancel() }
                state.tasks = [:]
            }
        }
        while true { try await Task.sleep(for: .seconds(3_600)) }
    }
}
