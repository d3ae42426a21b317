package import AegisCore

/// What a node remembers of how it joined, without the token: `join.cbor`.
package struct JoinRecord: Hashable, Sendable {
    package let mesh: MeshID
    package let name: String
    /// host:port that this node advertised.
    package let address: String
    package let acceptor: NodeID
    /// host:port of the acceptor's mesh listener.
    package let acceptorAddress: String
    /// Seconds since 1970.
    package let joinedAt: UInt64

    package init(
        mesh: MeshID, name: String, address: String, acceptor: NodeID, acceptorAddress: String,
        joinedAt: UInt64
    ) {
        self.mesh = mesh
        self.name = name
        self.address = address
        self.acceptor = acceptor
        self.acceptorAddress = acceptorAddress
        self.joinedAt = joinedAt
    }

    package var encoded: [UInt8] {
        CBOR.fields([
            1: .bytes(mesh.bytes), 2: .text(name), 3: .text(address), 4: .node(acceptor),
            5: .text(acceptorAddress), 6: .unsigned(joinedAt),
        ]).encoded
    }

    package init(decoding bytes: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: bytes)
        mesh = try fields.mesh(1)
        name = try fields.text(2)
        address = try fields.text(3, max: Limits.addressBytesMax)
        acceptor = try fields.node(4)
        acceptorAddress = try fields.text(5, max: Limits.addressBytesMax)
        joinedAt = try fields.unsigned(6)
        try fields.finish()
    }
}
