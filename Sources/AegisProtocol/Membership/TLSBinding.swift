package import AegisCore

/// Binds a TLS key to a node: signed by the node's identity key, carried inside its self-issued
/// leaf certificate (PROTOCOL.md §4.3).
package struct TLSBinding: Hashable, Sendable {
    package let mesh: MeshID
    package let node: NodeID
    /// SHA-256 of the leaf's SubjectPublicKeyInfo, DER.
    package let tlsKey: Digest
    /// Grows with each new key of this node; a lower one than was seen is stale.
    package let sequence: UInt64
    /// Seconds since 1970, UTC.
    package let notBefore: UInt64
    package let notAfter: UInt64

    package init(
        mesh: MeshID, node: NodeID, tlsKey: Digest, sequence: UInt64, notBefore: UInt64,
        notAfter: UInt64
    ) {
        self.mesh = mesh
        self.node = node
        self.tlsKey = tlsKey
        self.sequence = sequence
        self.notBefore = notBefore
        self.notAfter = notAfter
    }

    package var payload: [UInt8] {
        CBOR.fields([
            1: .bytes(mesh.bytes), 2: .node(node), 3: .digest(tlsKey), 4: .unsigned(sequence),
            5: .unsigned(notBefore), 6: .unsigned(notAfter),
        ]).encoded
    }

    package init(payload: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: payload)
        mesh = try fields.mesh(1)
        node = try fields.node(2)
        tlsKey = try fields.digest(3)
        sequence = try fields.unsigned(4)
        notBefore = try fields.unsigned(5)
        notAfter = try fields.unsigned(6)
        try fields.finish()
        guard notBefore <= notAfter else { throw .outOfRange(field: 6) }
    }
}
