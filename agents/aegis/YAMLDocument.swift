package import AegisAPI
import Yams

/// A YAML file as the JSON the admin takes. Plain scalars are read as YAML 1.2's core schema has
/// them, so `1e-5` is a number and `no` is a word.
package enum YAMLDocument {
    package static func parse(_ text: String, file: String) throws(Failure) -> JSONValue {
        let node: Node?
        do { node = try Yams.compose(yaml: text) } catch {
            throw Failure(
                .invalidInput, "\(file) is not YAML",
                details: "\(error)".split(separator: "\n").map(String.init))
        }
        guard let node else { throw Failure(.invalidInput, "\(file) is empty") }
        return try value(node, file: file)
    }

    /// YAML that reads back as the same JSON.
    package static func text(_ value: JSONValue) throws -> String {
        try Yams.serialize(node: node(value), sortKeys: true)
    }

    private static func node(_ value: JSONValue) -> Node {
        switch value {
        case .null: Node("null", Tag(.null))
        case .bool(let value): Node(value ? "true" : "false", Tag(.bool))
        case .integer(let number): Node("\(number)", Tag(.int))
        case .number(let number): Node("\(number)", Tag(.float))
        // Quoted where it would read as something else.
        case .text(let text):
            Self.value(Node.Scalar(text)) == .text(text)
                ? Node(text, Tag(.str)) : Node(text, Tag(.str), .doubleQuoted)
        case .array(let elements): Node(elements.map(node))
        case .object(let members):
            Node(members.sorted { $0.key < $1.key }.map { (Node($0.key), node($0.value)) })
        }
    }

    private static func value(_ node: Node, file: String) throws(Failure) -> JSONValue {
        switch node {
        case .scalar(let scalar): return value(scalar)
        case .sequence(let sequence):
            var elements: [JSONValue] = []
            for element in sequence { elements.append(try value(element, file: file)) }
            return .array(elements)
        case .mapping(let mapping):
            var object: [String: JSONValue] = [:]
            for (key, element) in mapping {
                guard case .scalar(let name) = key else {
                    throw Failure(.invalidInput, "\(file) has a key that is not a word")
                }
                guard object[name.string] == nil else {
                    throw Failure(.invalidInput, "\(file) has \(name.string) twice")
                }
                object[name.string] = try value(element, file: file)
            }
            return .object(object)
        case .alias:
            throw Failure(.invalidInput, "\(file) uses an alias, which is not supported")
        }
    }

    private static func value(_ scalar: Node.Scalar) -> JSONValue {
        let text = scalar.string
        guard scalar.style == .plain || scalar.style == .any else { return .text(text) }
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default: break
        }
        if let integer = Int64(text) { return .integer(integer) }
        // Double(_:) also reads `inf`, `nan` and hexadecimal, which the core schema spells
        // otherwise.
        let decimal = text.utf8.allSatisfy {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || "+-.eE".utf8.contains($0)
        }
        if decimal, let number = Double(text), number.isFinite { return .number(number) }
        return .text(text)
    }
}
