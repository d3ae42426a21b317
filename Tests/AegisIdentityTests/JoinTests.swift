import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import Testing

@Suite("Joining (PROTOCOL.md §4.4)")
struct JoinTests {
    /// One acceptor with one grant, and a joiner that does everything right.
    struct Scene {
        let mesh: TestMesh
        let token: JoinToken
        let identity = IdentityKey.generate()
        let tls: TLSIdentity
        let offer: FoundingOffer
        var grant: TokenGrant

        init() throws {
            mesh = try TestMesh()
            token = try mesh.token()
            tls = try mesh.tls(identity)
            offer = FoundingOffer(founding: mesh.founding, tls: mesh.adminTLS)
            grant = TokenGrant(of: token, name: "hospital-a")
        }

        var joiner: Joiner { Joiner(token: token, identity: identity, tls: tls) }

        func prepare(
            name: String = "", address: String = "10.0.0.7:8443", offer: FoundingOffer? = nil,
            presented: [UInt8]? = nil, now: UInt64 = TestMesh.now
        ) throws(JoinError) -> Joiner.Prepared {
            try joiner.prepare(
                offer: (offer ?? self.offer).encoded, presentedLeafDER: presented, name: name,
                address: address, now: now)
        }

        func accept(
            _ body: [UInt8], now: UInt64 = TestMesh.now, clientTLSKey: Digest? = nil,
            mesh other: MeshID? = nil
        ) throws(JoinError) -> Acceptor.Accepted {
            try Acceptor(
                mesh: other ?? mesh.mesh, node: mesh.admin.publicKey,
                tlsKeys: [mesh.adminTLS.spkiDigest]
            ).verify(
                body, now: now, clientTLSKey: clientTLSKey,
                isNonceIssued: { $0 == offer.nonce },
                grant: { $0 == grant.tokenID ? grant : nil })
        }

        /// A request with something wrong, signed as a joiner would.
        func request(
            mesh other: MeshID? = nil, tokenID: [UInt8]? = nil, node: NodeID? = nil,
            acceptor: NodeID? = nil, acceptorKey: Digest? = nil, nonce: [UInt8]? = nil,
            name: String = "", address: String = "10.0.0.7:8443"
        ) -> JoinRequest {
            JoinRequest(
                mesh: other ?? mesh.mesh, tokenID: tokenID ?? token.id,
                node: node ?? identity.publicKey, tlsKey: tls.spkiDigest,
                acceptor: acceptor ?? mesh.admin.publicKey,
                acceptorTLSKey: acceptorKey ?? mesh.adminTLS.spkiDigest, name: name,
                address: address, joinerNonce: randomBytes(16),
                acceptorNonce: nonce ?? offer.nonce)
        }
    }

    @Test("a joiner with a token is accepted under the name of its grant")
    func accepted() throws {
        let scene = try Scene()
        let prepared = try scene.prepare(presented: scene.mesh.adminTLS.leafDER)
        #expect(prepared.founding == scene.mesh.founding)
        #expect(prepared.acceptor.node == scene.mesh.admin.publicKey)
        let accepted = try scene.accept(prepared.body, clientTLSKey: scene.tls.spkiDigest)
        #expect(accepted.request == prepared.request)
        #expect(accepted.request.node == scene.identity.publicKey)
        #expect(accepted.grant.name == "hospital-a")
        #expect(!accepted.isRepeat)
    }

    @Test("the same node may ask again, even late; another may not")
    func usedToken() throws {
        var scene = try Scene()
        let body = try scene.prepare().body
        scene.grant.usedBy = scene.identity.publicKey
        #expect(try scene.accept(body).isRepeat)
        #expect(try scene.accept(body, now: TestMesh.now + 9_999).isRepeat)
        let first = IdentityKey.generate().publicKey
        scene.grant.usedBy = first
        #expect(throws: JoinError.tokenUsed(by: first)) { try scene.accept(body) }
    }

    @Test("an expired token is refused on both sides")
    func expired() throws {
        let scene = try Scene()
        let body = try scene.prepare().body
        let late = scene.token.notAfter + 1
        #expect(throws: JoinError.tokenExpired(at: late - 1)) {
            try scene.accept(body, now: late)
        }
        #expect(throws: JoinError.tokenExpired(at: late - 1)) { try scene.prepare(now: late) }
    }

    @Test("each wrong request has its own error")
    func wrongRequests() throws {
        let scene = try Scene()
        let other = try TestMesh()
        let stranger = IdentityKey.generate().publicKey
        let digest = SHA256.digest(of: [1])
        let cases: [(JoinRequest, JoinError)] = [
            (scene.request(mesh: other.mesh), .foreignMesh(other.mesh)),
            (
                scene.request(tokenID: [UInt8](repeating: 1, count: 8)),
                .unknownToken(id: "0101010101010101")
            ),
            (scene.request(node: stranger), .badPossession(stranger)),
            (scene.request(acceptor: stranger), .wrongAcceptor(stranger)),
            (scene.request(acceptorKey: digest), .wrongAcceptorKey),
            (scene.request(nonce: [UInt8](repeating: 2, count: 16)), .unknownNonce),
            (scene.request(name: "Über uns"), .invalidName("Über uns")),
            (
                scene.request(name: "hospital-b"),
                .nameNotGranted("hospital-b", granted: "hospital-a")
            ),
            (scene.request(address: "nowhere"), .invalidAddress("nowhere")),
            (scene.request(address: "host:0"), .invalidAddress("host:0")),
        ]
        for (request, error) in cases {
            #expect(throws: error) { try scene.accept(scene.joiner.sign(request)) }
        }
        #expect(throws: JoinError.wrongTLSKey) {
            try scene.accept(scene.joiner.sign(scene.request()), clientTLSKey: digest)
        }
        #expect(Set(cases.map(\.1.code)).count == 9)
    }

    @Test("a request that another token's key authorised is refused")
    func otherTokensKey() throws {
        let scene = try Scene()
        let other = try scene.mesh.token()
        let body = Joiner(token: other, identity: scene.identity, tls: scene.tls)
            .sign(scene.request())
        #expect(throws: JoinError.badAuthorisation(tokenID: scene.token.idText)) {
            try scene.accept(body)
        }
    }

    @Test("a stolen request, wrapped in the thief's signature, is refused")
    func relayed() throws {
        let scene = try Scene()
        let inner = try EnvelopeVerifier().verify(
            try scene.prepare().body, as: .joinRequest
        ).payload
        let thief = IdentityKey.generate()
        let body = EnvelopeSigner(thief).sign(.joinRequest, inner).bytes
        #expect(throws: JoinError.badPossession(scene.identity.publicKey)) {
            try scene.accept(body)
        }
    }

    @Test("a change of any byte of a request is refused, and no bytes trap")
    func tampering() throws {
        let scene = try Scene()
        let body = try scene.prepare().body
        for index in body.indices {
            var tampered = body
            tampered[index] ^= 0x41
            #expect(throws: JoinError.self) { try scene.accept(tampered) }
        }
        let random = noise(1)
        for _ in 0..<2_000 {
            let bytes = random.bytes(Int(random.next() % 200))
            #expect(throws: JoinError.self) { try scene.accept(bytes) }
        }
    }

    @Test("a joiner refuses a mesh, a founding or an acceptor that its token didn't name")
    func joinerRefuses() throws {
        let scene = try Scene()
        let other = try TestMesh()
        let foreign = FoundingOffer(founding: other.founding, tls: other.adminTLS)
        #expect(
            throws: JoinError.founding(
                .notThePinnedFounding(
                    pinned: scene.mesh.founding.digest, actual: other.founding.digest))
        ) { try scene.prepare(offer: foreign) }
        let impostor = try scene.mesh.tls(.generate())
        #expect(throws: JoinError.acceptorIsNotTheAdmin(impostor.node)) {
            try scene.prepare(
                offer: FoundingOffer(founding: scene.mesh.founding, tls: impostor))
        }
        #expect(throws: JoinError.offerOfAnotherConnection) {
            try scene.prepare(presented: impostor.leafDER)
        }
        #expect(throws: JoinError.invalidName("A B")) { try scene.prepare(name: "A B") }
        #expect(throws: JoinError.invalidAddress("x")) { try scene.prepare(address: "x") }
        #expect(throws: JoinError.self) {
            try scene.joiner.prepare(
                offer: [1, 2], presentedLeafDER: nil, name: "", address: "a:1",
                now: TestMesh.now)
        }
    }

    @Test("the offer of the acceptor survives its encoding")
    func offer() throws {
        let scene = try Scene()
        #expect(try FoundingOffer(decoding: scene.offer.encoded) == scene.offer)
        #expect(scene.offer.nonce.count == 16)
        let again = FoundingOffer(founding: scene.mesh.founding, tls: scene.mesh.adminTLS)
        #expect(again.nonce != scene.offer.nonce)
    }
}

@Suite("Addresses and names")
struct AddressTests {
    @Test(
        "host and port, IPv6 in brackets",
        arguments: [
            ("127.0.0.1:8443", "127.0.0.1", 8_443), ("node.example.org:1", "node.example.org", 1),
            ("[::1]:65535", "::1", 65_535), ("localhost:80", "localhost", 80),
        ])
    func accepted(text: String, host: String, port: Int) throws {
        let address = try #require(MeshAddress(dialled: text))
        #expect(address.host == host)
        #expect(address.port == port)
        #expect(address.description == text)
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", ":1", "host", "host:", "host:0", "host:65536", "host:-1", "host:+1", "a b:1",
            "::1:80", "[::1]", "[::1:80", "http://host:80", "host:80/path", "hôte:80", "[]:80",
            "host:٣", String(repeating: "a", count: 254) + ":80",
        ])
    func refused(text: String) {
        #expect(MeshAddress(dialled: text) == nil)
    }

    @Test("names are what fits a label, a file and a table")
    func names() {
        for name in ["a", "hospital-a", "0", "a.b_c", String(repeating: "a", count: 64)] {
            #expect(Names.isValid(name))
        }
        for name in ["", "-a", ".a", "A", "a b", "ä", "a/b", String(repeating: "a", count: 65)] {
            #expect(!Names.isValid(name))
        }
    }
}
