/// One file of the project as the rules see it.
struct SourceFile {
    /// Relative to the package's root.
    let path: String
    let isExecutable: Bool
    let lines: [String]
    private let bytes: [UInt8]
    /// The bytes with comments and the insides of strings blanked; for Swift files only.
    let code: [UInt8]
    private let lineStarts: [Int]

    init(path: String, text: String, isExecutable: Bool = false) {
        self.path = path
        self.isExecutable = isExecutable
        var text = text
        if text.hasSuffix("\n") { text.removeLast() }
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        bytes = Array(text.utf8)
        let code = path.hasSuffix(".swift") ? CodeScanner.code(of: bytes) : []
        self.code = code
        lineStarts = [0] + code.indices.filter { code[$0] == .newline }.map { $0 + 1 }
    }

    var isSwift: Bool { path.hasSuffix(".swift") && path != "Package.swift" }

    func isUnder(_ folders: String...) -> Bool {
        folders.contains { path.hasPrefix($0 + "/") }
    }

    /// The target a Swift file belongs to: the folder below `Sources`, `Tests`, `agents` or
    /// `simulations`.
    var module: String? {
        let parts = path.split(separator: "/")
        guard isSwift, parts.count >= 3 else { return nil }
        return String(parts[1])
    }

    /// The 1-based line of an offset into `code`.
    func line(at offset: Int) -> Int {
        var low = 0
        var high = lineStarts.count
        while low < high {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Whether `text` stands anywhere in the file, comments and strings included.
    func contains(_ text: String) -> Bool {
        !Self.positions(of: Array(text.utf8), in: bytes).isEmpty
    }

    private static func positions(of token: [UInt8], in bytes: [UInt8]) -> [Int] {
        guard let first = token.first, bytes.count >= token.count else { return [] }
        return (0...(bytes.count - token.count)).filter { start in
            bytes[start] == first && bytes[start..<(start + token.count)].elementsEqual(token)
        }
    }

    /// Where `token` stands in the code and isn't the middle of a longer identifier.
    func occurrences(of token: String) -> [Int] {
        let token = Array(token.utf8)
        guard let first = token.first, let last = token.last else { return [] }
        return Self.positions(of: token, in: code).filter { start in
            let end = start + token.count
            let joinsBefore = first.isIdentifier && start > 0 && code[start - 1].isIdentifier
            let joinsAfter = last.isIdentifier && end < code.count && code[end].isIdentifier
            return !joinsBefore && !joinsAfter
        }
    }
}
