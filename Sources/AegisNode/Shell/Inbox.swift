import AegisCore
package import AegisProtocol
import Synchronization

/// The one queue in front of the protocol core. What this node itself produces is always taken;
/// what peers send is taken while there is room, and refused (so they retry) when there is not.
package final class Inbox: Sendable {
    /// Statements of peers that may wait. At 250 bytes to 300 KB each, a bound on memory and on
    /// the time until a vote is looked at.
    static let peerInputsMax = 4_096
    /// Of one peer, so that whoever floods fills its own share only. What an honest one sends at a
    /// height is a dozen statements.
    static let inputsOfOnePeerMax = 512

    package let inputs: AsyncStream<Input>
    private let continuation: AsyncStream<Input>.Continuation
    private let waiting = Mutex(Waiting())

    private struct Waiting {
        var all = 0
        var byPeer: [NodeID: Int] = [:]
    }

    package init() {
        (inputs, continuation) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
    }

    func add(_ input: Input) {
        waiting.withLock { waiting in
            waiting.all += 1
            if case .received(_, let peer) = input { waiting.byPeer[peer, default: 0] += 1 }
        }
        continuation.yield(input)
    }

    /// False where the queue has no room for `count` more inputs of this peer.
    func hasRoom(for count: Int, from peer: NodeID) -> Bool {
        waiting.withLock { waiting in
            waiting.all + count <= Self.peerInputsMax
                && waiting.byPeer[peer, default: 0] + count <= Self.inputsOfOnePeerMax
        }
    }

    /// The loop has taken this one.
    func taken(_ input: Input) {
        waiting.withLock { waiting in
            waiting.all -= 1
            guard case .received(_, let peer) = input, let count = waiting.byPeer[peer] else {
                return
            }
            waiting.byPeer[peer] = count > 1 ? count - 1 : nil
        }
    }

    func finish() { continuation.finish() }
}
