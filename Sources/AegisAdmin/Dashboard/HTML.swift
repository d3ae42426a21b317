/// A piece of a page. What is interpolated is escaped, unless it is a piece itself.
struct HTML: Sendable, ExpressibleByStringInterpolation, CustomStringConvertible {
    let text: String

    var description: String { text }

    init(stringLiteral value: String) { text = value }

    init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

    private init(joined text: String) { self.text = text }

    static func + (left: HTML, right: HTML) -> HTML { HTML(joined: left.text + right.text) }

    /// One after the other.
    static func all(_ pieces: [HTML]) -> HTML {
        HTML(joined: pieces.map(\.text).joined())
    }

    struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        init(literalCapacity: Int, interpolationCount: Int) {
            text.reserveCapacity(literalCapacity * 2)
        }

        mutating func appendLiteral(_ literal: String) { text += literal }

        mutating func appendInterpolation(_ piece: HTML) { text += piece.text }

        mutating func appendInterpolation(_ piece: HTML?) { text += piece?.text ?? "" }

        mutating func appendInterpolation(_ value: String) {
            for character in value.unicodeScalars {
                switch character {
                case "&": text += "&amp;"
                case "<": text += "&lt;"
                case ">": text += "&gt;"
                case "\"": text += "&quot;"
                case "'": text += "&#39;"
                default: text.unicodeScalars.append(character)
                }
            }
        }

        mutating func appendInterpolation(_ number: some BinaryInteger) { text += "\(number)" }
    }
}
