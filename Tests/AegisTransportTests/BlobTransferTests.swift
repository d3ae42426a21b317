import AegisCore
import AegisIdentity
import AegisStore
import AegisTransport
import NIOCore
import Synchronization
import TestFolders
import Testing

import struct Crypto.SHA256

@Suite("Blobs between peers", .timeLimit(.minutes(1)))
struct BlobTransferTests {
    private let directory: TemporaryDirectory
    private let north: Participant
    private let south: Participant
    private let served: BlobStore
    private let received: BlobStore

    init() throws {
        directory = try TemporaryDirectory()
        north = try Participant()
        south = try Participant()
        served = try BlobStore(directory: directory.file("served"))
        received = try BlobStore(directory: directory.file("received"))
    }

    private func fill(_ store: BlobStore, byteCount: Int) throws -> Digest {
        var writer = try store.writer()
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        for number in 0..<(byteCount >> 16) {
            for index in 0..<8 { piece[index] = UInt8(truncatingIfNeeded: number >> index) }
            try writer.append(piece)
        }
        try writer.append([UInt8](repeating: 9, count: byteCount & 0xffff))
        return try writer.finish()
    }

    private func hash(_ bytes: [UInt8]) throws -> Digest {
        let hash = Array(SHA256.hash(data: bytes))
        return try #require(Digest(hash))
    }

    @Test("64 MB arrive whole, with progress")
    func large() async throws {
        let byteCount = 64 << 20
        let digest = try fill(served, byteCount: byteCount)
        let progress = Mutex<[UInt64]>([])
        try await withServer(north.identity, blobs: served, handler: RecordingHandler()) {
            _, address in
            await south.client.setAddress(address, of: north.node)
            try await south.client.download(
                blob: digest, byteCount: UInt64(byteCount), from: [north.node], into: received
            ) { count in progress.withLock { $0.append(count) } }
        }
        #expect(received.byteCount(of: digest) == UInt64(byteCount))
        progress.withLock {
            #expect($0.last == UInt64(byteCount))
            #expect($0 == $0.sorted())
        }
        await south.client.shutdown()
    }

    @Test("a blob whose bytes are not its digest's is refused, and nothing stays on the disk")
    func wrongDigest() async throws {
        let claimed = try hash([1, 2, 3])
        try Files.write([1, 2, 4], to: served.directory + "/" + claimed.hexadecimal)
        let actual = try hash([1, 2, 4])
        try await withServer(north.identity, blobs: served, handler: RecordingHandler()) {
            _, address in
            await south.client.setAddress(address, of: north.node)
            await #expect(
                throws: MeshClientError.noHolder(
                    claimed,
                    [.blob(north.node, .digestMismatch(expected: claimed, actual: actual))])
            ) {
                try await south.client.download(
                    blob: claimed, byteCount: 3, from: [north.node], into: received)
            }
            #expect(try Files.names(in: received.directory) == [])
            // One that is longer than announced, too.
            try Files.write([1, 2, 3, 4], to: served.directory + "/" + claimed.hexadecimal)
            await #expect(
                throws: MeshClientError.noHolder(
                    claimed, [.blob(north.node, .wrongSize(expected: 3, actual: 4))])
            ) {
                try await south.client.download(
                    blob: claimed, byteCount: 3, from: [north.node], into: received)
            }
            #expect(try Files.names(in: received.directory) == [])
        }
        await south.client.shutdown()
    }

    @Test("a transfer that stops goes on from there with the next holder")
    func resume() async throws {
        let byteCount = 1_000_000
        let digest = try fill(served, byteCount: byteCount)
        // This holder's file ends early.
        let half = try BlobStore(directory: directory.file("half"))
        let bytes = try served.read(digest, byteCountMax: byteCount)
        try Files.write(bytes[..<600_000], to: half.directory + "/" + digest.hexadecimal)
        let west = try Participant()
        let east = try Participant()
        let progress = Mutex<[UInt64]>([])
        try await withServer(west.identity, blobs: half, handler: RecordingHandler()) {
            _, westAddress in
            try await withServer(north.identity, blobs: served, handler: RecordingHandler()) {
                _, address in
                let client = south.client
                await client.setPeers([
                    west.node: westAddress, north.node: address,
                    east.node: MeshAddress(host: "127.0.0.1", port: 1),
                ])
                try await client.download(
                    blob: digest, byteCount: UInt64(byteCount),
                    from: [east.node, west.node, north.node], into: received
                ) { count in progress.withLock { $0.append(count) } }
                await #expect(
                    throws: MeshClientError.noHolder(
                        .zero,
                        [
                            .connectionRefused(east.node),
                            .status(north.node, 404, problem: "not-found"),
                        ])
                ) {
                    try await client.download(
                        blob: .zero, byteCount: 5, from: [east.node, north.node],
                        into: received)
                }
            }
        }
        #expect(try received.read(digest, byteCountMax: byteCount) == bytes)
        // Nothing came twice.
        progress.withLock { #expect($0 == $0.sorted() && Set($0).count == $0.count) }
        await south.client.shutdown()
    }

    @Test(
        "ranges and HEAD are as RFC 9110 §14 says",
        arguments: [
            (["-r", "2-5"], "206 4 bytes 2-5/10"), (["-r", "-3"], "206 3 bytes 7-9/10"),
            (["-r", "7-"], "206 3 bytes 7-9/10"), (["-r", "8-99"], "206 2 bytes 8-9/10"),
            (["-r", "10-"], "416 0 bytes */10"), ([], "200 10 "), (["-I"], "200 0 "),
            (["-H", "Range: bytes=0-1,3-4"], "200 10 "), (["-X", "PUT"], "405 - "),
        ])
    func ranges(arguments: [String], expected: String) async throws {
        let digest = try served.write(Array("0123456789".utf8))
        try Files.write(Array(south.identity.leafPEM.utf8), to: directory.file("leaf.pem"))
        try Files.write(
            Array(south.identity.privateKeyPEM.utf8), to: directory.file("key.pem"))
        let answer = try await withServer(
            north.identity, blobs: served, handler: RecordingHandler()
        ) { _, address in
            try await Shell.output(
                [
                    "curl", "-sk", "-o", "/dev/null", "--cert", directory.file("leaf.pem"),
                    "--key", directory.file("key.pem"), "-w",
                    "%{http_code} %{size_download} %header{content-range}",
                ] + arguments + ["https://\(address)/mesh/v1/blobs/\(digest)"])
        }
        if expected.contains(" - ") {
            #expect(answer.hasPrefix(expected.prefix(3)))
        } else {
            #expect(answer == expected)
        }
    }
}
