import AegisAPI
package import AegisCore
import AegisCrypto
package import AegisIdentity
package import AegisProtocol

// What an administrator asks the mesh to decide about its members.
extension RunDesk {
    /// Signed and kept; the observer hands it to the nodes until it is decided.
    package func ask(_ change: MembershipChange, now: UInt64) async throws {
        try await database.insertChange(try await command(change, now: now))
    }

    private func command(_ change: MembershipChange, now: UInt64) async throws -> StoredCommand {
        guard let rules = try await observer.meshRules(),
            let chain = try await observer.chain()
        else { throw Problem(.meshOpen) }
        let command = try await commands.command(
            .membership(change), after: chain.state, lasting: Self.commandMilliseconds, now: now)
        if let refusal = chain.state.refusal(of: command, mesh: rules.mesh, at: now) {
            throw Problem(.notReady, detail: "the mesh would refuse it: \(refusal)")
        }
        return commands.sign(command)
    }

    /// The member of this name or id.
    package func member(_ name: String) async throws -> NodeID {
        guard let roster = try await observer.chain()?.roster else { throw Problem(.meshOpen) }
        guard let entry = roster.members.first(where: { $0.name == name || $0.node.text == name })
        else { throw Problem(.notFound, detail: "there is no member \(name.prefix(64))") }
        return entry.node
    }

    /// A token for a mesh that runs; addresses of members that take it.
    package func createLiveToken(
        name: String, seconds: Int, limits: TokenLimits = TokenLimits(), purpose: String,
        by actor: String, now: UInt64
    ) async throws -> (token: JoinToken, peers: [String]) {
        guard let rules = try await observer.meshRules(),
            let chain = try await observer.chain()
        else { throw Problem(.meshOpen) }
        let token = try JoinToken.mint(
            mesh: rules.mesh, pin: .genesis, founding: chain.genesis,
            notAfter: now / 1_000 + UInt64(seconds))
        let grant = TokenGrant(of: token, name: name)
        let purposes: [TokenLimits.Kind: JoinGrant.Purpose] = [
            .participant: .participant, .observer: .observer,
        ]
        guard let wanted = purposes[limits.kind] else {
            // The admin itself takes it, and signs the change then: the chain knows nothing of it.
            let limits = TokenLimits(
                kind: .replacement, replaces: try replaced(name, in: chain.state, now: now))
            try await database.insertGrant(
                grant, limits: limits, purpose: purpose, at: now, by: actor)
            return (token, [])
        }
        guard !chain.roster.members.contains(where: { $0.name == name }) else {
            throw Problem(.nameTaken, detail: "\(name) is a member already")
        }
        let command = try await command(
            .grantToken(
                JoinGrant(
                    tokenID: token.id, tokenKey: token.publicKey, purpose: wanted, name: name,
                    usesMax: limits.uses, notAfter: token.notAfter * 1_000)),
            now: now)
        try await database.insertChange(
            command, grant: grant, limits: limits, purpose: purpose, by: actor, at: now)
        return (token, chain.roster.entries.map(\.address))
    }

    /// The member whose key may be replaced now.
    private func replaced(
        _ name: String, in state: ChainState, now: UInt64
    ) throws -> NodeID {
        guard let entry = state.roster.members.first(where: { $0.name == name }) else {
            throw Problem(.notFound, detail: "there is no member \(name.prefix(64))")
        }
        if state.convicted.contains(entry.node) {
            throw Problem(.notReady, detail: "\(name) is convicted: it is out for good")
        }
        return entry.node
    }
}
