import Testing

/// A place that breaks a rule.
struct Finding: CustomStringConvertible {
    let path: String
    let line: Int
    let message: String

    var description: String { "\(path):\(line): \(message)" }
}

/// One habit of the project, checked file by file.
struct Rule: Sendable, CustomTestStringConvertible {
    let name: String
    let check: @Sendable (SourceFile) -> [Finding]

    var testDescription: String { name }

    static let all: [Rule] =
        layout + safety + purity + [imports, unfinished, machine, shellScripts]

    /// Finds tokens in the code of the files that `applies` accepts.
    static func forbidding(
        _ tokens: [String], name: String, because reason: String,
        where applies: @escaping @Sendable (SourceFile) -> Bool
    ) -> Rule {
        Rule(name: name) { file in
            guard file.isSwift, applies(file) else { return [] }
            return tokens.flatMap { token in
                file.occurrences(of: token).map { offset in
                    file.finding(at: offset, "`\(token)`: \(reason)")
                }
            }
        }
    }
}

extension SourceFile {
    func finding(at offset: Int, _ message: String) -> Finding {
        Finding(path: path, line: line(at: offset), message: message)
    }

    func finding(line: Int, _ message: String) -> Finding {
        Finding(path: path, line: line, message: message)
    }
}
