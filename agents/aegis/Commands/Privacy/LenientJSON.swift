import AegisAPI
import Foundation

/// JSON as programs write it: also with NaN and Infinity, which JSON has no words for, so that
/// what is wrong with a case can be said by name.
struct LenientJSON {
    struct Fault: Error, Equatable {
        let offset: Int
        let expected: String
    }

    static let depthMax = 64
    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0

    static func parse(_ bytes: some Sequence<UInt8>) throws(Fault) -> JSONValue {
        var parser = LenientJSON(bytes: Array(bytes))
        let value = try parser.value()
        parser.skipSpace()
        guard parser.position == parser.bytes.count else { throw parser.fault("the end") }
        return value
    }

    /// What `"id"` says in a line that is no JSON, so that its answer can be told apart.
    static func salvagedID(_ bytes: [UInt8]) -> JSONValue? {
        let key = Array("\"id\"".utf8)
        guard bytes.count > key.count,
            let start = (0..<(bytes.count - key.count)).first(where: {
                bytes[$0..<($0 + key.count)].elementsEqual(key)
            })
        else { return nil }
        var parser = LenientJSON(bytes: bytes)
        parser.position = start + key.count
        guard parser.take(UInt8(ascii: ":")), let value = try? parser.value() else { return nil }
        switch value {
        case .text, .integer, .number: return value
        case .null, .bool, .array, .object: return nil
        }
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func fault(_ expected: String) -> Fault { Fault(offset: position, expected: expected) }

    private mutating func skipSpace() {
        while position < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) {
            position += 1
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func value() throws(Fault) -> JSONValue {
        skipSpace()
        guard position < bytes.count else { throw fault("a value") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return try nested { (parser) throws(Fault) in try parser.object() }
        case UInt8(ascii: "["): return try nested { (parser) throws(Fault) in try parser.list() }
        case UInt8(ascii: "\""): return .text(try text())
        default: return try word()
        }
    }

    private mutating func nested(
        _ body: (inout LenientJSON) throws(Fault) -> JSONValue
    ) throws(Fault) -> JSONValue {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMax else { throw fault("fewer brackets") }
        position += 1
        return try body(&self)
    }

    private mutating func object() throws(Fault) -> JSONValue {
        var fields: [String: JSONValue] = [:]
        if take(UInt8(ascii: "}")) { return .object(fields) }
        repeat {
            skipSpace()
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
                throw fault("a key")
            }
            let key = try text()
            guard take(UInt8(ascii: ":")) else { throw fault("a colon") }
            fields[key] = try value()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw fault("a comma or }") }
        return .object(fields)
    }

    private mutating func list() throws(Fault) -> JSONValue {
        var elements: [JSONValue] = []
        if take(UInt8(ascii: "]")) { return .array(elements) }
        repeat { elements.append(try value()) } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw fault("a comma or ]") }
        return .array(elements)
    }

    private mutating func text() throws(Fault) -> String {
        let start = position
        position += 1
        var isPlain = true
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
            if bytes[position] == UInt8(ascii: "\\") {
                isPlain = false
                position += 1
            }
            position += 1
        }
        guard position < bytes.count else { throw fault("a closing quote") }
        position += 1
        let quoted = bytes[start..<position]
        if isPlain { return String(decoding: quoted.dropFirst().dropLast(), as: UTF8.self) }
        guard let text = try? JSONDecoder().decode(String.self, from: Data(quoted)) else {
            throw fault("a string")
        }
        return text
    }

    private mutating func word() throws(Fault) -> JSONValue {
        let start = position
        let ends = Array(",]} \t\r\n".utf8)
        while position < bytes.count, !ends.contains(bytes[position]) { position += 1 }
        let word = String(decoding: bytes[start..<position], as: UTF8.self)
        switch word {
        case "null": return .null
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "NaN", "nan": return .number(.nan)
        case "Infinity", "inf": return .number(.infinity)
        case "-Infinity", "-inf": return .number(-.infinity)
        default: break
        }
        if let integer = Int64(word) { return .integer(integer) }
        let digits = "+-.eE0123456789".utf8
        guard word.utf8.allSatisfy(digits.contains), let number = Double(word) else {
            position = start
            throw fault("a value")
        }
        return .number(number)
    }
}
