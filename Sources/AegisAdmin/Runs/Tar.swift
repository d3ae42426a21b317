/// The POSIX tar format, ustar (IEEE Std 1003.1, pax): plain files, names of at most 100 bytes.
enum Tar {
    private static let block = 512

    static func entry(_ name: String, _ bytes: [UInt8], modifiedAt seconds: UInt64) -> [UInt8] {
        header(name, byteCount: UInt64(bytes.count), modifiedAt: seconds) + bytes
            + padding(UInt64(bytes.count))
    }

    static func header(
        _ name: String, byteCount: UInt64, modifiedAt seconds: UInt64
    ) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: block)
        func put(_ text: String, at offset: Int, _ width: Int) {
            header.replaceSubrange(offset..<offset + width, with: padded(text, width))
        }
        put(name, at: 0, 100)
        put("0000644", at: 100, 8)
        put("0000000", at: 108, 8)
        put("0000000", at: 116, 8)
        put(octal(byteCount, 11), at: 124, 12)
        put(octal(seconds, 11), at: 136, 12)
        put("        ", at: 148, 8)
        put("0", at: 156, 1)
        put("ustar", at: 257, 6)
        put("00", at: 263, 2)
        let sum = header.reduce(0) { $0 + UInt64($1) }
        put(octal(sum, 6) + "\0 ", at: 148, 8)
        return header
    }

    static func padding(_ byteCount: UInt64) -> [UInt8] {
        [UInt8](repeating: 0, count: (block - Int(byteCount % UInt64(block))) % block)
    }

    /// Two empty blocks.
    static let end = [UInt8](repeating: 0, count: 2 * block)

    private static func padded(_ text: String, _ width: Int) -> [UInt8] {
        let bytes = Array(text.utf8.prefix(width))
        return bytes + [UInt8](repeating: 0, count: width - bytes.count)
    }

    /// A number too large for its digits has them all full: tar's own limit of 8 GiB.
    private static func octal(_ value: UInt64, _ digits: Int) -> String {
        let text = String(min(value, 1 << (3 * digits) - 1), radix: 8)
        return String(repeating: "0", count: digits - text.count) + text
    }
}
