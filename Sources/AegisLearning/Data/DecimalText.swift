import Glibc

/// Decimal numbers as bytes of text, without a string for each.
enum DecimalText {
    /// The number that `bytes` spells, spaces around it aside; NaN and infinities by their names,
    /// and nil for anything else. Correctly rounded: up to 19 digits and small exponents by one
    /// exact operation (Clinger 1990, the fast path), the rest by the C library.
    static func parse(_ bytes: some RandomAccessCollection<UInt8>) -> Double? {
        var rest = bytes[...]
        while let byte = rest.first, isSpace(byte) { rest = rest.dropFirst() }
        while let byte = rest.last, isSpace(byte) { rest = rest.dropLast() }
        guard let first = rest.first else { return nil }
        let negative = first == UInt8(ascii: "-")
        let digits = negative || first == UInt8(ascii: "+") ? rest.dropFirst() : rest
        guard let spelled = spelling(digits) else {
            return named(digits).map { negative ? -$0 : $0 }
        }
        if spelled.digits <= 19, spelled.mantissa <= 1 << 53, abs(spelled.exponent) <= 22 {
            let power = powersOfTen[abs(spelled.exponent)]
            let mantissa = Double(spelled.mantissa)
            let value = spelled.exponent < 0 ? mantissa / power : mantissa * power
            return negative ? -value : value
        }
        return String(decoding: rest, as: UTF8.self).withCString { strtod($0, nil) }
    }

    private struct Spelling {
        var mantissa: UInt64 = 0
        var digits = 0
        var exponent = 0
    }

    /// Nil where the bytes are no decimal number.
    private static func spelling(_ bytes: some RandomAccessCollection<UInt8>) -> Spelling? {
        var number = Spelling()
        var (seen, inFraction) = (0, false)
        var index = bytes.startIndex
        loop: while index < bytes.endIndex {
            let byte = bytes[index]
            switch byte {
            case 0x30...0x39:
                seen += 1
                // Leading zeros are no digits that count.
                if number.mantissa > 0 || byte != 0x30 { number.digits += 1 }
                if number.digits <= 19 {
                    number.mantissa = number.mantissa &* 10 &+ UInt64(byte - 0x30)
                }
                if inFraction { number.exponent -= 1 }
            case UInt8(ascii: ".") where !inFraction: inFraction = true
            case UInt8(ascii: "e"), UInt8(ascii: "E"):
                guard seen > 0, let power = power(bytes[bytes.index(after: index)...]) else {
                    return nil
                }
                number.exponent += power
                break loop
            default: return nil
            }
            index = bytes.index(after: index)
        }
        return seen > 0 ? number : nil
    }

    private static func power(_ bytes: some RandomAccessCollection<UInt8>) -> Int? {
        guard let first = bytes.first else { return nil }
        let negative = first == UInt8(ascii: "-")
        let digits = negative || first == UInt8(ascii: "+") ? bytes[...].dropFirst() : bytes[...]
        guard !digits.isEmpty else { return nil }
        var power = 0
        for byte in digits {
            guard (0x30...0x39).contains(byte) else { return nil }
            power = min(power * 10 + Int(byte - 0x30), 100_000)
        }
        return negative ? -power : power
    }

    private static func named(_ bytes: some RandomAccessCollection<UInt8>) -> Double? {
        guard bytes.count <= 8 else { return nil }
        switch String(decoding: bytes, as: UTF8.self).lowercased() {
        case "nan": return .nan
        case "inf", "infinity": return .infinity
        default: return nil
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private static let powersOfTen: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ]
}
