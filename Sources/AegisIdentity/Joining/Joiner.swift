import AegisCore
package import AegisCrypto
package import AegisProtocol

/// A joiner's side of PROTOCOL.md §4.4, steps 3 and 5.
package struct Joiner: Sendable {
    private let token: JoinToken
    private let identity: IdentityKey
    private let tls: TLSIdentity

    package init(token: JoinToken, identity: IdentityKey, tls: TLSIdentity) {
        self.token = token
        self.identity = identity
        self.tls = tls
    }

    /// A request for the acceptor of `offer`, and what the offer proved.
    package struct Prepared: Sendable {
        package let founding: SignedFounding
        package let acceptor: VerifiedPeer
        package let request: JoinRequest
        /// COSE_Sign1 by the node around COSE_Sign1 by the token's key.
        package let body: [UInt8]
    }

    /// Checks the founding against the token's pin and the acceptor against the founding, then
    /// signs. `presentedLeafDER` is the certificate the connection was made with, where known. An
    /// empty `name` asks for the one in the grant.
    package func prepare(
        offer bytes: [UInt8], presentedLeafDER: [UInt8]?, name: String, address: String,
        now: UInt64
    ) throws(JoinError) -> Prepared {
        guard now <= token.notAfter else { throw .tokenExpired(at: token.notAfter) }
        guard name.isEmpty || Names.isValid(name) else { throw .invalidName(name) }
        guard MeshAddress(dialled: address) != nil else { throw .invalidAddress(address) }
        let offer: FoundingOffer
        do { offer = try FoundingOffer(decoding: bytes) } catch { throw .malformed(error) }
        let founding: SignedFounding
        do {
            founding = try SignedFounding(verifying: offer.founding, pinned: token.founding)
        } catch { throw .founding(error) }
        guard founding.statement.mesh == token.mesh else {
            throw .otherMeshThanTheToken(founding.statement.mesh, token: token.mesh)
        }
        if let presentedLeafDER, presentedLeafDER != offer.leafDER {
            throw .offerOfAnotherConnection
        }
        let acceptor: VerifiedPeer
        do {
            acceptor = try PeerCertificate.verify(
                leafDER: offer.leafDER, mesh: token.mesh, now: now)
        } catch { throw .acceptor(error) }
        guard acceptor.node == founding.statement.admin else {
            throw .acceptorIsNotTheAdmin(acceptor.node)
        }
        let request = JoinRequest(
            mesh: token.mesh, tokenID: token.id, node: identity.publicKey,
            tlsKey: tls.spkiDigest, acceptor: acceptor.node,
            acceptorTLSKey: acceptor.spkiDigest, name: name, address: address,
            joinerNonce: randomBytes(16), acceptorNonce: offer.nonce)
        return Prepared(
            founding: founding, acceptor: acceptor, request: request, body: sign(request))
    }

    /// The token's signature inside, the node's around it.
    package func sign(_ request: JoinRequest) -> [UInt8] {
        let authorised = token.makeKey().envelope(.joinRequest, request.payload)
        return EnvelopeSigner(identity).sign(.joinRequest, authorised.bytes).bytes
    }
}
