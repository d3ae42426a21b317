/// Why bytes are not the NumPy array they should be.
package enum NPYError: Error, Hashable, Sendable {
    case notNPY
    case unsupportedVersion(UInt8)
    case malformedHeader
    /// Numbers of 8 to 64 bits, signed, unsigned or floating, little-endian; no objects: a pickled
    /// object runs code when it is read.
    case unsupportedType(String)
    /// Column-major arrays of more than one dimension are not read.
    case columnMajor
    case tooLarge
    case truncated(expected: Int, actual: Int)
    case trailingBytes
}

/// Reads NumPy's `.npy` format, versions 1 to 3 (NEP 1), from a stream of bytes.
///
/// `pull` returns at most the bytes it is asked for, and none at the end.
package struct NPYParser {
    package enum Element: String, CaseIterable, Sendable {
        case int8 = "|i1", uint8 = "|u1", bool = "|b1"
        case int16 = "<i2", uint16 = "<u2", float16 = "<f2"
        case int32 = "<i4", uint32 = "<u4", float32 = "<f4"
        case int64 = "<i8", uint64 = "<u8", float64 = "<f8"

        var bytes: Int {
            switch self {
            case .int8, .uint8, .bool: 1
            case .int16, .uint16, .float16: 2
            case .int32, .uint32, .float32: 4
            case .int64, .uint64, .float64: 8
            }
        }
    }

    package let shape: [Int]
    package let element: Element
    package static let valuesMax = 1 << 40
    private static let headerBytesMax = 1 << 16
    private static let chunkBytes = 1 << 16

    package var count: Int { shape.reduce(1, *) }

    /// Reads the header.
    package init(pull: (Int) throws -> [UInt8]) throws {
        let start = try Self.take(10, pull)
        guard start.count == 10, start.starts(with: [0x93] + Array("NUMPY".utf8)) else {
            throw NPYError.notNPY
        }
        guard (1...3).contains(start[6]) else { throw NPYError.unsupportedVersion(start[6]) }
        var length = Int(start[8]) | Int(start[9]) << 8
        if start[6] > 1 {
            let more = try Self.take(2, pull)
            guard more.count == 2 else { throw NPYError.malformedHeader }
            length |= Int(more[0]) << 16 | Int(more[1]) << 24
        }
        guard length <= Self.headerBytesMax else { throw NPYError.malformedHeader }
        let header = try Self.take(length, pull)
        guard header.count == length else { throw NPYError.malformedHeader }
        var literal = PythonLiteral(header)
        let (type, columnMajor, shape) = try literal.header()
        guard let element = Element(rawValue: type) else { throw NPYError.unsupportedType(type) }
        guard !columnMajor || shape.count < 2 else { throw NPYError.columnMajor }
        var count = 1
        for extent in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: extent)
            guard !overflow, product <= Self.valuesMax else { throw NPYError.tooLarge }
            count = product
        }
        self.shape = shape
        self.element = element
    }

    /// Hands out every value in order, and makes sure that the array ends where it says.
    package func values(
        pull: (Int) throws -> [UInt8], body: (Double) throws -> Void
    ) throws {
        let size = element.bytes
        var left = count * size
        let total = left
        while left > 0 {
            let wanted = min(left, Self.chunkBytes)
            let chunk = try Self.take(wanted, pull)
            guard chunk.count == wanted else {
                throw NPYError.truncated(expected: total, actual: total - left + chunk.count)
            }
            try chunk.withUnsafeBytes { bytes in
                for offset in stride(from: 0, to: wanted, by: size) {
                    try body(value(bytes, offset))
                }
            }
            left -= wanted
        }
        guard try pull(1).isEmpty else { throw NPYError.trailingBytes }
    }

    @inline(__always)
    private func value(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Double {
        func load<T: BitwiseCopyable>(_ type: T.Type) -> T {
            bytes.loadUnaligned(fromByteOffset: offset, as: type)
        }
        return switch element {
        case .int8: Double(load(Int8.self))
        case .uint8: Double(load(UInt8.self))
        case .bool: load(UInt8.self) == 0 ? 0 : 1
        case .int16: Double(load(Int16.self))
        case .uint16: Double(load(UInt16.self))
        case .float16: Self.half(load(UInt16.self))
        case .int32: Double(load(Int32.self))
        case .uint32: Double(load(UInt32.self))
        case .float32: Double(load(Float.self))
        case .int64: Double(load(Int64.self))
        case .uint64: Double(load(UInt64.self))
        case .float64: load(Double.self)
        }
    }

    /// binary16 (IEEE 754 §3.6), which not every machine Swift runs on has as a type.
    private static func half(_ bits: UInt16) -> Double {
        let exponent = Int(bits >> 10 & 0x1f)
        let fraction = Double(bits & 0x3ff)
        let magnitude: Double =
            switch exponent {
            case 0: fraction * 0x1p-24
            case 31: fraction == 0 ? .infinity : .nan
            default:
                Double(sign: .plus, exponent: exponent - 25, significand: 1024 + fraction)
            }
        return bits & 0x8000 == 0 ? magnitude : -magnitude
    }

    private static func take(_ count: Int, _ pull: (Int) throws -> [UInt8]) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let part = try pull(count - bytes.count)
            if part.isEmpty { break }
            bytes += part
        }
        return bytes
    }
}

/// As much of Python's literals as the header has: `{'descr': '<f4', 'fortran_order': False,
/// 'shape': (3, 4), }`.
private struct PythonLiteral {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func header() throws(NPYError) -> (type: String, columnMajor: Bool, shape: [Int]) {
        var (type, shape): (String?, [Int]?) = (nil, nil)
        var columnMajor: Bool?
        try expect("{")
        while !accept("}") {
            let key = try string(else: .malformedHeader)
            try expect(":")
            switch key {
            // A list here is a record type.
            case "descr": type = try string(else: .unsupportedType("record"))
            case "fortran_order": columnMajor = try flag()
            case "shape": shape = try tuple()
            default: throw .malformedHeader
            }
            if !accept(",") {
                try expect("}")
                break
            }
        }
        guard let type, let columnMajor, let shape else { throw .malformedHeader }
        return (type, columnMajor, shape)
    }

    private mutating func string(else error: NPYError) throws(NPYError) -> String {
        skipSpace()
        guard offset < bytes.count, "'\"".utf8.contains(bytes[offset]) else { throw error }
        let quote = bytes[offset]
        guard let end = bytes[(offset + 1)...].firstIndex(of: quote) else {
            throw .malformedHeader
        }
        defer { offset = end + 1 }
        return String(decoding: bytes[offset + 1..<end], as: UTF8.self)
    }

    private mutating func flag() throws(NPYError) -> Bool {
        if accept("True") { return true }
        guard accept("False") else { throw .malformedHeader }
        return false
    }

    private mutating func tuple() throws(NPYError) -> [Int] {
        var extents: [Int] = []
        try expect("(")
        while !accept(")") {
            skipSpace()
            let digits = bytes[offset...].prefix { (0x30...0x39).contains($0) }
            guard (1...15).contains(digits.count), extents.count < 16 else {
                throw .malformedHeader
            }
            extents.append(digits.reduce(0) { $0 * 10 + Int($1 - 0x30) })
            offset += digits.count
            if !accept(",") {
                try expect(")")
                break
            }
        }
        return extents
    }

    private mutating func accept(_ word: String) -> Bool {
        skipSpace()
        guard bytes[offset...].starts(with: word.utf8) else { return false }
        offset += word.utf8.count
        return true
    }

    private mutating func expect(_ word: String) throws(NPYError) {
        guard accept(word) else { throw .malformedHeader }
    }

    private mutating func skipSpace() {
        while offset < bytes.count, [0x20, 0x0a].contains(bytes[offset]) { offset += 1 }
    }
}
