/// The part of CBOR (RFC 8949) that signed statements use: integers, byte and text strings,
/// arrays, maps with integer keys, booleans and null. No floats, no indefinite lengths, no tags.
/// Encoded deterministically (§4.2.1), decoded only from that encoding.
package indirect enum CBOR: Hashable, Sendable {
    case unsigned(UInt64)
    /// The integer −1 − n.
    case negative(UInt64)
    case bytes([UInt8])
    case text(String)
    case array([CBOR])
    case map(CBORMap)
    case bool(Bool)
    case null

    package static func integer(_ value: Int64) -> CBOR {
        value >= 0 ? .unsigned(UInt64(value)) : .negative(UInt64(-1 - value))
    }

    package static func digest(_ digest: Digest) -> CBOR { .bytes(digest.bytes) }
    package static func node(_ node: NodeID) -> CBOR { .bytes(node.bytes) }

    /// A map from pairs in any order.
    package static func fields(_ fields: KeyValuePairs<Int64, CBOR>) -> CBOR {
        .map(CBORMap(fields.map { ($0.key, $0.value) }))
    }
}

/// A map from integers to values, kept in the order of its deterministic encoding.
package struct CBORMap: Hashable, Sendable {
    package private(set) var entries: [Entry]

    package struct Entry: Hashable, Sendable {
        package let key: Int64
        package let value: CBOR
    }

    /// Our own code makes these: two equal keys are a bug.
    package init(_ pairs: [(Int64, CBOR)]) {
        entries = pairs.map { Entry(key: $0.0, value: $0.1) }
            .sorted { Self.precedes($0.key, $1.key) }
        for index in entries.indices.dropFirst() {
            precondition(entries[index - 1].key != entries[index].key, "a key occurs twice")
        }
    }

    /// Entries that the decoder has found to be in order and distinct.
    init(inOrder entries: [Entry]) { self.entries = entries }

    package subscript(key: Int64) -> CBOR? { entries.first { $0.key == key }?.value }

    /// Bytewise order of the encoded keys (RFC 8949 §4.2.1): unsigned before negative, each by
    /// magnitude.
    static func precedes(_ left: Int64, _ right: Int64) -> Bool {
        if (left < 0) != (right < 0) { return right < 0 }
        return left < 0 ? left > right : left < right
    }
}

extension CBOR: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral
{
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(stringLiteral value: String) { self = .text(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: CBOR...) { self = .array(elements) }
}
