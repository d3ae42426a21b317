/// host:port, as rosters and configurations spell it: a DNS name, an IPv4 address or an IPv6
/// address in brackets.
package struct MeshAddress: Hashable, Sendable, CustomStringConvertible {
    package let host: String
    package let port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Nil for anything else, or more than 255 bytes; no names are looked up. Port 0, for whoever
    /// listens, is any free one.
    package init?(_ text: some StringProtocol) {
        guard text.utf8.count <= Limits.addressBytesMax, let colon = text.lastIndex(of: ":")
        else { return nil }
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains),
            let port = UInt16(digits)
        else { return nil }
        var host = text[..<colon]
        let inBrackets = host.hasPrefix("[") && host.hasSuffix("]")
        if inBrackets { host = host.dropFirst().dropLast() }
        guard !host.isEmpty,
            host.utf8.allSatisfy(inBrackets ? Self.isInIPv6 : Self.isInName)
        else { return nil }
        self.init(host: String(host), port: Int(port))
    }

    /// Nil also for port 0, which nobody can dial.
    package init?(dialled text: some StringProtocol) {
        self.init(text)
        guard port > 0 else { return nil }
    }

    package var description: String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    private static func isInIPv6(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: ":"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    private static func isInName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}
