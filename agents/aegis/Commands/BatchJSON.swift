import Glibc

/// JSON (RFC 8259) with lists of numbers read straight into doubles: a batch is mostly those, and
/// a general decoder takes a hundred times as long.
package struct BatchJSON {
    package indirect enum Value: Equatable {
        case null
        case bool(Bool)
        case number(Double)
        case text(String)
        /// A list of numbers only, the words NaN, Infinity and -Infinity among them.
        case numbers([Double])
        case list([Value])
        case object([String: Field])
    }

    package struct Field: Equatable {
        package let value: Value
        /// As it was written.
        package let text: String
    }

    private static let depthMax = 16
    private let bytes: [UInt8]
    private var offset = 0

    package init(_ text: some Collection<UInt8>) {
        // A byte that ends any number, so that strtod stops inside.
        bytes = Array(text) + [0]
    }

    /// The one value that the text is, or nil.
    package mutating func document() -> Field? {
        guard let field = field(depth: 0) else { return nil }
        skipSpace()
        return offset == bytes.count - 1 ? field : nil
    }

    private mutating func field(depth: Int) -> Field? {
        skipSpace()
        let start = offset
        guard let value = value(depth: depth) else { return nil }
        return Field(value: value, text: String(decoding: bytes[start..<offset], as: UTF8.self))
    }

    private mutating func value(depth: Int) -> Value? {
        guard depth < Self.depthMax else { return nil }
        switch bytes[offset] {
        case UInt8(ascii: "{"): return object(depth: depth)
        case UInt8(ascii: "["): return list(depth: depth)
        case UInt8(ascii: "\""): return string().map { .text($0) }
        case UInt8(ascii: "t"): return word("true", .bool(true))
        case UInt8(ascii: "f"): return word("false", .bool(false))
        case UInt8(ascii: "n"): return word("null", .null)
        default: return number().map { .number($0) }
        }
    }

    private mutating func object(depth: Int) -> Value? {
        offset += 1
        var fields: [String: Field] = [:]
        if accept(UInt8(ascii: "}")) { return .object(fields) }
        repeat {
            skipSpace()
            guard bytes[offset] == UInt8(ascii: "\""), let name = string(),
                accept(UInt8(ascii: ":")), let field = field(depth: depth + 1),
                fields.updateValue(field, forKey: name) == nil
            else { return nil }
        } while accept(UInt8(ascii: ","))
        return accept(UInt8(ascii: "}")) ? .object(fields) : nil
    }

    private mutating func list(depth: Int) -> Value? {
        offset += 1
        if accept(UInt8(ascii: "]")) { return .numbers([]) }
        var numbers: [Double] = []
        var values: [Value] = []
        repeat {
            skipSpace()
            guard let value = value(depth: depth + 1) else { return nil }
            if values.isEmpty, let number = value.number {
                numbers.append(number)
            } else {
                if values.isEmpty { values = numbers.map { .number($0) } }
                values.append(value)
            }
        } while accept(UInt8(ascii: ","))
        guard accept(UInt8(ascii: "]")) else { return nil }
        return values.isEmpty ? .numbers(numbers) : .list(values)
    }

    private mutating func word(_ text: StaticString, _ value: Value) -> Value? {
        let end = offset + text.utf8CodeUnitCount
        guard end < bytes.count,
            bytes[offset..<end].elementsEqual("\(text)".utf8)
        else { return nil }
        offset = end
        return value
    }

    /// The grammar is checked here, the value is the C library's: rounded correctly.
    private mutating func number() -> Double? {
        let start = offset
        if bytes[offset] == UInt8(ascii: "-") { offset += 1 }
        let whole = offset
        guard skipDigits() else { return nil }
        guard bytes[whole] != UInt8(ascii: "0") || offset == whole + 1 else { return nil }
        if bytes[offset] == UInt8(ascii: ".") {
            offset += 1
            guard skipDigits() else { return nil }
        }
        if bytes[offset] | 0x20 == UInt8(ascii: "e") {
            offset += 1
            if bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-") {
                offset += 1
            }
            guard skipDigits() else { return nil }
        }
        return bytes.withUnsafeBytes { bytes in
            guard let address = bytes.baseAddress else { return nil }
            return strtod(
                (address + start).assumingMemoryBound(to: CChar.self), nil)
        }
    }

    private mutating func skipDigits() -> Bool {
        let start = offset
        while (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[offset]) { offset += 1 }
        return offset > start
    }

    private mutating func string() -> String? {
        offset += 1
        var text: [UInt8] = []
        while true {
            let byte = bytes[offset]
            switch byte {
            case UInt8(ascii: "\""):
                offset += 1
                return String(validating: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                offset += 1
                guard let scalar = escaped() else { return nil }
                text += Array(String(scalar).utf8)
            case 0..<0x20: return nil
            default:
                text.append(byte)
                offset += 1
            }
        }
    }

    private mutating func escaped() -> UnicodeScalar? {
        let byte = bytes[offset]
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return UnicodeScalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            guard let high = hexadecimal() else { return nil }
            guard (0xd800..<0xdc00).contains(high) else { return UnicodeScalar(high) }
            guard bytes[offset] == UInt8(ascii: "\\"), bytes[offset + 1] == UInt8(ascii: "u")
            else { return nil }
            offset += 2
            guard let low = hexadecimal(), (0xdc00..<0xe000).contains(low) else { return nil }
            return UnicodeScalar(0x10000 + (high - 0xd800) << 10 + (low - 0xdc00))
        default: return nil
        }
    }

    private mutating func hexadecimal() -> UInt32? {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(UnicodeScalar(bytes[offset])).hexDigitValue else {
                return nil
            }
            value = value << 4 | UInt32(digit)
            offset += 1
        }
        return value
    }

    private mutating func accept(_ byte: UInt8) -> Bool {
        skipSpace()
        guard bytes[offset] == byte else { return false }
        offset += 1
        return true
    }

    private mutating func skipSpace() {
        while [0x20, 0x09, 0x0a, 0x0d].contains(bytes[offset]) { offset += 1 }
    }
}

extension BatchJSON.Value {
    package var object: [String: BatchJSON.Field]? {
        if case .object(let fields) = self { fields } else { nil }
    }
    package var text: String? {
        if case .text(let text) = self { text } else { nil }
    }
    package var numbers: [Double]? {
        if case .numbers(let numbers) = self { numbers } else { nil }
    }
    package var list: [BatchJSON.Value]? {
        switch self {
        case .list(let values): values
        case .numbers(let numbers): numbers.map { .number($0) }
        default: nil
        }
    }
    /// A number, or the word for one that JSON cannot write.
    package var number: Double? {
        switch self {
        case .number(let number): number
        case .text("NaN"): .nan
        case .text("Infinity"): .infinity
        case .text("-Infinity"): -.infinity
        default: nil
        }
    }
}
