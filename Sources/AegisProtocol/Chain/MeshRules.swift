package import AegisCore

/// What decides in a mesh: its id, its roster, its admin's key, and how to check a signature.
/// Everything that can be checked without a participant's state is here, for nodes, for the admin
/// and offline.
package struct MeshRules: Sendable {
    package let mesh: MeshID
    /// Whose commands count at the next height; the founding's, unless `at` gave these rules.
    package private(set) var admin: NodeID
    /// Of the next height, likewise.
    package private(set) var policy: MeshPolicy
    /// Who decides the next height; the founders, unless `at` gave these rules.
    package private(set) var roster: Roster
    package private(set) var rosterDigest: Digest
    package private(set) var initialState: ChainState
    package let cryptography: any ProtocolCryptography
    /// Empty but in tests of the checkers.
    package private(set) var breaches: RuleBreaches
    /// Who coordinates the first views of every height, by place in the roster. Empty but in
    /// simulations that try every coordinator.
    private var coordinators: [UInt8] = []

    /// `genesis` and `founding` were verified by the caller (AegisIdentity).
    package init(
        founding: FoundingStatement, genesis: GenesisStatement,
        cryptography: any ProtocolCryptography, breaches: RuleBreaches = []
    ) {
        mesh = genesis.mesh
        admin = founding.admin
        policy = founding.policy
        roster = genesis.roster
        rosterDigest = cryptography.digest(genesis.roster.encoded)
        initialState = ChainState(
            genesis: cryptography.digest(genesis.payload), founding: founding,
            roster: genesis.roster, rosterDigest: rosterDigest, breaches: breaches)
        self.cryptography = cryptography
        self.breaches = breaches
    }

    /// The rules for the height after `state`: roster, admin and policy are those that it decided.
    package func at(_ state: ChainState) -> MeshRules {
        guard !holds(in: state) else { return self }
        var rules = self
        rules.roster = state.roster
        rules.rosterDigest = state.rosterDigest
        rules.admin = state.admin
        rules.policy = state.policy
        return rules
    }

    /// Whether these are the rules for the height after `state`.
    func holds(in state: ChainState) -> Bool {
        state.rosterDigest == rosterDigest && state.admin == admin && state.policy == policy
    }

    /// What a header says of the roster of the next height.
    func digest(of next: Roster) -> Digest {
        next == roster ? rosterDigest : cryptography.digest(next.encoded)
    }

    /// The rules as they should be.
    package var unbroken: MeshRules {
        var rules = self
        rules.breaches = []
        rules.initialState = initialState.unbroken
        return rules
    }

    /// For simulations.
    package func breaking(_ breaches: RuleBreaches) -> MeshRules {
        var rules = self
        rules.breaches.formUnion(breaches)
        rules.initialState.breaches.formUnion(breaches)
        return rules
    }

    /// For simulations.
    package func coordinated(by places: [UInt8]) -> MeshRules {
        var rules = self
        rules.coordinators = places
        return rules
    }

    /// q: the signatures that decide.
    package var quorum: Int {
        let roster = breaches.contains(.quorumOfFounders) ? initialState.roster : roster
        return roster.quorum - (breaches.contains(.smallQuorum) ? 1 : 0)
    }

    /// The timeouts that elect a coordinator: q.
    package var electionQuorum: Int {
        breaches.contains(.electionByFew) ? roster.faultTolerance + 1 : quorum
    }

    /// The first votes that certify a value: q.
    package var certificateQuorum: Int {
        breaches.contains(.vote2WithoutQuorum) ? roster.faultTolerance + 1 : quorum
    }

    /// t: the HaveLists that include an update.
    var inclusionThreshold: Int {
        breaches.contains(.singleVoucher) ? 1 : roster.inclusionThreshold
    }

    /// The coordinator of a view: round robin over the roster without those whom the chain has
    /// convicted before this height; nothing to grind (§2.3).
    package func coordinator(
        height: UInt64, view: UInt32, convicted: [NodeID] = []
    ) -> NodeID {
        let all = roster.nodes
        if Int(view) < coordinators.count { return all[Int(coordinators[Int(view)]) % all.count] }
        // More than f convictions would say that the roster itself can't be trusted.
        let left = convicted.isEmpty ? all : all.filter { !convicted.contains($0) }
        let eligible = left.count >= all.count - roster.faultTolerance ? left : all
        let index =
            (height % UInt64(eligible.count) + UInt64(view)) % UInt64(eligible.count)
        return eligible[Int(index)]
    }

    /// Whether a header is what it should be.
    func isEqual(_ expected: Header, _ header: Header) -> Bool {
        guard breaches.contains(.timeUnchecked) else { return expected == header }
        var expected = expected
        expected.committedTime = header.committedTime
        return expected == header
    }

    /// The scope of statements of this mesh under this roster.
    package func scope(height: UInt64, view: UInt32) -> StatementScope {
        StatementScope(mesh: mesh, roster: rosterDigest, height: height, view: view)
    }
}
