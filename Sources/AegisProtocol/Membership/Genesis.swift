package import AegisCore

/// What every founder signs: this founding statement with this first roster. From then on the
/// trust root of the mesh.
package struct GenesisStatement: Hashable, Sendable {
    package let mesh: MeshID
    /// Of the signed founding statement.
    package let founding: Digest
    package let roster: Roster

    package init(mesh: MeshID, founding: Digest, roster: Roster) {
        self.mesh = mesh
        self.founding = founding
        self.roster = roster
    }

    package var payload: [UInt8] {
        CBOR.fields([1: .bytes(mesh.bytes), 2: .digest(founding), 3: roster.cbor]).encoded
    }

    package init(payload: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: payload)
        mesh = try fields.mesh(1)
        founding = try fields.digest(2)
        roster = try Roster(try fields.value(3))
        try fields.finish()
    }
}

/// The file `genesis.cbor`: the admin's signed founding statement and the genesis statement as
/// each founder signed it. Whoever reads it verifies all of it (AegisIdentity).
package struct GenesisDocument: Hashable, Sendable {
    /// COSE_Sign1 of a `FoundingStatement` by the admin.
    package let founding: [UInt8]
    /// COSE_Sign1 of equal `GenesisStatement`s, one by each founder.
    package let signatures: [[UInt8]]

    package init(founding: [UInt8], signatures: [[UInt8]]) {
        self.founding = founding
        self.signatures = signatures
    }

    package var encoded: [UInt8] {
        CBOR.fields([1: .bytes(founding), 2: .array(signatures.map { .bytes($0) })]).encoded
    }

    package init(decoding bytes: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: bytes)
        founding = try fields.bytes(1)
        signatures = try fields.byteStrings(2, max: Limits.participantsMax)
        try fields.finish()
    }
}
