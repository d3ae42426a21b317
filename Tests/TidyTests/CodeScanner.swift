/// Finds what is code in a Swift file: the same bytes with every comment and the inside of every
/// string literal blanked, so that a rule never trips over a word in a sentence. Offsets and line
/// breaks stay as they are; code inside `\(…)` stays code.
struct CodeScanner {
    private let text: [UInt8]
    private var code: [UInt8]
    private var position = 0

    static func code(of text: [UInt8]) -> [UInt8] {
        var scanner = CodeScanner(text)
        while scanner.position < text.count {
            scanner.scanCode(insideInterpolation: false)
        }
        return scanner.code
    }

    private init(_ text: [UInt8]) {
        self.text = text
        code = text
    }

    private func byte(_ offset: Int = 0) -> UInt8? {
        position + offset < text.count ? text[position + offset] : nil
    }

    /// Turns `count` bytes into spaces, but for line breaks, and goes past them.
    private mutating func blank(_ count: Int = 1) {
        for _ in 0..<count where position < text.count {
            if text[position] != .newline { code[position] = .space }
            position += 1
        }
    }

    /// Stops at the parenthesis that closes an interpolation, or at the end.
    private mutating func scanCode(insideInterpolation: Bool) {
        var depth = 0
        while let next = byte() {
            switch next {
            case .slash where byte(1) == .slash:
                while let next = byte(), next != .newline { blank() }
            case .slash where byte(1) == .asterisk:
                skipBlockComment()
            case .quote:
                scanString(hashes: 0)
            case .hash:
                var hashes = 1
                while byte(hashes) == .hash { hashes += 1 }
                position += hashes
                if byte() == .quote { scanString(hashes: hashes) }
            case .openParenthesis:
                depth += 1
                position += 1
            case .closeParenthesis:
                if insideInterpolation && depth == 0 { return }
                depth -= 1
                position += 1
            default:
                position += 1
            }
        }
    }

    private mutating func skipBlockComment() {
        var depth = 0
        while let next = byte() {
            if next == .slash && byte(1) == .asterisk {
                depth += 1
                blank(2)
            } else if next == .asterisk && byte(1) == .slash {
                depth -= 1
                blank(2)
                if depth == 0 { return }
            } else {
                blank()
            }
        }
    }

    /// From the opening quote to past the closing one; the delimiters stay.
    private mutating func scanString(hashes: Int) {
        let isMultiline = byte(1) == .quote && byte(2) == .quote
        position += isMultiline ? 3 : 1
        while let next = byte() {
            if next == .backslash && hasHashes(hashes, after: 1) {
                if byte(1 + hashes) == .openParenthesis {
                    position += 2 + hashes
                    scanCode(insideInterpolation: true)
                    position += 1
                } else {
                    blank(2 + hashes)
                }
            } else if next == .quote && closes(isMultiline: isMultiline, hashes: hashes) {
                position += (isMultiline ? 3 : 1) + hashes
                return
            } else if next == .newline && !isMultiline {
                return
            } else {
                blank()
            }
        }
    }

    private func hasHashes(_ count: Int, after offset: Int) -> Bool {
        (0..<count).allSatisfy { byte(offset + $0) == .hash }
    }

    private func closes(isMultiline: Bool, hashes: Int) -> Bool {
        if isMultiline && !(byte(1) == .quote && byte(2) == .quote) { return false }
        return hasHashes(hashes, after: isMultiline ? 3 : 1)
    }
}

extension UInt8 {
    static let newline = UInt8(ascii: "\n")
    static let space = UInt8(ascii: " ")
    static let slash = UInt8(ascii: "/")
    static let asterisk = UInt8(ascii: "*")
    static let quote = UInt8(ascii: "\"")
    static let hash = UInt8(ascii: "#")
    static let backslash = UInt8(ascii: "\\")
    static let openParenthesis = UInt8(ascii: "(")
    static let closeParenthesis = UInt8(ascii: ")")

    var isIdentifier: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
            true
        default: false
        }
    }
}
