package import AegisCore
package import AegisProtocol
package import AegisStore

/// What the admin asks of nodes; a test answers in their place.
package protocol MeshCalls: Sendable {
    func get(_ path: String, from node: RosterEntry, bytesMax: Int) async throws -> [UInt8]
    func post(_ path: String, _ body: [UInt8], to node: RosterEntry) async throws
    func fetch(_ blob: Digest, from node: RosterEntry, into store: BlobStore) async throws
}
