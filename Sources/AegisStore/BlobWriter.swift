package import AegisCore
import Glibc

import struct Crypto.SHA256

/// A blob on its way to the disk, hashed while it arrives. Until `finish` has checked, flushed and
/// renamed it, nobody sees it. Given up, a download stays as `.partial` for the next attempt, and
/// anything else is removed.
package struct BlobWriter: ~Copyable, Sendable {
    /// Bytes written so far.
    package private(set) var byteCount: UInt64
    /// The announced digest, nil for a blob of our own.
    package let expected: Digest?
    private let byteCountMax: UInt64
    private let store: BlobStore
    private let path: String
    private let file: OpenFile
    private var hash: SHA256
    private var fate: Fate

    private enum Fate { case keptForResume, removed, finished }

    init(in store: BlobStore, byteCountMax: UInt64) throws(BlobError) {
        let path = store.directory + "/" + store.claims.temporaryName()
        let file: OpenFile
        do {
            file = try OpenFile(path, flags: O_WRONLY | O_CREAT | O_EXCL)
        } catch { throw BlobError(error) }
        self.store = store
        self.path = path
        self.file = file
        self.byteCountMax = byteCountMax
        expected = nil
        byteCount = 0
        hash = SHA256()
        fate = .removed
    }

    init(
        in store: BlobStore, expecting digest: Digest, byteCount: UInt64
    ) throws(BlobError) {
        guard byteCount <= Limits.blobBytesMax else {
            throw .wrongSize(expected: Limits.blobBytesMax, actual: byteCount)
        }
        guard store.claims.claim(digest) else { throw .alreadyBeingWritten(digest) }
        let path = store.path(of: digest) + BlobStore.partialSuffix
        let file: OpenFile
        var hash = SHA256()
        let kept: UInt64
        do throws(FileError) {
            let opened = try OpenFile(path, flags: O_RDWR | O_CREAT | O_APPEND)
            kept = try Self.rehash(opened, byteCountMax: byteCount, into: &hash)
            file = opened
        } catch {
            store.claims.release(digest)
            throw BlobError(error)
        }
        self.store = store
        self.path = path
        self.file = file
        self.hash = hash
        fate = .keptForResume
        self.byteCount = kept
        expected = digest
        byteCountMax = byteCount
    }

    deinit {
        if let expected, fate != .finished { store.claims.release(expected) }
        if fate == .removed { unlink(path) }
    }

    package mutating func append(_ bytes: UnsafeRawBufferPointer) throws(BlobError) {
        let (sum, overflow) = byteCount.addingReportingOverflow(UInt64(bytes.count))
        guard !overflow, sum <= byteCountMax else {
            fate = .removed
            throw .wrongSize(expected: byteCountMax, actual: sum)
        }
        do { try file.write(bytes) } catch { throw BlobError(error) }
        hash.update(bufferPointer: bytes)
        byteCount = sum
    }

    package mutating func append(_ bytes: [UInt8]) throws(BlobError) {
        do {
            try bytes.withUnsafeBytes { try append($0) }
        } catch let error as BlobError {
            throw error
        } catch { preconditionFailure("no other error is thrown") }
    }

    /// Makes the blob visible and durable. A blob that isn't what was announced is removed.
    package consuming func finish() throws(BlobError) -> Digest {
        if expected != nil, byteCount != byteCountMax {
            throw .wrongSize(expected: byteCountMax, actual: byteCount)
        }
        guard let digest = Digest(Array(hash.finalize())) else {
            preconditionFailure("SHA-256 has 32 bytes")
        }
        if let expected, expected != digest {
            fate = .removed
            throw .digestMismatch(expected: expected, actual: digest)
        }
        do {
            try file.flush()
            try Directory.rename(path, to: store.path(of: digest))
        } catch { throw BlobError(error) }
        if let expected { store.claims.release(expected) }
        fate = .finished
        return digest
    }

    /// Gives up and forgets what has arrived.
    package consuming func discard() { fate = .removed }

    /// Takes up what an interrupted transfer left. More than was announced is no part of it.
    private static func rehash(
        _ file: borrowing OpenFile, byteCountMax: UInt64, into hash: inout SHA256
    ) throws(FileError) -> UInt64 {
        var size = try file.byteCount
        if size > byteCountMax {
            try file.truncate(to: 0)
            size = 0
        }
        var byteCount: UInt64 = 0
        while byteCount < size {
            let chunk = try file.read(
                at: byteCount, count: Int(min(size - byteCount, UInt64(1 << 18))))
            if chunk.isEmpty { break }
            hash.update(data: chunk)
            byteCount += UInt64(chunk.count)
        }
        return byteCount
    }
}
