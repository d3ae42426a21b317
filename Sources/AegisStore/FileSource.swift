import Glibc

/// A file to be read from its beginning to its end, unpacked on the way where it is gzipped: told
/// by its first bytes, not by its name.
package struct FileSource: ~Copyable {
    private let plain: OpenFile
    private var gzip: GzipSource?
    private var offset: UInt64 = 0

    private init(plain: consuming OpenFile, gzip: consuming GzipSource?) {
        self.plain = plain
        self.gzip = gzip
    }

    package static func open(_ path: String) throws(GzipError) -> FileSource {
        do {
            let file = try OpenFile(path, flags: O_RDONLY)
            guard try file.read(at: 0, count: 2) == [0x1f, 0x8b] else {
                return FileSource(plain: file, gzip: nil)
            }
            let source = try GzipSource(path: path, byteCountMax: 1 << 40)
            return FileSource(plain: file, gzip: source)
        } catch let error as FileError {
            throw .file(error)
        } catch let error as GzipError {
            throw error
        } catch { preconditionFailure("no other error is thrown") }
    }

    /// The next bytes, at most so many; none at the end.
    package mutating func read(atMost count: Int) throws(GzipError) -> [UInt8] {
        if let bytes = try gzip?.read(atMost: count) { return bytes }
        do {
            let bytes = try plain.read(at: offset, count: count)
            offset += UInt64(bytes.count)
            return bytes
        } catch { throw .file(error) }
    }
}
