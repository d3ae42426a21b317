import AegisCore
import AegisProtocol
import AegisTransport

/// A queue for each other participant, and the task that empties it.
final class PeerMail: Sendable {
    private let queues: [NodeID: OutboundQueue]

    init(to peers: [NodeID], through client: MeshClient, inbox: Inbox) {
        var queues: [NodeID: OutboundQueue] = [:]
        for peer in peers {
            queues[peer] = OutboundQueue(to: peer, through: client) { reachability in
                switch reachability {
                case .reachable: inbox.add(.peerReachable(peer))
                case .dead: inbox.add(.peerUnreachable(peer))
                case .unreachable: break
                }
            }
        }
        self.queues = queues
    }

    func send(_ statements: [Statement], to recipients: [NodeID]) {
        let encoded = statements.map(\.encoded)
        for recipient in recipients {
            for statement in encoded { queues[recipient]?.enqueue(statement) }
        }
    }

    /// Something came from this peer: it is there, so what waits for it is tried at once.
    func heard(from peer: NodeID) {
        guard let queue = queues[peer], queue.reachability != .reachable else { return }
        queue.wake()
    }

    /// The peers whose last delivery failed.
    var unreachable: [NodeID] {
        queues.values.filter {
            switch $0.reachability {
            case .dead, .unreachable: true
            case .reachable, nil: false
            }
        }.map(\.node).sorted()
    }

    /// Delivers until the task is cancelled, also where there is nobody to deliver to.
    func run() async throws {
        await withDiscardingTaskGroup { group in
            for queue in queues.values { group.addTask { await queue.run() } }
        }
        while true { try await Task.sleep(for: .seconds(3_600)) }
    }
}
