import AegisCore
import AegisStore
import HTTPTypes
import HummingbirdCore
import NIOCore
import Synchronization

extension MeshResponder {
    /// `GET|HEAD /mesh/v1/blobs/sha256:<hex>`, with one range (RFC 9110 §14).
    func blobReply(
        to request: Request, from node: NodeID, on eventLoop: any EventLoop
    ) -> Reply {
        guard request.method == .get || request.method == .head else {
            return Reply(.problem(405, type: "method"), closing: true)
        }
        guard let digest = Digest(text: request.uri.path.dropFirst(Self.blobsPath.count)),
            let blobs, let byteCount = blobs.byteCount(of: digest)
        else { return Reply(.notFound) }
        guard let range = ByteRange(header: request.headers[.range], byteCount: byteCount) else {
            return Reply(
                MeshResponse(status: 416, headers: ["content-range": "bytes */\(byteCount)"]))
        }
        var fields: HTTPFields = [
            .eTag: "\"\(digest.hexadecimal)\"", .acceptRanges: "bytes",
            .contentType: "application/octet-stream", .contentLength: "\(range.count)",
        ]
        if range.isPartial {
            fields[.contentRange] = "bytes \(range.first)-\(range.end - 1)/\(byteCount)"
        }
        let head = HTTPResponse(
            status: range.isPartial ? .partialContent : .ok, headerFields: fields)
        if request.method == .head { return Reply(head) }
        guard connections.beginTransfer(to: node) else {
            return Reply(.busy(retryAfter: .seconds(1)))
        }
        let transfer = Transfer(of: node, in: connections)
        return Reply(
            head,
            ResponseBody(contentLength: Int(clamping: range.count)) { writer in
                defer { transfer.end() }
                let reader = try blobs.reader(digest)
                var offset = range.first
                // In pieces, each written when the one before has left: constant memory.
                while offset < range.end {
                    let chunk = try Self.chunk(of: reader, from: offset, to: range.end)
                    try await writer.write(chunk)
                    // The writer waits only once the event loop has found the socket full; until
                    // the loop has run, it would take megabytes more.
                    try await eventLoop.submit {}.get()
                    offset += UInt64(chunk.readableBytes)
                }
                try await writer.finish(nil)
            })
    }

    private static func chunk(
        of reader: borrowing BlobReader, from offset: UInt64, to end: UInt64
    ) throws -> ByteBuffer {
        let count = Int(min(UInt64(TransportLimits.blobChunkBytes), end - offset))
        var buffer = ByteBufferAllocator().buffer(capacity: count)
        var read = 0
        try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) {
            read = try reader.read(
                into: UnsafeMutableRawBufferPointer(rebasing: $0[..<count]), at: offset)
            return read
        }
        // The head has promised more: closing is the only honest end.
        guard read == count else { throw ChannelError.eof }
        return buffer
    }
}

/// One place among a peer's transfers, given back however the transfer ends.
private final class Transfer: Sendable {
    private let node: NodeID
    private let connections: ConnectionTable
    private let ended = Atomic(false)

    init(of node: NodeID, in connections: ConnectionTable) {
        self.node = node
        self.connections = connections
    }

    func end() {
        if !ended.exchange(true, ordering: .relaxed) { connections.endTransfer(to: node) }
    }

    // A reply whose body was never asked for.
    deinit { end() }
}

/// The bytes that a Range header asks for.
struct ByteRange: Hashable {
    let first: UInt64
    /// One past the last.
    let end: UInt64
    let isPartial: Bool
    var count: UInt64 { end - first }

    /// The whole blob without a header, or with one that isn't understood (as RFC 9110 §14.2
    /// asks). Nil where nothing of the range exists.
    init?(header: String?, byteCount: UInt64) {
        guard let header, header.hasPrefix("bytes="), !header.contains(",") else {
            self.init(whole: byteCount)
            return
        }
        let parts = header.dropFirst(6).split(
            separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else {
            self.init(whole: byteCount)
            return
        }
        switch (UInt64(parts[0]), UInt64(parts[1])) {
        case (let first?, let last?) where first <= last:
            guard first < byteCount else { return nil }
            self.init(first: first, end: min(last, byteCount - 1) + 1)
        case (let first?, nil) where parts[1].isEmpty:
            guard first < byteCount else { return nil }
            self.init(first: first, end: byteCount)
        case (nil, let suffix?) where parts[0].isEmpty:
            guard suffix > 0, byteCount > 0 else { return nil }
            self.init(first: byteCount - min(suffix, byteCount), end: byteCount)
        default: self.init(whole: byteCount)
        }
    }

    private init(whole byteCount: UInt64) {
        (first, end, isPartial) = (0, byteCount, false)
    }

    private init(first: UInt64, end: UInt64) {
        (self.first, self.end, isPartial) = (first, end, true)
    }
}
