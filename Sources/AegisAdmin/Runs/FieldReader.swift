package import AegisAPI

/// Every fault of one request.
package final class FaultList {
    package private(set) var faults: [FieldFault] = []

    package init() {}

    func add(_ field: String, _ message: String) {
        faults.append(FieldFault(field: field, message: message))
    }
}

/// Reads the fields of one JSON object, and goes on after a fault so that its sender hears of all
/// of them at once. What nobody read is a fault too.
package struct FieldReader {
    package let faults: FaultList
    private let object: [String: JSONValue]
    private let path: String
    private var known: [String] = []

    package init(_ value: JSONValue, path: String = "", faults: FaultList) {
        self.faults = faults
        self.path = path
        if case .object(let object) = value {
            self.object = object
        } else {
            object = [:]
            faults.add(path.isEmpty ? "body" : path, "must be an object, is \(value.kind)")
        }
    }

    package func name(of field: String) -> String { path.isEmpty ? field : path + "." + field }

    /// The value where there is one that isn't null.
    package mutating func optional(_ field: String) -> JSONValue? {
        known.append(field)
        guard let value = object[field], value != .null else { return nil }
        return value
    }

    package mutating func value(_ field: String, _ expected: String) -> JSONValue? {
        if let value = optional(field) { return value }
        fault(field, "is missing; must be \(expected)")
        return nil
    }

    package func fault(_ field: String, _ message: String) {
        faults.add(name(of: field), message)
    }

    package mutating func text(
        _ field: String, _ expected: String, where isValid: (String) -> Bool
    ) -> String? {
        guard let value = value(field, expected) else { return nil }
        guard case .text(let text) = value, isValid(text) else {
            fault(field, "must be \(expected), is \(Self.shown(value))")
            return nil
        }
        return text
    }

    package mutating func integer(
        _ field: String, in range: ClosedRange<Int>, default standard: Int? = nil
    ) -> Int? {
        let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        guard let value = optional(field) ?? standard.map({ .integer(Int64($0)) }) else {
            fault(field, "is missing; must be \(expected)")
            return nil
        }
        let number: Int? =
            switch value {
            case .integer(let whole): Int(exactly: whole)
            // 1.0 is a whole number in JSON Schema.
            case .number(let number): Int(exactly: number)
            case .null, .bool, .text, .array, .object: nil
            }
        guard let number, range.contains(number) else {
            fault(field, "must be \(expected), is \(Self.shown(value))")
            return nil
        }
        return number
    }

    package mutating func number(
        _ field: String, in range: ClosedRange<Double>, default standard: Double? = nil
    ) -> Double? {
        let expected = "a number from \(range.lowerBound) to \(range.upperBound)"
        guard let value = optional(field) ?? standard.map({ .number($0) }) else {
            fault(field, "is missing; must be \(expected)")
            return nil
        }
        let number: Double? =
            switch value {
            case .integer(let whole): Double(whole)
            case .number(let number): number
            case .null, .bool, .text, .array, .object: nil
            }
        guard let number, range.contains(number) else {
            fault(field, "must be \(expected), is \(Self.shown(value))")
            return nil
        }
        return number
    }

    package mutating func boolean(_ field: String, default standard: Bool) -> Bool? {
        guard let value = optional(field) else { return standard }
        guard case .bool(let bool) = value else {
            fault(field, "must be true or false, is \(Self.shown(value))")
            return nil
        }
        return bool
    }

    /// Call last: adds a fault for each field that was not asked for.
    package func finish() {
        for field in object.keys.sorted() where !known.contains(field) {
            faults.add(
                name(of: Self.visible(field.prefix(64))),
                "is not a field here; there is " + known.joined(separator: ", "))
        }
    }

    /// What a stranger sent can't draw on the terminal it is shown on.
    static func visible(_ text: some StringProtocol) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map {
                    $0.properties.generalCategory == .control ? "\u{fffd}" : $0
                }))
    }

    package static func shown(_ value: JSONValue) -> String {
        switch value {
        case .integer(let number): "\(number)"
        case .number(let number): "\(number)"
        case .text(let text): "\"" + visible(text.prefix(40)) + "\""
        case .bool(let bool): "\(bool)"
        case .null, .array, .object: value.kind
        }
    }
}
