package import AegisAPI
import AegisCore
import AegisIdentity

/// The shape of a JSON value: written once, it documents a field, says what a bad value should have
/// been, and refuses it.
package indirect enum Schema: Sendable {
    /// `says` is what a message calls a right value.
    case text(pattern: String? = nil, length: ClosedRange<Int>? = nil, says: String? = nil)
    /// Text of a form of its own: `isValid` is what `pattern` says.
    case word(pattern: String, says: String, isValid: @Sendable (String) -> Bool)
    /// Text with line ends.
    case document
    case choice([String])
    case integer(ClosedRange<Int>)
    case number(ClosedRange<Double>)
    case boolean
    case time
    case digest
    case list(Schema, min: Int = 0, max: Int? = nil)
    case object([Field])
    /// A component of the document by name.
    case named(String)
    case either([Schema])
    /// Whatever JSON there is.
    case any

    package struct Field: Sendable {
        package let name: String
        package let schema: Schema
        package let isRequired: Bool
        package let standard: JSONValue?
        package let summary: String

        package init(
            _ name: String, _ schema: Schema, _ summary: String = "", required: Bool = true,
            standard: JSONValue? = nil
        ) {
            self.name = name
            self.schema = schema
            self.summary = summary
            isRequired = required && standard == nil
            self.standard = standard
        }
    }

    /// As `Names.isValid` has it.
    package static let name = Schema.text(
        pattern: "^[a-z0-9][a-z0-9._-]{0,63}$", length: 1...64,
        says: "1 to 64 of a-z, 0-9, -, _ and . beginning with a letter or digit")
}

/// JSON Schema 2020-12, as OpenAPI 3.1 takes it.
extension Schema {
    package var json: JSONValue {
        switch self {
        case .text(let pattern, let length, _):
            var members: [String: JSONValue] = ["type": "string"]
            members["pattern"] = .text(pattern ?? Self.noControls)
            if let length {
                members["minLength"] = .integer(Int64(length.lowerBound))
                members["maxLength"] = .integer(Int64(length.upperBound))
            }
            return .object(members)
        case .word(let pattern, _, _):
            return .object(["type": "string", "pattern": .text(pattern)])
        case .document: return .object(["type": "string"])
        case .choice(let words):
            return .object(["type": "string", "enum": .array(words.map { .text($0) })])
        case .integer(let range):
            return .object([
                "type": "integer", "minimum": .integer(Int64(range.lowerBound)),
                "maximum": .integer(Int64(range.upperBound)),
            ])
        case .number(let range):
            return .object([
                "type": "number", "minimum": .number(range.lowerBound),
                "maximum": .number(range.upperBound),
            ])
        case .boolean: return .object(["type": "boolean"])
        case .time: return .object(["type": "string", "format": "date-time"])
        case .digest: return .object(["type": "string", "pattern": "^sha256:[0-9a-f]{64}$"])
        case .list(let element, let min, let max):
            var members: [String: JSONValue] = ["type": "array", "items": element.json]
            if min > 0 { members["minItems"] = .integer(Int64(min)) }
            if let max { members["maxItems"] = .integer(Int64(max)) }
            return .object(members)
        case .object(let fields): return Self.json(of: fields)
        case .named(let name):
            return .object(["$ref": .text("#/components/schemas/" + name)])
        case .either(let schemas):
            return .object(["anyOf": .array(schemas.map(\.json))])
        case .any: return .object([:])
        }
    }

    private static let noControls = #"^[^\x00-\x1f\x7f-\x9f]*$"#

    private static func json(of fields: [Field]) -> JSONValue {
        var properties: [String: JSONValue] = [:]
        for field in fields {
            guard case .object(var members) = field.schema.json else { continue }
            if !field.summary.isEmpty { members["description"] = .text(field.summary) }
            if let standard = field.standard { members["default"] = standard }
            properties[field.name] = .object(members)
        }
        let required = fields.filter(\.isRequired).map { JSONValue.text($0.name) }
        var members: [String: JSONValue] = [
            "type": "object", "properties": .object(properties),
            "additionalProperties": .bool(false),
        ]
        if !required.isEmpty { members["required"] = .array(required) }
        return .object(members)
    }
}

/// The check of what a client sent.
extension Schema {
    /// What a message calls a right value.
    var expectation: String {
        switch self {
        case .text(_, let length, let says):
            says ?? length.map { "text of \($0.lowerBound) to \($0.upperBound) characters" }
                ?? "text"
        case .word(_, let says, _): says
        case .document: "text"
        case .choice(let words):
            words.count == 1
                ? words[0]
                : words.dropLast().joined(separator: ", ")
                    + " or " + (words.last ?? "")
        case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .number(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
        case .boolean: "true or false"
        case .time: "a time like 2026-03-01T09:30:00Z"
        case .digest: "sha256: and 64 hexadecimal digits"
        case .list(let element, _, _): "a list, each " + element.expectation
        case .object: "an object"
        case .named(let name): "a " + name
        case .either(let schemas): schemas.map(\.expectation).joined(separator: ", or ")
        case .any: "JSON"
        }
    }

    /// Every fault of `value`, by the field's path.
    func check(_ value: JSONValue, at path: String = "", _ faults: FaultList) {
        switch self {
        case .object(let fields): Self.check(value, fields, at: path, faults)
        case .list(let element, let min, let max):
            guard case .array(let elements) = value, elements.count >= min,
                elements.count <= max ?? .max
            else {
                return fault(value, path, faults)
            }
            for (index, item) in elements.enumerated() {
                element.check(item, at: path + "[\(index)]", faults)
            }
        case .named(let name): Components.schemas[name]?.check(value, at: path, faults)
        case .either(let schemas):
            let fits = schemas.contains { schema in
                let trial = FaultList()
                schema.check(value, at: path, trial)
                return trial.faults.isEmpty
            }
            if !fits { fault(value, path, faults) }
        default: if !takes(value) { fault(value, path, faults) }
        }
    }

    private func fault(_ value: JSONValue, _ path: String, _ faults: FaultList) {
        faults.add(
            path.isEmpty ? "body" : path,
            "must be \(expectation), is \(FieldReader.shown(value))")
    }

    private func takes(_ value: JSONValue) -> Bool {
        switch (self, value) {
        case (.text(let pattern, let length, _), .text(let text)):
            if pattern != nil, !Names.isValid(text) { return false }
            guard length?.contains(text.unicodeScalars.count) ?? true else { return false }
            // No character that could start a line or a colour somewhere it is shown.
            return !text.unicodeScalars.contains { $0.properties.generalCategory == .control }
        case (.word(_, _, let isValid), .text(let text)): return isValid(text)
        case (.document, .text): return true
        case (.choice(let words), .text(let text)): return words.contains(text)
        case (.integer(let range), .integer(let number)):
            return Int(exactly: number).map(range.contains) ?? false
        // 1.0 is a whole number in JSON Schema.
        case (.integer(let range), .number(let number)):
            return Int(exactly: number).map(range.contains) ?? false
        case (.number(let range), .integer(let number)): return range.contains(Double(number))
        case (.number(let range), .number(let number)): return range.contains(number)
        case (.boolean, .bool): return true
        case (.time, .text(let text)): return TimeReader.milliseconds(text) != nil
        case (.digest, .text(let text)): return Digest(text: text) != nil
        case (.any, _): return true
        default: return false
        }
    }

    private static func check(
        _ value: JSONValue, _ fields: [Field], at path: String, _ faults: FaultList
    ) {
        guard case .object(let object) = value else {
            return faults.add(
                path.isEmpty ? "body" : path, "must be an object, is \(value.kind)")
        }
        let prefix = path.isEmpty ? "" : path + "."
        for field in fields {
            guard let value = object[field.name] else {
                if field.isRequired {
                    faults.add(
                        prefix + field.name, "is missing; must be \(field.schema.expectation)")
                }
                continue
            }
            field.schema.check(value, at: prefix + field.name, faults)
        }
        let known = fields.map(\.name)
        for name in object.keys.sorted() where !known.contains(name) {
            faults.add(
                prefix + FieldReader.visible(name.prefix(64)),
                known.isEmpty
                    ? "is not a field here; there is none"
                    : "is not a field here; there is " + known.joined(separator: ", "))
        }
    }
}

extension Schema {
    /// Every fault of `value`.
    package func faults(_ value: JSONValue) -> [FieldFault] {
        let faults = FaultList()
        check(value, faults)
        return faults.faults
    }
}
