package import AegisCore
package import AegisStore
import AsyncHTTPClient
import NIOCore
import NIOHTTP1

extension MeshClient {
    /// Brings a blob into `store`: hashed while it arrives, taken up where it stopped, from the
    /// next holder when one fails. When it returns the blob is there, checked and durable.
    /// `progress` is told the bytes received so far.
    package func download(
        blob digest: Digest, byteCount: UInt64, from holders: [NodeID], into store: BlobStore,
        progress: (@Sendable (UInt64) -> Void)? = nil
    ) async throws(MeshClientError) {
        if store.contains(digest) { return }
        var failures: [MeshClientError] = []
        for holder in holders {
            do throws(MeshClientError) {
                return try await exchange(with: holder) { session, url in
                    try await withTaskExecutorPreference(DiskExecutor.shared) {
                        try await fetch(
                            digest, byteCount: byteCount, from: holder, session: session,
                            url: url, into: store, progress: progress)
                    }
                }
            } catch {
                // Our own disk won't be better with another holder.
                if case .blob(_, .diskFull) = error { throw error }
                if case .blob(_, .file) = error { throw error }
                if case .blob(_, .alreadyBeingWritten) = error { throw error }
                if error == .cancelled || error == .closed { throw error }
                failures.append(error)
            }
        }
        throw .noHolder(digest, failures)
    }

    @concurrent
    private func fetch(
        _ digest: Digest, byteCount: UInt64, from node: NodeID, session: PeerLink.Session,
        url: String, into store: BlobStore, progress: (@Sendable (UInt64) -> Void)?
    ) async throws {
        do {
            var writer = try store.resume(digest, byteCount: byteCount)
            if writer.byteCount < byteCount {
                var request = HTTPClientRequest(url: "\(url)/mesh/v1/blobs/\(digest)")
                let offset = writer.byteCount
                if offset > 0 { request.headers.add(name: "range", value: "bytes=\(offset)-") }
                // No deadline: a large blob takes its time. The read timeout ends a stalled one.
                let response = try await session.http.execute(request, deadline: .distantFuture)
                try await Self.check(response, offset: offset, node: node)
                for try await buffer in response.body {
                    try buffer.withUnsafeReadableBytes { try writer.append($0) }
                    progress?(writer.byteCount)
                }
            }
            _ = try writer.finish()
        } catch let error as BlobError {
            throw MeshClientError.blob(node, error)
        }
    }

    private static func check(
        _ response: HTTPClientResponse, offset: UInt64, node: NodeID
    ) async throws {
        switch (response.status, offset) {
        case (.ok, 0): return
        case (.partialContent, _):
            let range = response.headers.first(name: "content-range") ?? ""
            guard range.hasPrefix("bytes \(offset)-") else {
                throw MeshClientError.malformedResponse(
                    node, reason: "asked for bytes from \(offset), got \(range)")
            }
        case (.ok, _):
            throw MeshClientError.malformedResponse(node, reason: "the range was ignored")
        default:
            let body = try await response.body.collect(upTo: 4_096)
            try checkStatus(
                Int(response.status.code), headers: response.headers,
                body: Array(body.readableBytesView), node: node)
        }
    }
}
