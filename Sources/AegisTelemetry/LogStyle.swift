package import Logging

/// How an event becomes a line.
package enum LogStyle: String, CaseIterable, Sendable {
    /// One JSON object a line: `ts`, `level`, `msg`, `label`, then the metadata.
    case json
    /// `09:30:00.250 info  message key=value`, for a person at a terminal.
    case text

    package func line(
        timestamp: UInt64, level: Logger.Level, label: String, message: String,
        metadata: Logger.Metadata
    ) -> String {
        let fields = metadata.sorted { $0.key < $1.key }
            .map { ($0.key, Redaction.value("\($0.value)", forKey: $0.key)) }
        let message = Redaction.text(message)
        switch self {
        case .json:
            let head = [
                ("ts", Timestamp.text(timestamp)), ("level", level.rawValue), ("msg", message),
                ("label", label),
            ]
            let reserved = Set(head.map(\.0))
            let body = fields.map { (reserved.contains($0.0) ? "_" + $0.0 : $0.0, $0.1) }
            return "{"
                + (head + body).map { Self.quoted($0.0) + ":" + Self.quoted($0.1) }
                .joined(separator: ",") + "}\n"
        case .text:
            let time = Timestamp.text(timestamp).dropFirst(11).dropLast()
            let name = level.rawValue + String(repeating: " ", count: 8 - level.rawValue.count)
            let body = fields.map { " " + $0.0 + "=" + Self.printable($0.1) }.joined()
            return time + " " + name + " " + Self.printable(message) + body + "\n"
        }
    }

    /// A JSON string (RFC 8259 §7); control characters are escaped, so no value starts a new line.
    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    /// As it is where it is plain, else quoted: a peer's words must not draw on a terminal.
    private static func printable(_ text: String) -> String {
        let plain = text.unicodeScalars.allSatisfy {
            $0.value >= 0x20 && $0.value != 0x7f && !(0x80...0x9f).contains($0.value)
        }
        return plain ? text : quoted(text)
    }
}

/// The last line of defence: callers don't log secrets, and if one does, it is not written.
enum Redaction {
    private static let mark = "[redacted]"
    private static let tokenPrefix = "aegisjoin1_"
    private static let secretKeys: Set<String> = [
        "token", "secret", "passphrase", "password", "private_key", "authorization",
    ]

    static func value(_ value: String, forKey key: String) -> String {
        secretKeys.contains(key.lowercased()) ? mark : text(value)
    }

    /// Join tokens are known by their prefix wherever they stand.
    static func text(_ text: String) -> String {
        var rest = Substring(text)
        var result = ""
        while let start = firstToken(in: rest) {
            result += rest[..<start] + tokenPrefix + mark
            rest = rest[start...].dropFirst(tokenPrefix.count)
                .drop { $0.isASCII && ($0.isLetter || $0.isNumber) }
        }
        return result + rest
    }

    private static func firstToken(in text: Substring) -> Substring.Index? {
        var index = text.startIndex
        while index < text.endIndex {
            if text[index...].hasPrefix(tokenPrefix) { return index }
            index = text.index(after: index)
        }
        return nil
    }
}
