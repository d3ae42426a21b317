import CZlib
import Glibc

package enum GzipError: Error, Hashable, Sendable {
    case notGzip(path: String)
    /// The file ends inside the compressed stream.
    case truncated(path: String)
    /// The stream contradicts itself or its checksum; zlib's own words where it has any.
    case corrupted(path: String, String)
    /// It unpacks to more than the caller allows: what a small file can do to a disk or a memory.
    case tooLarge(path: String, byteCountMax: UInt64)
    case file(FileError)
}

/// Unpacks a gzip file (RFC 1952) piece by piece as it is asked for, in constant memory.
package struct GzipSource: ~Copyable {
    /// Unpacked so far.
    package private(set) var byteCount: UInt64 = 0
    private let byteCountMax: UInt64
    private let file: OpenFile
    private var offset: UInt64 = 0
    private var filled = 0
    private var ended = false
    // On the heap: zlib keeps a pointer back to its stream.
    private let stream: UnsafeMutablePointer<z_stream>
    private let input: UnsafeMutablePointer<UInt8>
    /// Where the compressed bytes end; nil for the end of the file.
    private let end: UInt64?

    private static let inputBytes = 1 << 16
    /// 15 bits of window, and a gzip header is expected.
    private static let windowBits: Int32 = 15 + 16

    package init(path: String, byteCountMax: UInt64 = 1 << 34) throws(GzipError) {
        let file: OpenFile
        do { file = try OpenFile(path, flags: O_RDONLY) } catch { throw .file(error) }
        try self.init(
            file, byteCountMax: byteCountMax, windowBits: Self.windowBits, part: nil)
    }

    /// A bare deflate stream (RFC 1951) inside a file, as a zip archive has them.
    init(
        deflated part: Range<UInt64>, of path: String, byteCountMax: UInt64
    ) throws(GzipError) {
        let file: OpenFile
        do { file = try OpenFile(path, flags: O_RDONLY) } catch { throw .file(error) }
        try self.init(file, byteCountMax: byteCountMax, windowBits: -15, part: part)
    }

    private init(
        _ file: consuming OpenFile, byteCountMax: UInt64, windowBits: Int32, part: Range<UInt64>?
    ) throws(GzipError) {
        let path = file.path
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let code = aegis_inflate_init(stream, windowBits)
        guard code == Z_OK else {
            stream.deallocate()
            throw .corrupted(path: path, "zlib: \(code)")
        }
        self.file = file
        self.stream = stream
        self.byteCountMax = byteCountMax
        offset = part?.lowerBound ?? 0
        end = part?.upperBound
        input = .allocate(capacity: Self.inputBytes)
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
        input.deallocate()
    }

    /// Fills `buffer` as far as the stream goes; 0 at its end.
    package mutating func read(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(GzipError) -> Int {
        guard !buffer.isEmpty, !ended else { return 0 }
        let room = min(buffer.count, Int(UInt32.max))
        stream.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(room)
        while stream.pointee.avail_out > 0, !ended { try step() }
        let count = room - Int(stream.pointee.avail_out)
        byteCount += UInt64(count)
        guard byteCount <= byteCountMax else {
            throw .tooLarge(path: file.path, byteCountMax: byteCountMax)
        }
        return count
    }

    /// The next bytes, at most so many; fewer only at the end.
    package mutating func read(atMost count: Int) throws(GzipError) -> [UInt8] {
        do {
            return try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                filled = try read(into: UnsafeMutableRawBufferPointer(buffer))
            }
        } catch let error as GzipError {
            throw error
        } catch { preconditionFailure("no other error is thrown") }
    }

    private mutating func step() throws(GzipError) {
        try refill()
        let hadHeader = stream.pointee.total_in > 0 || offset > UInt64(filled)
        switch inflate(stream, Z_NO_FLUSH) {
        case Z_OK: break
        case Z_STREAM_END: try nextMember()
        case Z_BUF_ERROR:
            // No progress was possible: out of input, as there is room for output.
            throw .truncated(path: file.path)
        case Z_DATA_ERROR where !hadHeader: throw .notGzip(path: file.path)
        case let code: throw .corrupted(path: file.path, message(code))
        }
    }

    private mutating func refill() throws(GzipError) {
        guard stream.pointee.avail_in == 0 else { return }
        let left = end.map { $0 - offset } ?? .max
        do {
            filled = try file.read(
                into: UnsafeMutableRawBufferPointer(
                    start: input, count: Int(min(left, UInt64(Self.inputBytes)))),
                at: offset)
        } catch { throw .file(error) }
        offset += UInt64(filled)
        stream.pointee.next_in = input
        stream.pointee.avail_in = UInt32(filled)
    }

    /// A gzip file may be several members in a row (§2.2).
    private mutating func nextMember() throws(GzipError) {
        guard end == nil else {
            ended = true
            return
        }
        try refill()
        guard stream.pointee.avail_in > 0 else {
            ended = true
            return
        }
        let code = inflateReset(stream)
        guard code == Z_OK else { throw .corrupted(path: file.path, message(code)) }
    }

    private func message(_ code: Int32) -> String {
        stream.pointee.msg.map { String(cString: $0) } ?? "zlib: \(code)"
    }
}
