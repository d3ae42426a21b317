import AegisStore
import TestFolders
import Testing

@Suite("Gzip files, piece by piece (RFC 1952)")
struct GzipSourceTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("file.gz")
    }

    /// What `printf 'aegis aegis aegis\n' | gzip -n` writes.
    private static let packed: [UInt8] = [
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x4b, 0x4c, 0x4d, 0xcf, 0x2c,
        0x56, 0x48, 0x44, 0x90, 0x5c, 0x00, 0x93, 0xb5, 0xea, 0x16, 0x12, 0x00, 0x00, 0x00,
    ]
    private static let plain = Array("aegis aegis aegis\n".utf8)

    private func unpack(_ bytes: [UInt8], by count: Int = 5, max: UInt64 = 1 << 20) throws
        -> [UInt8]
    {
        try Files.write(bytes, to: path)
        var source = try GzipSource(path: path, byteCountMax: max)
        var unpacked: [UInt8] = []
        while true {
            let piece = try source.read(atMost: count)
            if piece.isEmpty { return unpacked }
            unpacked += piece
        }
    }

    @Test("gzip's own output unpacks in pieces of any size", arguments: [1, 5, 18, 1_000])
    func unpacks(by count: Int) throws {
        #expect(try unpack(Self.packed, by: count) == Self.plain)
    }

    @Test("members in a row are one file (§2.2)")
    func members() throws {
        #expect(try unpack(Self.packed + Self.packed) == Self.plain + Self.plain)
    }

    @Test("cut off anywhere, it says so")
    func truncated() throws {
        for length in 1..<Self.packed.count {
            #expect(throws: GzipError.truncated(path: path), "\(length) bytes") {
                try unpack(Array(Self.packed[..<length]))
            }
        }
    }

    @Test("a wrong checksum, a wrong length and no gzip at all are told apart")
    func damaged() throws {
        for index in 21..<29 {
            var bytes = Self.packed
            bytes[index] ^= 1
            #expect(throws: GzipError.self, "byte \(index)") { try unpack(bytes) }
        }
        #expect(throws: GzipError.notGzip(path: path)) { try unpack(Self.plain) }
        let absent = directory.file("absent")
        #expect(throws: GzipError.file(.notFound(path: absent))) {
            _ = try GzipSource(path: absent)
        }
    }

    @Test("a small file can't unpack to more than is allowed")
    func bomb() throws {
        #expect(throws: GzipError.tooLarge(path: path, byteCountMax: 10)) {
            try unpack(Self.packed, by: 4, max: 10)
        }
    }
}
