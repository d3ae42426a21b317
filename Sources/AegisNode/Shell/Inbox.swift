import AegisProtocol
import Synchronization

/// The one queue in front of the protocol core. What this node itself produces is always taken;
/// what peers send is taken while there is room, and refused (so they retry) when there is not.
final class Inbox: Sendable {
    /// Statements of peers that may wait. At 250 bytes to 300 KB each, a bound on memory and on
    /// the time until a vote is looked at.
    static let peerInputsMax = 4_096

    let inputs: AsyncStream<Input>
    private let continuation: AsyncStream<Input>.Continuation
    private let waiting = Atomic<Int>(0)

    init() {
        (inputs, continuation) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
    }

    func add(_ input: Input) {
        waiting.add(1, ordering: .relaxed)
        continuation.yield(input)
    }

    /// False where the queue has no room for `count` more inputs of a peer.
    func hasRoom(for count: Int) -> Bool {
        waiting.load(ordering: .relaxed) + count <= Self.peerInputsMax
    }

    /// The loop has taken one.
    func taken() { waiting.subtract(1, ordering: .relaxed) }

    func finish() { continuation.finish() }
}
