package import AegisCore
import AegisCrypto
package import AegisProtocol

/// What the mesh knows of a token: enough to check a request, not enough to make one.
package struct TokenGrant: Hashable, Sendable {
    /// 8 bytes.
    package let tokenID: [UInt8]
    package let tokenKey: NodeID
    /// What the participant will be called; empty: whatever it says.
    package let name: String
    /// Seconds since 1970.
    package let notAfter: UInt64
    package var usedBy: NodeID?

    package init(
        tokenID: [UInt8], tokenKey: NodeID, name: String, notAfter: UInt64, usedBy: NodeID? = nil
    ) {
        self.tokenID = tokenID
        self.tokenKey = tokenKey
        self.name = name
        self.notAfter = notAfter
        self.usedBy = usedBy
    }

    package init(of token: JoinToken, name: String) {
        self.init(
            tokenID: token.id, tokenKey: token.publicKey, name: name, notAfter: token.notAfter)
    }
}

/// An acceptor's side of PROTOCOL.md §4.4: pure, so that whoever runs it keeps the grants and
/// nonces. What it accepts, the caller records as used, on disk, before it answers.
package struct Acceptor: Sendable {
    private let mesh: MeshID
    private let node: NodeID
    private let tlsKeys: Set<Digest>

    /// `tlsKeys`: this acceptor's present TLS key and, after a rotation, the one before.
    package init(mesh: MeshID, node: NodeID, tlsKeys: Set<Digest>) {
        self.mesh = mesh
        self.node = node
        self.tlsKeys = tlsKeys
    }

    package struct Accepted: Hashable, Sendable {
        package let request: JoinRequest
        package let grant: TokenGrant
        /// The same node with the same token again: nothing to record, the same answer.
        package let isRepeat: Bool

        /// What the member will be called: as the token says, or as it asks where the token leaves
        /// that open.
        package var name: String { grant.name.isEmpty ? request.name : grant.name }
    }

    /// `clientTLSKey`: of the certificate the joiner presented in the handshake, where it did.
    package func verify(
        _ body: [UInt8], now: UInt64, clientTLSKey: Digest?,
        isNonceIssued: ([UInt8]) -> Bool, grant grantOf: ([UInt8]) -> TokenGrant?
    ) throws(JoinError) -> Accepted {
        let (node, authorised) = try opened(body)
        let tokenKey = authorised.sender
        let request: JoinRequest
        do { request = try JoinRequest(payload: authorised.payload) } catch {
            throw .malformed(error)
        }
        guard request.mesh == mesh else { throw .foreignMesh(request.mesh) }
        let tokenID = Hexadecimal.encode(request.tokenID)
        guard let grant = grantOf(request.tokenID) else { throw .unknownToken(id: tokenID) }
        guard grant.tokenKey == tokenKey else { throw .badAuthorisation(tokenID: tokenID) }
        guard request.node == node else { throw .badPossession(request.node) }
        guard request.acceptor == self.node else { throw .wrongAcceptor(request.acceptor) }
        guard tlsKeys.contains(request.acceptorTLSKey) else { throw .wrongAcceptorKey }
        if let clientTLSKey, clientTLSKey != request.tlsKey { throw .wrongTLSKey }
        guard isNonceIssued(request.acceptorNonce) else { throw .unknownNonce }
        if let user = grant.usedBy, user != node { throw .tokenUsed(by: user) }
        guard now <= grant.notAfter || grant.usedBy == node else {
            throw .tokenExpired(at: grant.notAfter)
        }
        try check(request, against: grant)
        return Accepted(request: request, grant: grant, isRepeat: grant.usedBy == node)
    }

    /// The node that signed around, and what the token's key signed inside.
    private func opened(
        _ body: [UInt8]
    ) throws(JoinError) -> (node: NodeID, authorised: Verified<[UInt8]>) {
        let verifier = EnvelopeVerifier()
        do {
            let outer = try verifier.verify(body, as: .joinRequest)
            return (outer.sender, try verifier.verify(outer.payload, as: .joinRequest))
        } catch { throw .envelope(error) }
    }

    private func check(
        _ request: JoinRequest, against grant: TokenGrant
    ) throws(JoinError) {
        guard MeshAddress(dialled: request.address) != nil else {
            throw .invalidAddress(request.address)
        }
        guard !request.name.isEmpty || grant.name.isEmpty else { return }
        guard Names.isValid(request.name) else { throw .invalidName(request.name) }
        guard request.name == grant.name || grant.name.isEmpty else {
            throw .nameNotGranted(request.name, granted: grant.name)
        }
    }
}
