package import AegisLearning
import Yams

package enum YAMLError: Error, Hashable, Sendable {
    /// The parser's own words, with line and column.
    case notYAML(path: String, String)
    case empty(path: String)
    case unsupported(path: String, line: Int, String)
}

/// A YAML file as the tree that declarations are read from. Plain scalars mean what YAML 1.2's
/// core schema says, so `1e-5` is a number and `no` is a word.
package enum YAMLTree {
    package static func parse(_ text: String, path: String) throws(YAMLError) -> DeclarationValue {
        let node: Node?
        do { node = try Yams.compose(yaml: text) } catch {
            throw .notYAML(path: path, "\(error)")
        }
        guard let node else { throw .empty(path: path) }
        return try value(node, path)
    }

    private static func value(_ node: Node, _ path: String) throws(YAMLError) -> DeclarationValue {
        switch node {
        case .scalar(let scalar): return value(scalar)
        case .sequence(let sequence):
            var values: [DeclarationValue] = []
            for element in sequence { values.append(try value(element, path)) }
            return .list(values)
        case .mapping(let mapping):
            var fields: [DeclarationValue.Field] = []
            for (key, element) in mapping {
                let line = key.mark?.line ?? 0
                guard case .scalar(let name) = key else {
                    throw .unsupported(path: path, line: line, "a key that is not a word")
                }
                guard !fields.contains(where: { $0.name == name.string }) else {
                    throw .unsupported(path: path, line: line, "\(name.string) stands twice")
                }
                fields.append(.init(name.string, try value(element, path)))
            }
            return .map(fields)
        case .alias(let alias):
            throw .unsupported(path: path, line: alias.mark?.line ?? 0, "aliases are not read")
        }
    }

    private static func value(_ scalar: Node.Scalar) -> DeclarationValue {
        let text = scalar.string
        guard scalar.style == .plain || scalar.style == .any else { return .text(text) }
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .flag(true)
        case "false", "False", "FALSE": return .flag(false)
        default: break
        }
        // Double(_:) also reads `inf`, `nan` and hexadecimal, which the core schema spells
        // otherwise.
        let decimal = text.utf8.allSatisfy {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || "+-.eE".utf8.contains($0)
        }
        if decimal, let number = Double(text), number.isFinite { return .number(number) }
        return .text(text)
    }
}
