package import AegisCore

/// A node asks to become a participant. Signed by the node (possession of its key) around the
/// token's signature over the same request (authorisation); bound to the acceptor's key and both
/// nonces, so it can't be relayed or replayed (PROTOCOL.md §4.4).
package struct JoinRequest: Hashable, Sendable {
    package let mesh: MeshID
    /// 8 bytes.
    package let tokenID: [UInt8]
    package let node: NodeID
    /// SHA-256 of the node's TLS SubjectPublicKeyInfo.
    package let tlsKey: Digest
    package let acceptor: NodeID
    /// SHA-256 of the acceptor's TLS SubjectPublicKeyInfo.
    package let acceptorTLSKey: Digest
    package let name: String
    package let address: String
    /// 16 bytes each.
    package let joinerNonce: [UInt8]
    package let acceptorNonce: [UInt8]

    package init(
        mesh: MeshID, tokenID: [UInt8], node: NodeID, tlsKey: Digest, acceptor: NodeID,
        acceptorTLSKey: Digest, name: String, address: String, joinerNonce: [UInt8],
        acceptorNonce: [UInt8]
    ) {
        self.mesh = mesh
        self.tokenID = tokenID
        self.node = node
        self.tlsKey = tlsKey
        self.acceptor = acceptor
        self.acceptorTLSKey = acceptorTLSKey
        self.name = name
        self.address = address
        self.joinerNonce = joinerNonce
        self.acceptorNonce = acceptorNonce
    }

    /// What the token's key signs (COSE_Sign1, type `joinRequest`, sender: the token's public
    /// key); the node signs that envelope's bytes as its payload.
    package var payload: [UInt8] {
        CBOR.fields([
            1: .bytes(mesh.bytes), 2: .bytes(tokenID), 3: .node(node), 4: .digest(tlsKey),
            5: .node(acceptor), 6: .digest(acceptorTLSKey), 7: .text(name), 8: .text(address),
            9: .bytes(joinerNonce), 10: .bytes(acceptorNonce),
        ]).encoded
    }

    package init(payload: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: payload)
        mesh = try fields.mesh(1)
        tokenID = try fields.bytes(2, max: 8)
        node = try fields.node(3)
        tlsKey = try fields.digest(4)
        acceptor = try fields.node(5)
        acceptorTLSKey = try fields.digest(6)
        name = try fields.text(7)
        address = try fields.text(8, max: Limits.addressBytesMax)
        joinerNonce = try fields.bytes(9, max: 16)
        acceptorNonce = try fields.bytes(10, max: 16)
        try fields.finish()
        guard tokenID.count == 8, joinerNonce.count == 16, acceptorNonce.count == 16 else {
            throw .outOfRange(field: 2)
        }
    }
}
