package import AegisCore
import AsyncHTTPClient
import NIOHTTP1

extension MeshClient {
    /// How large a blob is that `node` has: what `download` is told where no statement has said it.
    package func byteCount(
        of blob: Digest, at node: NodeID
    ) async throws(MeshClientError) -> UInt64 {
        try await exchange(with: node) { session, url in
            var request = HTTPClientRequest(url: "\(url)/mesh/v1/blobs/\(blob)")
            request.method = .HEAD
            let response = try await session.http.execute(
                request, timeout: TransportLimits.callTimeout)
            try Self.checkStatus(
                Int(response.status.code), headers: response.headers, body: [], node: node)
            guard let count = response.headers.first(name: "content-length").flatMap(UInt64.init)
            else {
                throw MeshClientError.malformedResponse(node, reason: "a blob without a length")
            }
            return count
        }
    }
}
