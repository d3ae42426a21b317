extension Rule {
    static let columnsMax = 100
    static let fileLinesMax = 600
    static let functionLinesMax = 60

    static let layout: [Rule] = [
        Rule(name: "lines of at most \(columnsMax) columns") { file in
            guard file.path.hasSuffix(".swift") else { return [] }
            // Bytes first: counting characters is slow, and few lines have more bytes than that.
            return file.lines.enumerated().filter {
                $0.element.utf8.count > columnsMax && $0.element.count > columnsMax
            }.map {
                file.finding(line: $0.offset + 1, "\($0.element.count) columns")
            }
        },
        Rule(name: "files of at most \(fileLinesMax) lines") { file in
            guard file.path.hasSuffix(".swift"), file.lines.count > fileLinesMax else {
                return []
            }
            return [file.finding(line: fileLinesMax, "\(file.lines.count) lines: split by idea")]
        },
        Rule(name: "functions of at most \(functionLinesMax) lines") { file in
            guard file.isSwift, !file.isUnder("Tests") else { return [] }
            return file.functions().filter { $0.lines > functionLinesMax }.map {
                file.finding(line: $0.line, "a function of \($0.lines) lines")
            }
        },
    ]
}

/// A function, initialiser or computed property with a body: where it starts and how long it is.
struct FunctionExtent: Equatable {
    let line: Int
    let lines: Int
}

extension SourceFile {
    private static let declarations: Set<String> = [
        "func", "init", "deinit", "subscript", "var", "let", "case", "struct", "class", "enum",
        "actor", "protocol", "extension", "associatedtype", "typealias", "import",
    ]

    /// Found by counting braces, which is exact enough once strings and comments are blank.
    func functions() -> [FunctionExtent] {
        words().compactMap { word in
            guard startsFunction(word), let open = bodyStart(after: word.upperBound) else {
                return nil
            }
            let first = line(at: word.lowerBound)
            return FunctionExtent(line: first, lines: line(at: bodyEnd(from: open)) - first + 1)
        }
    }

    private func words() -> [Range<Int>] {
        var words: [Range<Int>] = []
        var position = 0
        while position < code.count {
            let start = position
            while position < code.count, code[position].isIdentifier { position += 1 }
            if position > start { words.append(start..<position) } else { position += 1 }
        }
        return words
    }

    private func startsFunction(_ word: Range<Int>) -> Bool {
        let before = word.lowerBound > 0 ? code[word.lowerBound - 1] : .newline
        switch String(decoding: code[word], as: UTF8.self) {
        case "func", "deinit", "subscript":
            return before != UInt8(ascii: ".") && before != UInt8(ascii: "`")
        case "init":
            let next = word.upperBound < code.count ? code[word.upperBound] : .newline
            return before != UInt8(ascii: ".") && "(<?!".utf8.contains(next)
        case "var":
            // A computed property; a stored one may start a closure or a literal after `=`.
            let rest = code[word.upperBound...].prefix { $0 != .newline }
            let brace = rest.firstIndex(of: UInt8(ascii: "{"))
            let equals = rest.firstIndex(of: UInt8(ascii: "="))
            return brace != nil && (equals ?? .max) > (brace ?? .max)
        default: return false
        }
    }

    /// The brace that opens the body, or nil for a requirement without one.
    private func bodyStart(after offset: Int) -> Int? {
        var depth = 0
        var position = offset
        while position < code.count {
            switch code[position] {
            case UInt8(ascii: "("), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: ")"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: "{") where depth == 0: return position
            case UInt8(ascii: "}") where depth == 0: return nil
            case let byte where byte.isIdentifier && depth == 0:
                let word = code[position...].prefix { $0.isIdentifier }
                if Self.declarations.contains(String(decoding: word, as: UTF8.self)) { return nil }
                position = word.endIndex - 1
            default: break
            }
            if depth < 0 { return nil }
            position += 1
        }
        return nil
    }

    private func bodyEnd(from open: Int) -> Int {
        var depth = 0
        for position in open..<code.count {
            if code[position] == UInt8(ascii: "{") { depth += 1 }
            if code[position] == UInt8(ascii: "}") { depth -= 1 }
            if depth == 0 { return position }
        }
        return code.count - 1
    }
}
