package import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisStore
import AegisTransport
import NIOCore
import NIOPosix

/// `aegis-node join --peer`: joins a mesh that is founded and runs. Any member takes the request;
/// the joiner checks the genesis against the token's pin and every decision since, sees its own
/// join decided by a quorum, and only then writes its directory.
package struct LiveJoining: Sendable {
    private let token: String
    private let peers: [String]
    private let directory: String
    private let listen: String
    private let advertise: String
    private let monitor: String?

    private static let decisionWithin = Duration.seconds(60)

    package init(
        token: String, peers: [String], directory: String, listen: String, advertise: String,
        monitor: String? = nil
    ) {
        self.token = token
        self.peers = peers
        self.directory = directory
        self.listen = listen
        self.advertise = advertise
        self.monitor = monitor
    }

    package func join() async throws -> Joining.Outcome {
        try Joining.checkVacancy(of: directory, monitor: monitor)
        let now = MachineClock.wallSeconds
        let token: JoinToken
        do { token = try JoinToken(parsing: self.token, now: now) } catch {
            throw NodeError.token(error)
        }
        guard token.pin == .genesis else {
            throw NodeError.joinRefused(
                code: "founding-token", detail: "this token is for a founding: use --admin")
        }
        let identity = IdentityKey.generate()
        let tls = try TLSIdentity.issue(
            for: identity, mesh: token.mesh, sequence: MachineClock.wallMilliseconds, now: now)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let result: Result<Joining.Outcome, any Error>
        do {
            result = .success(try await join(token, identity: identity, tls: tls, group: group))
        } catch { result = .failure(error) }
        try? await group.shutdownGracefully()
        return try result.get()
    }

    /// Through the first peer that answers.
    private func join(
        _ token: JoinToken, identity: IdentityKey, tls: TLSIdentity, group: any EventLoopGroup
    ) async throws -> Joining.Outcome {
        var failure: NodeError?
        for peer in peers {
            let link: AdminLink
            do { link = try await AdminLink(to: peer, identity: tls, group: group) } catch {
                failure = error
                continue
            }
            let result: Result<Joining.Outcome, any Error>
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
    ) async throws -> Joining.Outcome {
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
            acceptorTLSKey: link.peer.spkiDigest, name: "", address: advertise,
            joinerNonce: randomBytes(16), acceptorNonce: offer.nonce)
        let joiner = Joiner(token: token, identity: identity, tls: tls)
        _ = try await link.post("/mesh/v1/join", body: joiner.sign(request))
        let (state, records) = try await follow(genesis, of: identity.publicKey, through: link)
        guard let entry = state.roster.member(identity.publicKey),
            state.roster.member(link.peer.node) != nil
        else {
            throw NodeError.joinRefused(
                code: "not-a-member", detail: "\(link.address) is no member of this mesh")
        }
        try write(
            genesis, document, identity: identity, name: entry.name, records: records,
            acceptor: link)
        return Joining.Outcome(
            meshName: genesis.founding.statement.name, name: entry.name,
            node: identity.publicKey)
    }

    /// Verifies every decision until one has made this node a member.
    private func follow(
        _ genesis: Genesis, of node: NodeID, through link: AdminLink
    ) async throws -> (ChainState, [CommitRecord]) {
        let rules = MeshRules(
            founding: genesis.founding.statement, genesis: genesis.statement,
            cryptography: Libsodium())
        var state = rules.initialState
        var records: [CommitRecord] = []
        let clock = ContinuousClock()
        let end = clock.now + Self.decisionWithin
        while clock.now < end {
            let body = try await link.get(
                "/mesh/v1/commits?from=\(state.height + 1)&count=\(CommitList.countMax)")
            let fresh = try CommitList.decode(body)
            for record in fresh {
                state = try rules.verify(record, extending: state).state
                records.append(record)
            }
            if state.roster.member(node) != nil { return (state, records) }
            if fresh.isEmpty { try await Task.sleep(for: .milliseconds(200)) }
        }
        throw NodeError.joinRefused(
            code: "undecided", detail: "the mesh has not decided within a minute")
    }

    private func write(
        _ genesis: Genesis, _ document: GenesisDocument, identity: IdentityKey, name: String,
        records: [CommitRecord], acceptor: AdminLink
    ) throws {
        let configuration = NodeConfiguration(
            name: name, listen: listen, advertise: advertise, admin: acceptor.address,
            monitor: monitor)
        let record = JoinRecord(
            mesh: genesis.mesh, name: name, address: advertise, acceptor: acceptor.peer.node,
            acceptorAddress: acceptor.address, joinedAt: MachineClock.wallSeconds)
        do {
            _ = try IdentityDirectory.create(
                at: directory, key: identity, passphrase: nil,
                files: [
                    DirectoryFile(IdentityDirectory.foundingName, genesis.founding.bytes),
                    DirectoryFile(IdentityDirectory.joinRecordName, record.encoded),
                    DirectoryFile(NodeDirectory.genesisName, document.encoded),
                    DirectoryFile(
                        NodeDirectory.configurationName, Array(try configuration.yaml.utf8)),
                ])
        } catch let error as IdentityDirectoryError { throw NodeError.directory(error) }
        // So that it starts with the roster of today, not with the founders'.
        let paths = NodeDirectory(directory)
        // A new key has signed nothing yet: its journal is empty, not lost.
        _ = try SafetyJournal.create(at: paths.journalPath, node: identity.publicKey)
        let database = try NodeDatabase(path: paths.databasePath)
        for record in records {
            try database.insertCommit(
                record.encoded, digest: SHA256.digest(of: record.header),
                at: try Header(decoding: record.header).height)
        }
    }
}
