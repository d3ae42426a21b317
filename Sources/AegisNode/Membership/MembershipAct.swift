import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisStore
import AegisTransport
import NIOCore
import NIOPosix

/// `aegis-node leave`, `move` and `motion`: what a node asks of the mesh, signed with its own key.
/// It is spread by whoever takes it, and decided by the quorum.
package struct MembershipAct: Sendable {
    package enum Wish: Sendable {
        case leave
        /// host:port that the others dial from then on.
        case move(to: String)
        /// This participant's word.
        case word(MotionDraft)
        /// It is taken back.
        case withdraw(MotionDraft)
    }

    private let directory: NodeDirectory
    private static let decisionWithin = Duration.seconds(60)

    package init(_ directory: NodeDirectory) { self.directory = directory }

    /// A token for newcomers that this participant has given its word for.
    package struct Sponsorship: Sendable {
        package let standing: MotionStanding
        /// The token itself, which is nowhere else.
        package let token: String
        /// Where newcomers may knock: a participant's address.
        package let peer: String
    }

    /// `name`: what the member will be called; empty: what its node says. Good for `seconds`, for
    /// `uses` nodes.
    package func sponsor(
        name: String, uses: Int, seconds: Int, observes: Bool
    ) async throws -> Sponsorship {
        let (rules, chain) = try Self.chain(of: directory)
        let token = try JoinToken.mint(
            mesh: rules.mesh, pin: .genesis, founding: rules.initialState.tip,
            notAfter: MachineClock.wallMilliseconds / 1_000 + UInt64(seconds))
        let standing = try await ask(
            .word(
                .grant(token, name: name, uses: uses, purpose: observes ? .observer : .participant))
        )
        guard let standing else { preconditionFailure("a word is about a motion") }
        return Sponsorship(
            standing: standing, token: token.secretText, peer: chain.roster.entries[0].address)
    }

    /// Returns once a quorum has decided it: how it stands with the motion, where it was about one.
    @discardableResult
    package func ask(_ wish: Wish) async throws -> MotionStanding? {
        let identityDirectory = try directory.identityDirectory()
        let identity = try identityDirectory.key()
        let (rules, chain) = try Self.chain(of: directory)
        let change: MembershipChange =
            switch wish {
            case .leave: .leave(identity.publicKey)
            case .move(let address): .moveAddress(identity.publicKey, address)
            case .word(let draft): .word(identity.publicKey, try Self.wanted(draft, rules, chain))
            case .withdraw(let draft):
                .withdraw(identity.publicKey, try draft.motion(rules, chain))
            }
        let request = try MembershipRequest(change, mesh: rules.mesh, by: identity)
        if case .word(let node, let motion) = change,
            chain.words(for: motion, at: chain.committedTime).contains(node)
        {
            return MotionStanding(motion, rules, chain)
        }
        if let refusal = request.refusal(in: chain, mesh: rules.mesh) {
            throw NodeError.membershipRefused("\(refusal)")
        }
        guard try !directory.isRunning else {
            return Self.outcome(
                of: change, rules,
                try await ask(through: identityDirectory, request, rules, chain))
        }
        let lock = try ProcessLock(directory: directory.path)
        defer { withExtendedLifetime(lock) {} }
        let leaf = try LeafIssuer(
            identity: identity, mesh: rules.mesh, directory: identityDirectory,
            organisation: { [directory] in
                try directory.organisationChain(
                    directory.configuration(), of: identity.publicKey)
            }
        ).issue()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let client = MeshClient(identity: leaf, eventLoopGroup: group)
        let result: Result<ChainState, any Error>
        do {
            result = .success(
                try await deliver(request, client, rules: rules, chain: chain))
        } catch { result = .failure(error) }
        await client.shutdown()
        try? await group.shutdownGracefully()
        return Self.outcome(of: change, rules, try result.get())
    }

    /// An admin is agreed to by the key that its owner has told, not by what a list says.
    private static func wanted(
        _ draft: MotionDraft, _ rules: MeshRules, _ chain: ChainState
    ) throws(NodeError) -> Motion {
        let motion = try draft.motion(rules, chain)
        if case .listed = draft, case .admin = motion {
            throw .adminRefused("its key is to be given: aegis-node motion admin FILE --key KEY")
        }
        return motion
    }

    private static func outcome(
        of change: MembershipChange, _ rules: MeshRules, _ state: ChainState
    ) -> MotionStanding? {
        switch change {
        case .word(_, let motion), .withdraw(_, let motion): MotionStanding(motion, rules, state)
        default: nil
        }
    }

    /// By the node that runs in this folder.
    private func ask(
        through folder: IdentityDirectory, _ request: MembershipRequest, _ rules: MeshRules,
        _ chain: ChainState
    ) async throws -> ChainState {
        let name = OwnerDesk.requestName(of: request.envelope)
        try folder.write(name, request.envelope.bytes)
        defer { try? folder.remove(name) }
        let database = try NodeDatabase(path: directory.databasePath)
        var state = chain
        let clock = ContinuousClock()
        let end = clock.now + Self.decisionWithin
        while clock.now < end {
            let news = try database.commits(from: state.height + 1, count: CommitList.countMax)
            state = try rules.replay(try news.map(CommitRecord.init(decoding:)), from: state)
            if try Self.isDecided(request, in: state, rules) { return state }
            try await Task.sleep(for: .milliseconds(300))
        }
        throw NodeError.membershipRefused("the mesh has not decided within a minute")
    }

    private static func isDecided(
        _ request: MembershipRequest, in state: ChainState, _ rules: MeshRules
    ) throws(NodeError) -> Bool {
        switch request.outcome(in: state, mesh: rules.mesh) {
        case .open: false
        case .done: true
        // Somebody else's wish was decided first.
        case .refused(let refusal): throw .membershipRefused("\(refusal)")
        }
    }

    /// What this node's disk has of the chain.
    static func chain(of directory: NodeDirectory) throws -> (MeshRules, ChainState) {
        let (rules, chain, _) = try history(of: directory, name: "")
        return (rules, chain)
    }

    /// The same, and what the member of this name has trained on.
    static func history(
        of directory: NodeDirectory, name: String
    ) throws -> (MeshRules, ChainState, SpendingClaims) {
        let founding = try directory.founding()
        guard let genesis = try directory.genesis(of: founding) else {
            throw EvidenceError.notFounded(directory.path)
        }
        let rules = MeshRules(
            founding: founding.statement, genesis: genesis.statement, cryptography: Libsodium())
        let database = try NodeDatabase(path: directory.databasePath)
        let replayed = try replay(rules, database, claimsOf: name)
        return (rules, replayed.chain, replayed.claims)
    }

    /// What the commits on the disk come to.
    struct Replayed {
        let chain: ChainState
        /// The state under whose roster the last of them was decided.
        let before: ChainState?
        let tip: CommitRecord?
        let claims: SpendingClaims
    }

    /// From the genesis on.
    static func replay(
        _ rules: MeshRules, _ database: NodeDatabase, claimsOf name: String
    ) throws -> Replayed {
        var chain = rules.initialState
        var before: ChainState?
        var tip: CommitRecord?
        var claims = SpendingClaims(of: name)
        while true {
            let batch = try database.commits(from: chain.height + 1, count: CommitList.countMax)
            guard !batch.isEmpty else { break }
            for bytes in batch {
                let record = try CommitRecord(decoding: bytes)
                let next = try rules.replay(CollectionOfOne(record), from: chain)
                claims.note(try Header(decoding: record.header), after: chain)
                (before, chain, tip) = (chain, next, record)
            }
        }
        claims.finish(chain)
        return Replayed(chain: chain, before: before, tip: tip, claims: claims)
    }

    private func deliver(
        _ request: MembershipRequest, _ client: MeshClient, rules: MeshRules, chain: ChainState
    ) async throws -> ChainState {
        let others = chain.roster.entries.filter { .node($0.node) != request.change.author }
        var taken = 0
        for entry in others {
            guard let address = MeshAddress(entry.address) else { continue }
            await client.setAddress(address, of: entry.node)
            let bytes = request.envelope.bytes
            if (try? await client.post(statements: [bytes], to: entry.node)) != nil { taken += 1 }
        }
        guard taken > 0 else {
            throw NodeError.membershipRefused("no participant of the mesh answers")
        }
        var state = chain
        let clock = ContinuousClock()
        let end = clock.now + Self.decisionWithin
        while clock.now < end {
            for entry in others {
                guard
                    let body = try? await client.get(
                        "/mesh/v1/commits?from=\(state.height + 1)", from: entry.node,
                        bytesMax: CommitList.bytesMax)
                else {
                    // Whoever has left is let in no longer.
                    if case .leave = request.change, await isGone(client, entry.node) {
                        return state
                    }
                    continue
                }
                for record in try CommitList.decode(body) {
                    state = try rules.verify(record, extending: state).state
                }
            }
            if try Self.isDecided(request, in: state, rules) { return state }
            try await Task.sleep(for: .milliseconds(300))
        }
        throw NodeError.membershipRefused("the mesh has not decided within a minute")
    }

    private func isGone(_ client: MeshClient, _ node: NodeID) async -> Bool {
        do {
            _ = try await client.get("/mesh/v1/status", from: node)
            return false
        } catch {
            switch error {
            case .refusedByPeer, .status(_, 403, _): return true
            default: return false
            }
        }
    }
}
