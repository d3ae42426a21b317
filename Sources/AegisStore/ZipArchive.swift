import CZlib
import Glibc

package enum ZipError: Error, Hashable, Sendable {
    case notZip(path: String)
    case corrupted(path: String, String)
    case entryMissing(String, present: [String])
    /// Neither stored nor deflated, or encrypted.
    case unsupported(entry: String)
    case wrongChecksum(entry: String)
    case gzip(GzipError)
}

/// Reads entries of a zip archive (PKWARE APPNOTE 6.3) one after the other: what `numpy.savez`
/// writes, packed or not.
package struct ZipArchive: Sendable {
    private struct Entry: Sendable {
        var name: String
        var method: UInt16
        var flags: UInt16
        var checksum: UInt32
        var packed: UInt64
        var unpacked: UInt64
        var header: UInt64
    }

    private let path: String
    private let entries: [Entry]
    private static let directoryBytesMax: UInt64 = 1 << 24

    package var names: [String] { entries.map(\.name) }

    package init(path: String) throws(ZipError) {
        self.path = path
        do {
            let file = try OpenFile(path, flags: O_RDONLY)
            let size = try file.byteCount
            let tailCount = min(size, 22 + 65_535)
            let tail = try file.read(at: size - tailCount, count: Int(tailCount))
            guard let end = Self.endRecord(tail) else { throw ZipError.notZip(path: path) }
            var (offset, length) = (UInt64(tail.u32(end + 16)), UInt64(tail.u32(end + 12)))
            if offset == 0xffff_ffff || length == 0xffff_ffff || tail.u16(end + 10) == 0xffff {
                (offset, length) = try Self.bigDirectory(file, tail, end, path)
            }
            guard length <= Self.directoryBytesMax, offset <= size, length <= size - offset else {
                throw ZipError.corrupted(path: path, "its directory lies outside")
            }
            entries = try Self.directory(
                file.read(at: offset, count: Int(length)), path, fileBytes: size)
        } catch let error as ZipError { throw error } catch let error as FileError {
            throw .gzip(.file(error))
        } catch { preconditionFailure("no other error is thrown") }
    }

    private static func endRecord(_ tail: [UInt8]) -> Int? {
        guard tail.count >= 22 else { return nil }
        return (0...tail.count - 22).last { tail.u32($0) == 0x0605_4b50 }
    }

    /// ZIP64 (§4.3.14): the locator stands before the end record.
    private static func bigDirectory(
        _ file: borrowing OpenFile, _ tail: [UInt8], _ end: Int, _ path: String
    ) throws -> (offset: UInt64, length: UInt64) {
        guard end >= 20, tail.u32(end - 20) == 0x0706_4b50 else {
            throw ZipError.corrupted(path: path, "no ZIP64 locator")
        }
        let record = try file.read(at: tail.u64(end - 12), count: 56)
        guard record.count == 56, record.u32(0) == 0x0606_4b50 else {
            throw ZipError.corrupted(path: path, "no ZIP64 end record")
        }
        return (record.u64(48), record.u64(40))
    }

    private static func directory(
        _ bytes: [UInt8], _ path: String, fileBytes: UInt64
    ) throws -> [Entry] {
        var entries: [Entry] = []
        var offset = 0
        while offset < bytes.count {
            guard bytes.count - offset >= 46, bytes.u32(offset) == 0x0201_4b50 else {
                throw ZipError.corrupted(path: path, "its directory is cut")
            }
            let nameEnd = offset + 46 + Int(bytes.u16(offset + 28))
            let extraEnd = nameEnd + Int(bytes.u16(offset + 30))
            let next = extraEnd + Int(bytes.u16(offset + 32))
            guard next <= bytes.count else {
                throw ZipError.corrupted(path: path, "its directory is cut")
            }
            var entry = Entry(
                name: String(decoding: bytes[offset + 46..<nameEnd], as: UTF8.self),
                method: bytes.u16(offset + 10), flags: bytes.u16(offset + 8),
                checksum: bytes.u32(offset + 16), packed: UInt64(bytes.u32(offset + 20)),
                unpacked: UInt64(bytes.u32(offset + 24)), header: UInt64(bytes.u32(offset + 42)))
            widen(&entry, bytes, nameEnd..<extraEnd)
            guard entry.header < fileBytes, entry.packed <= fileBytes - entry.header else {
                throw ZipError.corrupted(path: path, "\(entry.name) lies outside")
            }
            entries.append(entry)
            offset = next
        }
        return entries
    }

    /// Sizes beyond 32 bits stand in an extra field, in this order, only those that need it.
    private static func widen(_ entry: inout Entry, _ bytes: [UInt8], _ extra: Range<Int>) {
        var offset = extra.lowerBound
        while offset + 4 <= extra.upperBound {
            let end = min(offset + 4 + Int(bytes.u16(offset + 2)), extra.upperBound)
            var field = offset + 4
            if bytes.u16(offset) == 1 {
                func take(_ value: inout UInt64) {
                    guard value == 0xffff_ffff, field + 8 <= end else { return }
                    value = bytes.u64(field)
                    field += 8
                }
                take(&entry.unpacked)
                take(&entry.packed)
                take(&entry.header)
            }
            offset = end
        }
    }

    /// Reads one entry to its end; `body` is given what `pull` reads with, and must read all of
    /// it, as only then the checksum can be compared.
    package func read<Value>(
        _ name: String, _ body: ((Int) throws -> [UInt8]) throws -> Value
    ) throws -> Value {
        guard let entry = entries.first(where: { $0.name == name }) else {
            throw ZipError.entryMissing(name, present: names)
        }
        guard entry.flags & 1 == 0, entry.method == 0 || entry.method == 8 else {
            throw ZipError.unsupported(entry: name)
        }
        let file = try OpenFile(path, flags: O_RDONLY)
        let header = try file.read(at: entry.header, count: 30)
        guard header.count == 30, header.u32(0) == 0x0403_4b50 else {
            throw ZipError.corrupted(path: path, "\(name) has no header")
        }
        let start = entry.header + 30 + UInt64(header.u16(26)) + UInt64(header.u16(28))
        let part = start..<start + entry.packed
        var checksum: UInt = 0
        func count(_ bytes: [UInt8]) -> [UInt8] {
            checksum = crc32(checksum, bytes, UInt32(bytes.count))
            return bytes
        }
        let value: Value
        if entry.method == 0 {
            var offset = part.lowerBound
            value = try body { most in
                let wanted = min(UInt64(most), part.upperBound - offset)
                let bytes = try file.read(at: offset, count: Int(wanted))
                offset += UInt64(bytes.count)
                return count(bytes)
            }
        } else {
            var source = try GzipSource(
                deflated: part, of: path, byteCountMax: entry.unpacked)
            value = try body { most in count(try source.read(atMost: most)) }
        }
        guard checksum == UInt(entry.checksum) else { throw ZipError.wrongChecksum(entry: name) }
        return value
    }
}

extension [UInt8] {
    /// Little-endian; the caller has checked the bounds.
    fileprivate func u16(_ offset: Int) -> UInt16 {
        UInt16(self[offset]) | UInt16(self[offset + 1]) << 8
    }
    fileprivate func u32(_ offset: Int) -> UInt32 {
        UInt32(u16(offset)) | UInt32(u16(offset + 2)) << 16
    }
    fileprivate func u64(_ offset: Int) -> UInt64 {
        UInt64(u32(offset)) | UInt64(u32(offset + 4)) << 32
    }
}
