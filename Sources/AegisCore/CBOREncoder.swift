extension CBOR {
    /// The one deterministic encoding of this value (RFC 8949 §4.2.1).
    package var encoded: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }

    private func append(to bytes: inout [UInt8]) {
        switch self {
        case .unsigned(let value): Self.appendHead(0, value, to: &bytes)
        case .negative(let value): Self.appendHead(1, value, to: &bytes)
        case .bytes(let value):
            Self.appendHead(2, UInt64(value.count), to: &bytes)
            bytes += value
        case .text(let value):
            Self.appendHead(3, UInt64(value.utf8.count), to: &bytes)
            bytes += value.utf8
        case .array(let elements):
            Self.appendHead(4, UInt64(elements.count), to: &bytes)
            for element in elements { element.append(to: &bytes) }
        case .map(let map):
            Self.appendHead(5, UInt64(map.entries.count), to: &bytes)
            for entry in map.entries {
                CBOR.integer(entry.key).append(to: &bytes)
                entry.value.append(to: &bytes)
            }
        case .bool(let value): bytes.append(value ? 0xf5 : 0xf4)
        case .null: bytes.append(0xf6)
        }
    }

    /// The initial byte and the shortest argument (RFC 8949 §3, §4.2.1).
    static func appendHead(_ major: UInt8, _ argument: UInt64, to bytes: inout [UInt8]) {
        let type = major << 5
        switch argument {
        case 0..<24: bytes.append(type | UInt8(argument))
        case 24...0xff: bytes += [type | 24, UInt8(argument)]
        case 0x100...0xffff: appendArgument(type | 25, argument, width: 2, to: &bytes)
        case 0x1_0000...0xffff_ffff: appendArgument(type | 26, argument, width: 4, to: &bytes)
        default: appendArgument(type | 27, argument, width: 8, to: &bytes)
        }
    }

    private static func appendArgument(
        _ initial: UInt8, _ argument: UInt64, width: Int, to bytes: inout [UInt8]
    ) {
        bytes.append(initial)
        for shift in (0..<width).reversed() {
            bytes.append(UInt8(truncatingIfNeeded: argument >> UInt64(8 * shift)))
        }
    }
}
