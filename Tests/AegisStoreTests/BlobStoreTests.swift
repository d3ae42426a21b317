import AegisCore
import AegisStore
import Glibc
import TestFolders
import Testing

import struct Crypto.SHA256

@Suite("Blobs by their SHA-256")
struct BlobStoreTests {
    private let directory: TemporaryDirectory
    private let store: BlobStore

    init() throws {
        directory = try TemporaryDirectory()
        store = try BlobStore(directory: directory.file("blobs"))
    }

    private func name(_ bytes: [UInt8]) throws -> Digest {
        let hash = Array(SHA256.hash(data: bytes))
        return try #require(Digest(hash))
    }

    private func finish(_ writer: consuming BlobWriter) -> Result<Digest, BlobError> {
        do { return .success(try writer.finish()) } catch { return .failure(error) }
    }

    private func names() throws -> [String] {
        try Files.names(in: store.directory)
    }

    @Test("a blob has the name sha256sum gives it (FIPS 180-4, \"abc\")")
    func named() throws {
        let digest = try store.write(Array("abc".utf8))
        #expect(
            digest.hexadecimal
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(try store.read(digest, byteCountMax: 3) == Array("abc".utf8))
        #expect(throws: BlobError.wrongSize(expected: 2, actual: 3)) {
            try store.read(digest, byteCountMax: 2)
        }
        #expect(try store.reader(digest).read(at: 1, count: 2) == Array("bc".utf8))
        #expect(throws: BlobError.rangeOutside(blob: digest, byteCount: 3)) {
            try store.reader(digest).read(at: 2, count: 2)
        }
        #expect(try store.withMapped(digest) { Array($0) } == Array("abc".utf8))
        #expect(try store.byteCount == 3)
        let empty = try store.write([])
        #expect(try store.withMapped(empty) { $0.count } == 0)
        #expect(throws: BlobError.absent(.zero)) { _ = try store.reader(.zero) }
    }

    @Test("an interrupted download goes on where it stopped, also in another process")
    func resume() throws {
        let bytes = (0..<700_000).map { UInt8(truncatingIfNeeded: $0 * 31 >> 3) }
        let digest = try name(bytes)
        do {
            var writer = try store.resume(digest, byteCount: 700_000)
            try writer.append(Array(bytes[..<300_000]))
            #expect(throws: BlobError.alreadyBeingWritten(digest)) {
                _ = try store.resume(digest, byteCount: 700_000)
            }
        }
        #expect(!store.contains(digest))
        let restarted = try BlobStore(directory: store.directory)
        var writer = try restarted.resume(digest, byteCount: 700_000)
        #expect(writer.byteCount == 300_000)
        try writer.append(Array(bytes[300_000...]))
        #expect(try writer.finish() == digest)
        #expect(try restarted.read(digest, byteCountMax: 1 << 20) == bytes)
        #expect(!Files.exists(store.directory + "/\(digest.hexadecimal).partial"))
    }

    @Test("wrong bytes, too many or too few make no blob")
    func wrong() throws {
        let bytes: [UInt8] = [1, 2, 3, 4]
        let digest = try name(bytes)
        let partial = store.directory + "/\(digest.hexadecimal).partial"
        var writer = try store.resume(digest, byteCount: 4)
        try writer.append([1, 2, 3, 5])
        let actual = try name([1, 2, 3, 5])
        #expect(
            finish(writer) == .failure(.digestMismatch(expected: digest, actual: actual)))
        #expect(!Files.exists(partial))
        do {
            var writer = try store.resume(digest, byteCount: 4)
            try writer.append([1, 2])
            #expect(finish(writer) == .failure(.wrongSize(expected: 4, actual: 2)))
        }
        #expect(Files.exists(partial))
        do {
            var writer = try store.resume(digest, byteCount: 4)
            #expect(writer.byteCount == 2)
            #expect(throws: BlobError.wrongSize(expected: 4, actual: 5)) {
                try writer.append([3, 4, 5])
            }
        }
        #expect(!Files.exists(partial))
        #expect(try names() == [])
    }

    @Test("a blob of our own that is given up leaves nothing")
    func givenUp() throws {
        do {
            var writer = try store.writer()
            try writer.append([1, 2, 3])
        }
        #expect(try names() == [])
        var writer = try store.writer(byteCountMax: 2)
        #expect(throws: BlobError.wrongSize(expected: 2, actual: 3)) {
            try writer.append([1, 2, 3])
        }
    }

    @Test("a full disk is a typed error")
    func diskFull() throws {
        let digest = try name([1, 2, 3])
        let partial = store.directory + "/\(digest.hexadecimal).partial"
        #expect(symlink("/dev/full", partial) == 0)
        var writer = try store.resume(digest, byteCount: 3)
        #expect(throws: BlobError.diskFull(path: partial)) { try writer.append([1, 2, 3]) }
    }

    @Test("retention removes all but what is named, and what is being received stays")
    func retention() throws {
        let kept = try store.write([1])
        let dropped = try store.write([2])
        let half = try name([3, 4])
        let abandoned = try name([5, 6])
        do {
            var writer = try store.resume(abandoned, byteCount: 2)
            try writer.append([5])
        }
        var writer = try store.resume(half, byteCount: 2)
        try writer.append([3])
        try store.retain(only: [kept])
        #expect(store.contains(kept) && !store.contains(dropped))
        #expect(!Files.exists(store.directory + "/\(abandoned.hexadecimal).partial"))
        try writer.append([4])
        #expect(try writer.finish() == half)
        #expect(try store.remove(half) && !store.remove(half))
    }

    @Test("pages of a mapped blob can be given back and are there again")
    func givenBack() throws {
        let bytes = (0..<1_000_003).map { UInt8(truncatingIfNeeded: $0 &* 31 + $0 >> 9) }
        let digest = try store.write(bytes)
        try store.withMapped(digest) { mapped in
            #expect(Array(mapped) == bytes)
            let read = try Self.residentPages(of: mapped)
            #expect(read >= 240)
            var start = 0
            for end in [1, 4_095, 70_001, 70_002, 700_000, mapped.count] {
                MappedPages.release(UnsafeRawBufferPointer(rebasing: mapped[start..<end]))
                start = end
            }
            let kept = try Self.residentPages(of: mapped)
            #expect(kept <= 1)
            #expect(Array(mapped) == bytes)
        }
    }

    /// Pages that this process has in memory: bit 63 of the kernel's pagemap entries.
    private static func residentPages(of bytes: UnsafeRawBufferPointer) throws -> Int {
        let page = sysconf(Int32(_SC_PAGESIZE))
        let first = Int(bitPattern: bytes.baseAddress) / page
        var entries = [UInt64](repeating: 0, count: (bytes.count - 1) / page + 1)
        let file = open("/proc/self/pagemap", O_RDONLY)
        defer { close(file) }
        let size = 8 * entries.count
        try #require(pread(file, &entries, size, off_t(8 * first)) == size)
        return entries.count { $0 >> 63 == 1 }
    }
}
