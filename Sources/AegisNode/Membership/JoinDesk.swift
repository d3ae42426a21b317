import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisTransport

/// A member's side of a join on a live mesh (PROTOCOL.md §4.4): shows the trust root, checks the
/// request against the token that the mesh has granted, and hands it to the protocol core, which
/// spreads it. The quorum decides; the admin may be down.
struct JoinDesk: Sendable {
    let membership: MeshMembership
    let inbox: Inbox
    let node: NodeID
    let genesis: [UInt8]
    let leaf: LeafInUse
    private let nonces = NonceBook()

    init(
        membership: MeshMembership, inbox: Inbox, node: NodeID, genesis: [UInt8], leaf: LeafInUse
    ) {
        self.membership = membership
        self.inbox = inbox
        self.node = node
        self.genesis = genesis
        self.leaf = leaf
    }

    func offer() -> MeshResponse {
        let offer = JoinOffer(genesis: genesis, leafDER: leaf.leaf.leafDER)
        nonces.issue(offer.nonce, now: MachineClock.wallSeconds)
        return .cbor(offer.encoded)
    }

    /// 202 where the mesh will decide.
    func join(_ body: [UInt8], from peer: VerifiedPeer) -> MeshResponse {
        let chain = membership.chain
        let now = MachineClock.wallSeconds
        let nonces = nonces
        let acceptor = Acceptor(
            mesh: membership.rules.mesh, node: node, tlsKeys: [leaf.leaf.spkiDigest])
        let accepted: Acceptor.Accepted
        let envelope: SignedEnvelope
        do {
            accepted = try acceptor.verify(
                body, now: now, clientTLSKey: peer.spkiDigest,
                isNonceIssued: { nonces.isIssued($0, now: now) },
                grant: { chain.granted($0).map { TokenGrant($0, asking: peer.node) } })
            envelope = try SignedEnvelope(parsing: body)
        } catch let error as JoinError {
            return .problem(403, type: "urn:aegis:problem:" + error.code, "\(error)")
        } catch {
            return .problem(400, type: "urn:aegis:problem:malformed-request", "\(error)")
        }
        if !accepted.isRepeat {
            let command = Command(
                mesh: membership.rules.mesh, sequence: 0, expiresAt: .max,
                action: .membership(
                    .join(accepted.request, token: accepted.grant.tokenKey)))
            if let refusal = chain.refusal(
                of: command, mesh: membership.rules.mesh, at: MachineClock.wallMilliseconds)
            {
                return .problem(409, type: "urn:aegis:problem:join-refused", "\(refusal)")
            }
            guard inbox.hasRoom(for: 1, from: peer.node) else {
                return .busy(retryAfter: .seconds(1))
            }
            inbox.add(.received(.signed(envelope), from: peer.node))
        }
        membership.welcome(peer.node)
        return .cbor(CBOR.fields([1: .unsigned(chain.height)]).encoded, status: 202)
    }
}

extension TokenGrant {
    /// As an acceptor checks it: used up where it is, unless by the one who asks again.
    fileprivate init(_ granted: GrantedToken, asking node: NodeID) {
        let grant = granted.grant
        let isUsedUp = granted.users.count >= grant.usesMax
        self.init(
            tokenID: grant.tokenID, tokenKey: grant.tokenKey, name: grant.name,
            notAfter: grant.notAfter / 1_000,
            usedBy: granted.users.contains(node) ? node : isUsedUp ? granted.users.first : nil)
    }
}
