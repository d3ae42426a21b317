/// Names a node: its Ed25519 public key. 32 bytes inline, no allocation. Spelled in lower-case
/// base32 without padding, 52 characters, so that it fits a DNS label.
package struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
    private let storage: Bytes32

    /// Nil unless there are exactly 32 bytes.
    package init?(_ bytes: some Collection<UInt8>) {
        guard let storage = Bytes32(bytes) else { return nil }
        self.storage = storage
    }

    /// Reads the 52 characters that `text` gives.
    package init?(text: some StringProtocol) {
        guard text.utf8.count == 52, let bytes = Base32.decode(text) else { return nil }
        self.init(bytes)
    }

    package var bytes: [UInt8] { storage.bytes }
    package var text: String { Base32.encode(bytes) }
    package var description: String { text }
    /// The first eight characters, for people.
    package var short: String { String(text.prefix(8)) }
    /// The name a TLS client verifies: `<id>.node.aegis`.
    package var hostName: String { text + ".node.aegis" }

    package static func < (left: NodeID, right: NodeID) -> Bool { left.storage < right.storage }
}
