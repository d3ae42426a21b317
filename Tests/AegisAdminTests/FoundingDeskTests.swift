import AegisAPI
import AegisAdmin
import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import Testing

@Suite("The founding of a mesh") struct FoundingDeskTests {
    /// The word at the end of the problem's type.
    private func problem(_ body: () async throws -> Void) async -> String? {
        do {
            try await body()
            return nil
        } catch let problem as Problem {
            return problem.type.split(separator: ":").last.map(String.init)
        } catch { return "\(error)" }
    }

    @Test("a token lets one node in, under the name in the grant")
    func join() async throws {
        let mesh = try TestMesh()
        let token = try await mesh.token("north")
        let node = try TestNode(mesh: mesh.founding.statement.mesh)
        let body = try node.request(with: token, offer: mesh.desk.offer(now: noon).encoded)
        let name = try await mesh.desk.join(
            body, clientTLSKey: node.tls.spkiDigest, now: noon)
        #expect(name == "north")
        let participants = try await mesh.database.participants()
        #expect(participants.map(\.entry.node) == [node.identity.publicKey])
        #expect(participants.map(\.entry.address) == ["127.0.0.1:9001"])
        let grant = try #require(try await mesh.database.grants().first)
        #expect(grant.users == [node.identity.publicKey])
    }

    @Test("the same node with the same token again gets the same answer and changes nothing")
    func repeated() async throws {
        let mesh = try TestMesh()
        let token = try await mesh.token("north")
        let node = try TestNode(mesh: mesh.founding.statement.mesh)
        for second in [0, 4_000_000] as [UInt64] {
            // Also after the token has expired: its answer may have been lost on the way.
            let now = noon + second
            let body = try node.request(with: token, offer: mesh.desk.offer(now: now).encoded)
            let name = try await mesh.desk.join(
                body, clientTLSKey: node.tls.spkiDigest, now: now)
            #expect(name == "north")
        }
        #expect(try await mesh.database.participants().count == 1)
    }

    @Test("a token that was used, has expired, is foreign or unknown is refused, each by its name")
    func refusedTokens() async throws {
        let mesh = try TestMesh()
        let other = try TestMesh(name: "others")
        let id = mesh.founding.statement.mesh
        let token = try await mesh.token("north")
        let first = try TestNode(mesh: id)
        let second = try TestNode(mesh: id)
        func join(_ node: TestNode, _ token: JoinToken, at now: UInt64 = noon) async throws {
            let body = try node.request(with: token, offer: mesh.desk.offer(now: now).encoded)
            _ = try await mesh.desk.join(body, clientTLSKey: node.tls.spkiDigest, now: now)
        }
        try await join(first, token)
        #expect(await problem { try await join(second, token) } == "token-used")

        let short = try await mesh.token("south", seconds: 60)
        #expect(
            await problem { try await join(second, short, at: noon + 61_000) } == "token-expired")

        // A token of this founding that this admin never granted.
        let forged = try JoinToken.mint(
            mesh: id, founding: mesh.founding.digest, notAfter: noon / 1_000 + 60)
        #expect(await problem { try await join(second, forged) } == "unknown-token")

        // A request for another mesh, carried here.
        let foreign = try await other.token("north")
        let stranger = try TestNode(mesh: other.founding.statement.mesh)
        let body = try stranger.request(
            with: foreign, offer: other.desk.offer(now: noon).encoded)
        let answer = await problem {
            _ = try await mesh.desk.join(body, clientTLSKey: nil, now: noon)
        }
        #expect(answer == "foreign-mesh")
        #expect(try await mesh.database.participants().count == 1)
        #expect(try await mesh.database.grants().filter(\.users.isEmpty).count == 1)
    }

    @Test("a token for two lets two in, under names of their own, and no third")
    func tokenForTwo() async throws {
        let mesh = try TestMesh()
        let token = try await mesh.desk.createToken(
            name: "", seconds: 60, limits: TokenLimits(uses: 2), by: "admin", now: noon)
        func join(_ name: String) async throws -> TestNode {
            let node = try TestNode(mesh: mesh.founding.statement.mesh)
            let body = try node.request(
                with: token, offer: mesh.desk.offer(now: noon).encoded, name: name)
            let given = try await mesh.desk.join(
                body, clientTLSKey: node.tls.spkiDigest, now: noon)
            #expect(given == name)
            return node
        }
        #expect(await problem { _ = try await join("") } == "invalid-name")
        let first = try await join("north")
        #expect(try await mesh.database.grants().first?.users == [first.identity.publicKey])
        #expect(await problem { _ = try await join("north") } == "name-taken")
        // Asking again uses nothing.
        let again = try first.request(
            with: token, offer: mesh.desk.offer(now: noon).encoded, name: "north")
        #expect(
            try await mesh.desk.join(again, clientTLSKey: first.tls.spkiDigest, now: noon)
                == "north")
        _ = try await join("south")
        #expect(await problem { _ = try await join("east") } == "token-used")
        #expect(
            try await mesh.database.participants().map(\.entry.name) == ["north", "south"])
        #expect(try await !mesh.database.revokeGrant(token.id, at: noon))
    }

    @Test("before the founding there is nobody to watch or to replace")
    func kindsBeforeFounding() async throws {
        let mesh = try TestMesh()
        for kind in [TokenLimits.Kind.observer, .replacement] {
            await #expect(throws: Problem.self) {
                try await mesh.desk.createToken(
                    name: "north", seconds: 60, limits: TokenLimits(kind: kind), by: "admin",
                    now: noon)
            }
        }
    }

    @Test("a request with a key that isn't the connection's, a stale nonce or garbage is refused")
    func refusedRequests() async throws {
        let mesh = try TestMesh()
        let token = try await mesh.token("north")
        let node = try TestNode(mesh: mesh.founding.statement.mesh)
        let body = try node.request(with: token, offer: mesh.desk.offer(now: noon).encoded)
        let other = try TestNode(mesh: mesh.founding.statement.mesh)
        let wrongKey = await problem {
            _ = try await mesh.desk.join(body, clientTLSKey: other.tls.spkiDigest, now: noon)
        }
        #expect(wrongKey == "wrong-tls-key")
        let late = await problem {
            _ = try await mesh.desk.join(
                body, clientTLSKey: node.tls.spkiDigest, now: noon + 400_000)
        }
        #expect(late == "unknown-nonce")
        let garbage = await problem {
            _ = try await mesh.desk.join([1, 2, 3], clientTLSKey: nil, now: noon)
        }
        #expect(garbage == "malformed-request")
        #expect(try await mesh.database.participants().isEmpty)
    }

    @Test("a name is taken once, a node joins once, and a closed roster stays closed")
    func taken() async throws {
        let mesh = try TestMesh()
        let spare = try await mesh.token("north")
        let node = try await mesh.join("north")
        #expect(await problem { _ = try await mesh.token("north") } == "name-taken")

        let second = try TestNode(mesh: mesh.founding.statement.mesh)
        let body = try second.request(with: spare, offer: mesh.desk.offer(now: noon).encoded)
        let sameName = await problem {
            _ = try await mesh.desk.join(body, clientTLSKey: nil, now: noon)
        }
        #expect(sameName == "name-taken")

        let south = try await mesh.token("south")
        let again = try node.request(with: south, offer: mesh.desk.offer(now: noon).encoded)
        let sameNode = await problem {
            _ = try await mesh.desk.join(again, clientTLSKey: nil, now: noon)
        }
        #expect(sameNode == "name-taken")

        try await mesh.desk.found()
        let late = try second.request(with: south, offer: mesh.desk.offer(now: noon).encoded)
        let closed = await problem {
            _ = try await mesh.desk.join(late, clientTLSKey: nil, now: noon)
        }
        #expect(closed == "mesh-founded")
        #expect(await problem { _ = try await mesh.token("west") } == "mesh-founded")
    }

    @Test("the genesis is there when every founder has signed, and verifies by itself")
    func genesis() async throws {
        let mesh = try TestMesh()
        #expect(await problem { try await mesh.desk.found() } == "no-participants")
        var nodes: [TestNode] = []
        for name in ["north", "south", "west"] { nodes.append(try await mesh.join(name)) }
        #expect(await problem { try await mesh.desk.sign([0xd2]) } == "mesh-open")
        try await mesh.desk.found()
        try await mesh.desk.found()
        let payload = try #require(try await mesh.database.genesis()).payload

        let stranger = try TestNode(mesh: mesh.founding.statement.mesh)
        #expect(
            await problem { try await mesh.desk.sign(stranger.sign(payload)) } == "bad-proof")
        let otherPayload = try GenesisStatement(
            mesh: mesh.founding.statement.mesh, founding: mesh.founding.digest,
            roster: Roster(
                epoch: 9, entries: try GenesisStatement(payload: payload).roster.entries,
                strictThree: false)
        ).payload
        #expect(
            await problem { try await mesh.desk.sign(nodes[0].sign(otherPayload)) }
                == "bad-proof")

        for (index, node) in nodes.enumerated() {
            #expect(try await mesh.desk.genesis() == nil)
            try await mesh.desk.sign(node.sign(payload))
            if index == 0 { try await mesh.desk.sign(node.sign(payload)) }
        }
        let genesis = try #require(try await mesh.desk.genesis())
        #expect(genesis.roster.entries.map(\.name).sorted() == ["north", "south", "west"])
        #expect(genesis.admin == mesh.identity.publicKey)

        var answer = try CBORFields(decoding: try await mesh.desk.genesisAnswer())
        #expect(try answer.text(1) == "founded")
        #expect(try answer.bytes(2) == payload)
        let document = try GenesisDocument(decoding: try answer.bytes(3))
        #expect(try GenesisVerifier().verify(document).digest == genesis.digest)
    }

    @Test("nonces are forgotten when they are old or too many")
    func nonces() {
        let book = NonceBook()
        book.issue([1], now: 100)
        #expect(book.isIssued([1], now: 400))
        #expect(!book.isIssued([1], now: 401))
        for index in 0..<5_000 { book.issue([UInt8(index >> 8), UInt8(index & 255)], now: 500) }
        #expect(!book.isIssued([0, 0], now: 500))
        #expect(book.isIssued([19, 135], now: 500))
    }
}
