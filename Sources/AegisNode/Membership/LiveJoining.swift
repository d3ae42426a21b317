import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisStore
import AegisTransport
import NIOCore

/// `aegis-node join --peer`: joins a mesh that is founded and runs. Any member takes the request;
/// the joiner checks the genesis against the token's pin and every decision since, sees its own
/// join decided by a quorum, and only then writes its directory.
package struct LiveJoining: Sendable {
    private let plan: JoinPlan
    private let peers: [String]

    package init(_ plan: JoinPlan, peers: [String]) {
        self.plan = plan
        self.peers = peers
    }

    package func join() async throws -> JoinPlan.Outcome {
        try await plan.withIdentity(
            pin: .genesis,
            otherwise: .joinRefused(
                code: "founding-token", detail: "this token is for a founding: use --admin")
        ) { token, identity, tls, group in
            try await join(token, identity: identity, tls: tls, group: group)
        }
    }

    /// Through the first peer that answers.
    private func join(
        _ token: JoinToken, identity: IdentityKey, tls: TLSIdentity, group: any EventLoopGroup
    ) async throws -> JoinPlan.Outcome {
        var failure: NodeError?
        for peer in peers {
            let link: AdminLink
            do { link = try await AdminLink(to: peer, identity: tls, group: group) } catch {
                failure = error
                continue
            }
            let result: Result<JoinPlan.Outcome, any Error>
            do {
                result = .success(
                    try await join(token, identity: identity, tls: tls, through: link))
            } catch { result = .failure(error) }
            await link.client.shutdown()
            return try result.get()
        }
        throw failure ?? NodeError.adminUnreachable("--peer", reason: "none is named")
    }

    private func join(
        _ token: JoinToken, identity: IdentityKey, tls: TLSIdentity, through link: AdminLink
    ) async throws -> JoinPlan.Outcome {
        let offer = try JoinOffer(decoding: try await link.get("/mesh/v1/offer"))
        guard offer.leafDER == link.peer.leafDER else {
            throw NodeError.join(.offerOfAnotherConnection)
        }
        let document = try GenesisDocument(decoding: offer.genesis)
        let genesis: Genesis
        do { genesis = try GenesisVerifier().verify(document) } catch {
            throw NodeError.genesisRefused(error)
        }
        guard genesis.digest == token.founding, genesis.mesh == token.mesh else {
            throw NodeError.join(.otherMeshThanTheToken(genesis.mesh, token: token.mesh))
        }
        let request = JoinRequest(
            mesh: token.mesh, tokenID: token.id, node: identity.publicKey,
            tlsKey: tls.spkiDigest, acceptor: link.peer.node,
            acceptorTLSKey: link.peer.spkiDigest, name: plan.name,
            address: plan.advertise,
            joinerNonce: randomBytes(16), acceptorNonce: offer.nonce)
        let joiner = Joiner(token: token, identity: identity, tls: tls)
        _ = try await link.post("/mesh/v1/join", body: joiner.sign(request))
        let newcomer = Newcomer(genesis: genesis, document: document, identity: identity)
        let entry = try await newcomer.follow(link)
        try newcomer.write(
            entry, to: plan.directory,
            plan.configuration(name: entry.name, admin: link.address), acceptor: link)
        return JoinPlan.Outcome(
            meshName: genesis.founding.statement.name, name: entry.name,
            node: identity.publicKey)
    }
}
