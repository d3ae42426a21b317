/// A declaration as it was written, in YAML or JSON: the tree before anything is known about it.
package indirect enum DeclarationValue: Hashable, Sendable {
    case null
    case flag(Bool)
    case number(Double)
    case text(String)
    case list([DeclarationValue])
    /// In the order of the file.
    case map([Field])

    package struct Field: Hashable, Sendable {
        package let name: String
        package let value: DeclarationValue

        package init(_ name: String, _ value: DeclarationValue) {
            self.name = name
            self.value = value
        }
    }

    /// What a person calls this kind of value.
    var kind: String {
        switch self {
        case .null: "nothing"
        case .flag: "true or false"
        case .number: "a number"
        case .text: "a word"
        case .list: "a list"
        case .map: "a set of fields"
        }
    }

    /// As one line of JSON (RFC 8259), the form a model's file carries.
    package var json: String {
        switch self {
        case .null: "null"
        case .flag(let flag): flag ? "true" : "false"
        case .number(let number): Self.json(number)
        case .text(let text): JSONText.quoted(text)
        case .list(let values): "[" + values.map(\.json).joined(separator: ",") + "]"
        case .map(let fields):
            "{"
                + fields.map { "\(JSONText.quoted($0.name)):\($0.value.json)" }
                .joined(separator: ",") + "}"
        }
    }

    private static func json(_ number: Double) -> String {
        if let integer = Int64(exactly: number), abs(integer) < 1 << 53 { return "\(integer)" }
        // Swift's spelling of a finite number is JSON's too, and reads back to the same bits.
        return number.isFinite ? "\(number)" : "null"
    }

    /// Reads one JSON value.
    package init(json: String) throws(SafetensorsError) {
        var text = JSONText(Array(json.utf8))
        self = try text.value(depth: 0)
        try text.end()
    }
}

extension JSONText {
    private static let depthMax = 32
    private static let elementsMax = 1 << 16

    mutating func value(depth: Int) throws(SafetensorsError) -> DeclarationValue {
        guard depth < Self.depthMax else { throw malformed }
        skipSpace()
        guard offset < bytes.count else { throw malformed }
        switch bytes[offset] {
        case UInt8(ascii: "{"): return try map(depth: depth)
        case UInt8(ascii: "["): return try list(depth: depth)
        case UInt8(ascii: "\""): return .text(try string())
        case UInt8(ascii: "t"): return try word("true", .flag(true))
        case UInt8(ascii: "f"): return try word("false", .flag(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return .number(try decimal())
        }
    }

    private mutating func list(depth: Int) throws(SafetensorsError) -> DeclarationValue {
        var values: [DeclarationValue] = []
        try expect("[")
        if accept("]") { return .list([]) }
        repeat {
            guard values.count < Self.elementsMax else { throw malformed }
            values.append(try value(depth: depth + 1))
        } while accept(",")
        try expect("]")
        return .list(values)
    }

    private mutating func map(depth: Int) throws(SafetensorsError) -> DeclarationValue {
        var fields: [DeclarationValue.Field] = []
        var names: Set<String> = []
        try expect("{")
        if accept("}") { return .map([]) }
        repeat {
            let name = try string()
            guard names.insert(name).inserted else { throw .duplicateName(name) }
            try expect(":")
            fields.append(.init(name, try value(depth: depth + 1)))
        } while accept(",")
        try expect("}")
        return .map(fields)
    }

    private mutating func word(
        _ word: String, _ value: DeclarationValue
    ) throws(SafetensorsError) -> DeclarationValue {
        guard bytes[offset...].starts(with: word.utf8) else { throw malformed }
        offset += word.utf8.count
        return value
    }

    private mutating func decimal() throws(SafetensorsError) -> Double {
        let start = offset
        while offset < bytes.count, "+-.eE0123456789".utf8.contains(bytes[offset]) { offset += 1 }
        guard offset > start, let number = DecimalText.parse(bytes[start..<offset]),
            number.isFinite
        else { throw malformed }
        return number
    }
}
