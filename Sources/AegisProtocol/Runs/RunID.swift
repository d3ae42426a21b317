package import AegisCore

/// Names a run: 16 random bytes, spelled in hexadecimal. People use the run's name.
package struct RunID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let bytes: [UInt8]

    /// Nil unless there are exactly 16 bytes.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        self.bytes = Array(bytes)
    }

    /// Reads 32 hexadecimal digits.
    package init?(text: some StringProtocol) {
        guard let bytes = Hexadecimal.decode(text) else { return nil }
        self.init(bytes)
    }

    package var description: String { Hexadecimal.encode(bytes) }

    package static func < (left: RunID, right: RunID) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }
}
