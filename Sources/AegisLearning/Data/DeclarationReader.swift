/// One thing that is wrong with a declaration, and where: `columns[3].min`.
package struct DeclarationFault: Hashable, Sendable {
    package let field: String
    package let message: String

    package init(field: String, message: String) {
        self.field = field
        self.message = message
    }
}

/// All that is wrong with a declaration, at once.
package struct DeclarationError: Error, Hashable, Sendable {
    package let faults: [DeclarationFault]

    package init(faults: [DeclarationFault]) { self.faults = faults }
}

/// Takes a declaration's fields by name and gathers what is wrong with them; a field nobody asked
/// for is a fault too.
struct DeclarationReader {
    private let path: String
    private let fields: [DeclarationValue.Field]
    private var known: Set<String> = []
    private(set) var faults: [DeclarationFault] = []

    init(_ value: DeclarationValue, path: String = "") {
        self.path = path
        if case .map(let fields) = value {
            self.fields = fields
        } else {
            fields = []
            faults = [
                DeclarationFault(
                    field: path.isEmpty ? "declaration" : path,
                    message: "is \(value.kind), not a set of fields")
            ]
        }
    }

    func name(of field: String) -> String { path.isEmpty ? field : "\(path).\(field)" }

    mutating func fault(_ field: String, _ message: String) {
        faults.append(DeclarationFault(field: name(of: field), message: message))
    }

    mutating func adopt(_ other: [DeclarationFault]) { faults += other }

    /// Nil where it is absent or nothing.
    mutating func value(_ field: String) -> DeclarationValue? {
        known.insert(field)
        let value = fields.first { $0.name == field }?.value
        return value == .null ? nil : value
    }

    mutating func required<Value>(_ field: String, _ value: Value?) -> Value? {
        if value == nil, fields.first(where: { $0.name == field }) == nil {
            fault(field, "is missing")
        }
        return value
    }

    /// A word; a number or a flag is taken as it is spelled, as YAML's `no` and `1` are meant.
    mutating func text(_ field: String) -> String? {
        guard let value = value(field) else { return nil }
        guard let text = value.asText else {
            fault(field, "is \(value.kind), not a word")
            return nil
        }
        return text
    }

    mutating func choice<Value: RawRepresentable & CaseIterable>(
        _ field: String, _ type: Value.Type
    ) -> Value? where Value.RawValue == String {
        guard let text = text(field) else { return nil }
        guard let value = Value(rawValue: text) else {
            let choices = Value.allCases.map(\.rawValue).joined(separator: ", ")
            fault(field, "is \(text), not one of \(choices)")
            return nil
        }
        return value
    }

    mutating func number(_ field: String, in range: ClosedRange<Double>? = nil) -> Double? {
        guard let value = value(field) else { return nil }
        guard case .number(let number) = value, number.isFinite else {
            fault(field, "is \(value.kind), not a number")
            return nil
        }
        if let range, !range.contains(number) {
            fault(field, "is \(number), not in \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }

    mutating func integer(_ field: String, in range: ClosedRange<Int>) -> Int? {
        guard let value = value(field) else { return nil }
        guard case .number(let number) = value, let integer = Int(exactly: number) else {
            fault(field, "is not a whole number")
            return nil
        }
        guard range.contains(integer) else {
            fault(field, "is \(integer), not in \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return integer
    }

    mutating func flag(_ field: String) -> Bool? {
        guard let value = value(field) else { return nil }
        guard case .flag(let flag) = value else {
            fault(field, "is \(value.kind), not true or false")
            return nil
        }
        return flag
    }

    mutating func texts(_ field: String) -> [String]? {
        guard let values = list(field) else { return nil }
        let texts = values.compactMap(\.asText)
        guard texts.count == values.count else {
            fault(field, "is not a list of words")
            return nil
        }
        return texts
    }

    mutating func integers(_ field: String, in range: ClosedRange<Int>) -> [Int]? {
        guard let values = list(field) else { return nil }
        let integers = values.compactMap { value -> Int? in
            guard case .number(let number) = value else { return nil }
            return Int(exactly: number)
        }
        guard integers.count == values.count, integers.allSatisfy(range.contains) else {
            fault(
                field,
                "is not a list of whole numbers in \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return integers
    }

    mutating func list(_ field: String) -> [DeclarationValue]? {
        guard let value = value(field) else { return nil }
        guard case .list(let values) = value else {
            fault(field, "is \(value.kind), not a list")
            return nil
        }
        return values
    }

    /// A set of fields inside this one.
    mutating func map<Value>(
        _ field: String, _ body: (inout DeclarationReader) -> Value?
    ) -> Value? {
        guard let value = value(field) else { return nil }
        return nested(value, path: name(of: field), body)
    }

    mutating func maps<Value>(
        _ field: String, _ body: (inout DeclarationReader) -> Value?
    ) -> [Value]? {
        guard let values = list(field) else { return nil }
        let read = values.enumerated().compactMap { index, value in
            nested(value, path: "\(name(of: field))[\(index)]", body)
        }
        return read.count == values.count ? read : nil
    }

    private mutating func nested<Value>(
        _ value: DeclarationValue, path: String, _ body: (inout DeclarationReader) -> Value?
    ) -> Value? {
        var reader = DeclarationReader(value, path: path)
        let result = reader.faults.isEmpty ? body(&reader) : nil
        reader.refuseUnknown()
        faults += reader.faults
        return result
    }

    /// Called last: whatever was not asked for has no meaning here.
    mutating func refuseUnknown() {
        for field in fields where !known.contains(field.name) {
            fault(field.name, "has no meaning here")
        }
    }

    func finish<Value>(_ value: Value?) throws(DeclarationError) -> Value {
        guard faults.isEmpty, let value else { throw DeclarationError(faults: faults) }
        return value
    }
}

extension DeclarationValue {
    /// A scalar as it is spelled.
    var asText: String? {
        switch self {
        case .text(let text): text
        case .number(let number):
            Int64(exactly: number).map(String.init) ?? String(number)
        case .flag(let flag): flag ? "true" : "false"
        case .null, .list, .map: nil
        }
    }
}
