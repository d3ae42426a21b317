package import AegisCore
package import AegisProtocol
package import AegisStore
package import AegisTransport

/// The admin's calls over the mesh's own TLS: only the node that is meant can answer.
package struct MeshClientCalls: MeshCalls {
    private let client: MeshClient

    package init(_ client: MeshClient) { self.client = client }

    private func introduce(_ node: RosterEntry) async throws {
        guard let address = MeshAddress(node.address) else {
            throw SetupError.invalidAddress(option: node.name, node.address)
        }
        await client.setAddress(address, of: node.node)
    }

    package func get(
        _ path: String, from node: RosterEntry, bytesMax: Int
    ) async throws -> [UInt8] {
        try await introduce(node)
        return try await client.get(path, from: node.node, bytesMax: bytesMax)
    }

    package func post(_ path: String, _ body: [UInt8], to node: RosterEntry) async throws {
        try await introduce(node)
        _ = try await client.post(path, body: body, to: node.node)
    }

    package func fetch(
        _ blob: Digest, from node: RosterEntry, into store: BlobStore
    ) async throws {
        try await introduce(node)
        let count = try await client.byteCount(of: blob, at: node.node)
        guard count <= Limits.blobBytesMax else {
            throw BlobError.wrongSize(expected: Limits.blobBytesMax, actual: count)
        }
        try await client.download(
            blob: blob, byteCount: count, from: [node.node], into: store)
    }
}
