/// Why bytes are not a statement of ours. Offsets count from the first byte given.
package enum CBORError: Error, Hashable, Sendable {
    case truncated(at: Int)
    case trailingBytes(at: Int)
    case notShortest(at: Int)
    case indefiniteLength(at: Int)
    case keysOutOfOrder(at: Int)
    case keyNotInteger(at: Int)
    case invalidText(at: Int)
    /// A float, a tag, an undefined or another simple value.
    case unsupported(initialByte: UInt8, at: Int)
    case tooDeep(at: Int)
    case tooLarge(at: Int)
}

extension CBOR {
    /// Decodes exactly one value. Anything but the deterministic encoding is refused, so that two
    /// different byte strings never mean the same statement.
    package static func decode(
        _ bytes: [UInt8], bytesMax: Int = Limits.statementBytesMax
    ) throws(CBORError) -> CBOR {
        guard bytes.count <= bytesMax else { throw .tooLarge(at: bytesMax) }
        var decoder = CBORDecoder(bytes)
        let value = try decoder.value(depth: 0)
        guard decoder.offset == bytes.count else { throw .trailingBytes(at: decoder.offset) }
        return value
    }
}

struct CBORDecoder {
    private let bytes: [UInt8]
    private(set) var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func value(depth: Int) throws(CBORError) -> CBOR {
        let start = offset
        guard depth < Limits.cborDepthMax else { throw .tooDeep(at: start) }
        let initial = try byte()
        switch initial {
        case 0xf4: return .bool(false)
        case 0xf5: return .bool(true)
        case 0xf6: return .null
        default: break
        }
        let major = initial >> 5
        guard major < 6 else { throw .unsupported(initialByte: initial, at: start) }
        let argument = try argument(initial, at: start)
        switch major {
        case 0: return .unsigned(argument)
        case 1: return .negative(argument)
        case 2: return .bytes(Array(try string(argument, at: start)))
        case 3: return .text(try text(argument, at: start))
        case 4: return try array(argument, depth: depth, at: start)
        default: return try map(argument, depth: depth, at: start)
        }
    }

    private mutating func byte() throws(CBORError) -> UInt8 {
        guard offset < bytes.count else { throw .truncated(at: offset) }
        defer { offset += 1 }
        return bytes[offset]
    }

    mutating func argument(_ initial: UInt8, at start: Int) throws(CBORError) -> UInt64 {
        let information = initial & 31
        let width: Int
        let least: UInt64
        switch information {
        case 0..<24: return UInt64(information)
        case 24: (width, least) = (1, 24)
        case 25: (width, least) = (2, 0x100)
        case 26: (width, least) = (4, 0x1_0000)
        case 27: (width, least) = (8, 0x1_0000_0000)
        case 31: throw .indefiniteLength(at: start)
        default: throw .unsupported(initialByte: initial, at: start)
        }
        var argument: UInt64 = 0
        for _ in 0..<width { argument = argument << 8 | UInt64(try byte()) }
        guard argument >= least else { throw .notShortest(at: start) }
        return argument
    }

    private mutating func string(
        _ count: UInt64, at start: Int
    ) throws(CBORError) -> ArraySlice<UInt8> {
        guard count <= UInt64(bytes.count - offset) else { throw .truncated(at: start) }
        defer { offset += Int(count) }
        return bytes[offset..<offset + Int(count)]
    }

    private mutating func text(_ count: UInt64, at start: Int) throws(CBORError) -> String {
        guard let text = String(validating: try string(count, at: start), as: UTF8.self) else {
            throw .invalidText(at: start)
        }
        return text
    }

    private mutating func array(
        _ count: UInt64, depth: Int, at start: Int
    ) throws(CBORError) -> CBOR {
        let count = try elementCount(count, bytesEach: 1, at: start)
        var elements: [CBOR] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try value(depth: depth + 1)) }
        return .array(elements)
    }

    private mutating func map(
        _ count: UInt64, depth: Int, at start: Int
    ) throws(CBORError) -> CBOR {
        let count = try elementCount(count, bytesEach: 2, at: start)
        var entries: [CBORMap.Entry] = []
        entries.reserveCapacity(count)
        for _ in 0..<count {
            let keyStart = offset
            let key = try key()
            if let last = entries.last, !CBORMap.precedes(last.key, key) {
                throw .keysOutOfOrder(at: keyStart)
            }
            entries.append(.init(key: key, value: try value(depth: depth + 1)))
        }
        return .map(CBORMap(inOrder: entries))
    }

    private mutating func key() throws(CBORError) -> Int64 {
        let start = offset
        let initial = try byte()
        guard initial >> 5 < 2 else { throw .keyNotInteger(at: start) }
        guard let magnitude = Int64(exactly: try argument(initial, at: start)) else {
            throw .tooLarge(at: start)
        }
        return initial >> 5 == 0 ? magnitude : -1 - magnitude
    }

    /// A count of elements that the bytes left could hold, before anything is allocated for them.
    private func elementCount(
        _ count: UInt64, bytesEach: Int, at start: Int
    ) throws(CBORError) -> Int {
        guard count <= UInt64(Limits.cborElementsMax) else { throw .tooLarge(at: start) }
        guard Int(count) * bytesEach <= bytes.count - offset else { throw .truncated(at: start) }
        return Int(count)
    }
}
