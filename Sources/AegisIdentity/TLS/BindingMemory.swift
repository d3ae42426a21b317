package import AegisCore
package import AegisProtocol
import Synchronization

/// The newest TLS key that a node has shown.
package struct KnownBinding: Hashable, Sendable {
    package let sequence: UInt64
    package let tlsKey: Digest

    package init(sequence: UInt64, tlsKey: Digest) {
        self.sequence = sequence
        self.tlsKey = tlsKey
    }

    package var encoded: [UInt8] {
        CBOR.fields([1: .unsigned(sequence), 2: .bytes(tlsKey.bytes)]).encoded
    }

    package init(decoding bytes: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: bytes)
        let sequence = try fields.unsigned(1)
        guard let tlsKey = Digest(try fields.bytes(2)) else { throw .outOfRange(field: 2) }
        try fields.finish()
        self.init(sequence: sequence, tlsKey: tlsKey)
    }
}

/// The newest binding of each node, one memory for a node's listener and its client: a binding once
/// replaced is dead, whichever of the two has met its successor (PROTOCOL.md §4.3).
package final class BindingMemory: Sendable {
    private let newest: Mutex<[NodeID: KnownBinding]>
    private let learned: @Sendable (NodeID, KnownBinding) -> Void

    /// `learned` is told each binding that is newer than all before, to be kept across restarts. It
    /// must not block.
    package init(
        _ known: [NodeID: KnownBinding] = [:],
        learned: @escaping @Sendable (NodeID, KnownBinding) -> Void = { _, _ in }
    ) {
        newest = Mutex(known)
        self.learned = learned
    }

    package func admit(_ binding: TLSBinding) throws(PeerRefusal) {
        let shown = KnownBinding(sequence: binding.sequence, tlsKey: binding.tlsKey)
        let seen = newest.withLock { newest in
            let seen = newest[binding.node]
            if shown.sequence > seen?.sequence ?? 0 || seen == nil {
                newest[binding.node] = shown
            }
            return seen
        }
        guard let seen else { return learned(binding.node, shown) }
        guard shown.sequence >= seen.sequence else {
            throw .staleBinding(binding.node, sequence: shown.sequence, seen: seen.sequence)
        }
        guard shown != seen else { return }
        guard shown.sequence > seen.sequence else {
            throw .conflictingBinding(binding.node, sequence: shown.sequence)
        }
        learned(binding.node, shown)
    }

    package func forget(_ nodes: some Sequence<NodeID>) {
        newest.withLock { newest in
            for node in nodes { newest[node] = nil }
        }
    }
}
