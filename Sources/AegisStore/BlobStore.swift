package import AegisCore
import Glibc
import Synchronization

import struct Crypto.SHA256

/// Updates and models by their SHA-256: one directory, one file each, named by its digest. A file
/// under that name is complete, checked and durable; everything else is in `.partial` or `.new`
/// files.
package final class BlobStore: Sendable {
    package let directory: String
    let claims = BlobClaims()

    /// Makes the directory where it is missing and clears what a crash left half-written;
    /// interrupted downloads stay for `resume`.
    package init(directory: String) throws(BlobError) {
        self.directory = directory
        do {
            try Directory.make(directory)
            for name in try Directory.names(in: directory) where name.hasSuffix(".new") {
                try Directory.remove(directory + "/" + name)
            }
        } catch { throw BlobError(error) }
    }

    package func contains(_ digest: Digest) -> Bool { byteCount(of: digest) != nil }

    /// Nil where the blob is not here.
    package func byteCount(of digest: Digest) -> UInt64? {
        Directory.byteCount(of: path(of: digest))
    }

    /// Writes a blob whose digest isn't known yet (our own update).
    package func writer(byteCountMax: UInt64 = Limits.blobBytesMax) throws(BlobError) -> BlobWriter
    {
        try BlobWriter(in: self, byteCountMax: byteCountMax)
    }

    /// Receives a blob; goes on where an interrupted transfer stopped. The writer's `byteCount`
    /// is the offset to ask for.
    package func resume(_ digest: Digest, byteCount: UInt64) throws(BlobError) -> BlobWriter {
        try BlobWriter(in: self, expecting: digest, byteCount: byteCount)
    }

    /// Stores a small blob.
    @discardableResult
    package func write(_ bytes: [UInt8]) throws(BlobError) -> Digest {
        var writer = try writer(byteCountMax: UInt64(bytes.count))
        try writer.append(bytes)
        return try writer.finish()
    }

    /// Opens a blob to send or read it in pieces. It stays readable when it is removed meanwhile.
    package func reader(_ digest: Digest) throws(BlobError) -> BlobReader {
        try BlobReader(digest, path: path(of: digest))
    }

    /// The whole blob in memory, for small ones.
    package func read(_ digest: Digest, byteCountMax: Int) throws(BlobError) -> [UInt8] {
        let reader = try reader(digest)
        guard reader.byteCount <= UInt64(byteCountMax) else {
            throw .wrongSize(expected: UInt64(byteCountMax), actual: reader.byteCount)
        }
        return try reader.read(at: 0, count: Int(reader.byteCount))
    }

    /// Lends the blob as memory backed by its file: pages come in as they are read and can be
    /// dropped by the kernel, so a model does not count twice.
    package func withMapped<R>(
        _ digest: Digest, _ body: (UnsafeRawBufferPointer) throws -> R
    ) throws -> R {
        let reader = try reader(digest)
        return try reader.withMapped(body)
    }

    /// Whether there was such a blob.
    @discardableResult
    package func remove(_ digest: Digest) throws(BlobError) -> Bool {
        do { return try Directory.remove(path(of: digest)) } catch { throw BlobError(error) }
    }

    /// Removes every blob but these, and every interrupted download that nobody writes now.
    package func retain(only digests: Set<Digest>) throws(BlobError) {
        do {
            for name in try Directory.names(in: directory) {
                let partial = name.hasSuffix(Self.partialSuffix)
                let stem = partial ? String(name.dropLast(Self.partialSuffix.count)) : name
                guard let digest = Self.digest(named: stem) else { continue }
                if digests.contains(digest) || (partial && claims.isClaimed(digest)) { continue }
                try Directory.remove(directory + "/" + name)
            }
        } catch { throw BlobError(error) }
    }

    /// The blobs and their sizes, by digest.
    package func list() throws(BlobError) -> [(digest: Digest, byteCount: UInt64)] {
        let names: [String]
        do { names = try Directory.names(in: directory) } catch { throw BlobError(error) }
        return names.compactMap { name in
            guard let digest = Self.digest(named: name), let size = byteCount(of: digest) else {
                return nil
            }
            return (digest, size)
        }
    }

    package var byteCount: UInt64 {
        get throws(BlobError) { try list().reduce(0) { $0 + $1.byteCount } }
    }

    func path(of digest: Digest) -> String { directory + "/" + digest.hexadecimal }

    static let partialSuffix = ".partial"

    private static func digest(named name: String) -> Digest? {
        name.utf8.count == 64 ? Hexadecimal.decode(name).flatMap { Digest($0) } : nil
    }
}

/// Which blobs are being received, so that two transfers never write one file.
final class BlobClaims: Sendable {
    private let claimed = Mutex<(digests: Set<Digest>, next: UInt64)>(([], 0))

    func claim(_ digest: Digest) -> Bool {
        claimed.withLock { $0.digests.insert(digest).inserted }
    }

    func release(_ digest: Digest) {
        claimed.withLock { _ = $0.digests.remove(digest) }
    }

    func isClaimed(_ digest: Digest) -> Bool {
        claimed.withLock { $0.digests.contains(digest) }
    }

    /// A name that no other temporary file of this process has.
    func temporaryName() -> String {
        claimed.withLock {
            $0.next += 1
            return "\(getpid())-\($0.next).new"
        }
    }
}

/// An open blob.
package struct BlobReader: ~Copyable, Sendable {
    package let digest: Digest
    package let byteCount: UInt64
    private let file: OpenFile

    init(_ digest: Digest, path: String) throws(BlobError) {
        let file: OpenFile
        do { file = try OpenFile(path, flags: O_RDONLY) } catch .notFound {
            throw .absent(digest)
        } catch { throw BlobError(error) }
        let byteCount: UInt64
        do { byteCount = try file.byteCount } catch { throw BlobError(error) }
        self.digest = digest
        self.byteCount = byteCount
        self.file = file
    }

    /// Exactly `count` bytes from `offset`.
    package func read(at offset: UInt64, count: Int) throws(BlobError) -> [UInt8] {
        guard offset <= byteCount, UInt64(count) <= byteCount - offset else {
            throw .rangeOutside(blob: digest, byteCount: byteCount)
        }
        let bytes: [UInt8]
        do { bytes = try file.read(at: offset, count: count) } catch { throw BlobError(error) }
        guard bytes.count == count else {
            throw .wrongSize(expected: byteCount, actual: offset + UInt64(bytes.count))
        }
        return bytes
    }

    /// Fills `buffer` from `offset`; fewer bytes only at the blob's end.
    package func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(BlobError) -> Int {
        do { return try file.read(into: buffer, at: offset) } catch { throw BlobError(error) }
    }

    package func withMapped<R>(_ body: (UnsafeRawBufferPointer) throws -> R) throws -> R {
        guard byteCount > 0 else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        let count = Int(clamping: byteCount)
        let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, file.descriptor, 0)
        guard let address, address != MAP_FAILED else {
            throw BlobError(FileError(.map, file.path, errno: errno))
        }
        defer { munmap(address, count) }
        return try body(UnsafeRawBufferPointer(start: address, count: count))
    }
}
