package import AegisCore

/// What decides in a mesh: its id, its roster, its admin's key, and how to check a signature.
/// Everything that can be checked without a participant's state is here, for nodes, for the admin
/// and offline.
package struct MeshRules: Sendable {
    package let mesh: MeshID
    package let admin: NodeID
    package let policy: MeshPolicy
    package let roster: Roster
    package let rosterDigest: Digest
    package let initialState: ChainState
    package let cryptography: any ProtocolCryptography

    /// `genesis` and `founding` were verified by the caller (AegisIdentity).
    package init(
        founding: FoundingStatement, genesis: GenesisStatement,
        cryptography: any ProtocolCryptography
    ) {
        mesh = genesis.mesh
        admin = founding.admin
        policy = founding.policy
        roster = genesis.roster
        rosterDigest = cryptography.digest(genesis.roster.encoded)
        initialState = ChainState(
            genesis: cryptography.digest(genesis.payload), foundedAt: founding.foundedAt)
        self.cryptography = cryptography
    }

    /// The coordinator of a view: round robin over the roster, nothing to grind (§2.3).
    package func coordinator(height: UInt64, view: UInt32) -> NodeID {
        let index = (height % UInt64(roster.count) + UInt64(view)) % UInt64(roster.count)
        return roster.entries[Int(index)].node
    }

    /// The scope of statements of this mesh under this roster.
    package func scope(height: UInt64, view: UInt32) -> StatementScope {
        StatementScope(mesh: mesh, roster: rosterDigest, height: height, view: view)
    }
}
