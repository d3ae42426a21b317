import AegisCore
import AegisIdentity
import AegisStore
import Logging

/// Keeps the newest TLS binding of each peer in the database, so that a node which has just started
/// refuses a leaf that was replaced while it was away or before it stopped.
struct BindingStore: Sendable {
    private static let keyPrefix = "tls-binding/"
    private static let pendingMax = 512

    let memory: BindingMemory
    private let database: NodeDatabase
    private let learned: AsyncStream<(NodeID, KnownBinding)>

    init(of nodes: [NodeID], in database: NodeDatabase) throws {
        var known: [NodeID: KnownBinding] = [:]
        for node in nodes {
            guard let bytes = try database.value(forKey: Self.keyPrefix + node.text) else {
                continue
            }
            known[node] = try KnownBinding(decoding: bytes)
        }
        let (learned, continuation) = AsyncStream.makeStream(
            of: (NodeID, KnownBinding).self, bufferingPolicy: .bufferingNewest(Self.pendingMax))
        memory = BindingMemory(known) { continuation.yield(($0, $1)) }
        self.database = database
        self.learned = learned
    }

    /// Writes down what is learned until the task is cancelled. Failing to is no reason to stop:
    /// the memory of this process still holds it.
    func run(logger: Logger) async {
        for await (node, binding) in learned {
            do {
                try database.setValue(binding.encoded, forKey: Self.keyPrefix + node.text)
            } catch {
                logger.warning(
                    "a peer's TLS binding was not kept",
                    metadata: ["peer": "\(node.short)", "reason": "\(error)"])
            }
        }
    }
}
