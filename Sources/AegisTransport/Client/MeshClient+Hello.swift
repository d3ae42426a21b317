package import AegisCore
import NIOCore

extension MeshClient {
    /// What the peer says of itself. A node of version 1 doesn't know the question; that it answers
    /// says that it is there.
    package func hello(
        of node: NodeID, within limit: Duration
    ) async throws(MeshClientError) -> MeshHello {
        let body: [UInt8]
        do throws(MeshClientError) {
            body = try await get(
                "/mesh/v1/hello", from: node, bytesMax: MeshHello.bytesMax,
                timeout: .nanoseconds(limit.nanoseconds))
        } catch {
            guard case .status(_, 404, _) = error else { throw error }
            return .ofVersionOne
        }
        do { return try MeshHello(decoding: body) } catch {
            throw .malformedResponse(node, reason: "hello: \(error)")
        }
    }
}

extension Duration {
    fileprivate var nanoseconds: Int64 {
        components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
    }
}
