/// A SHA-256 digest. Names a blob or a statement; spelled `sha256:<64 hexadecimal digits>`, the
/// digits that `sha256sum` prints.
package struct Digest: Hashable, Comparable, Sendable, CustomStringConvertible {
    private let storage: Bytes32

    /// Nil unless there are exactly 32 bytes.
    package init?(_ bytes: some Collection<UInt8>) {
        guard let storage = Bytes32(bytes) else { return nil }
        self.storage = storage
    }

    /// Reads `sha256:<hex>`.
    package init?(text: some StringProtocol) {
        guard text.hasPrefix(Self.prefix),
            let bytes = Hexadecimal.decode(text.dropFirst(Self.prefix.count))
        else { return nil }
        self.init(bytes)
    }

    private init() { storage = Bytes32() }

    /// 32 zero bytes: "there is none", as before the first commit.
    package static let zero = Digest()

    package var bytes: [UInt8] { storage.bytes }
    package var hexadecimal: String { Hexadecimal.encode(bytes) }
    package var description: String { Self.prefix + hexadecimal }
    /// The first eight digits, for people.
    package var short: String { String(hexadecimal.prefix(8)) }

    package static func < (left: Digest, right: Digest) -> Bool { left.storage < right.storage }

    private static let prefix = "sha256:"
}
