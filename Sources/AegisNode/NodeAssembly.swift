import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisStore
import AegisTransport
import Glibc
import Logging
import NIOCore

/// Puts a founded node together and runs it: the mesh listener, the outgoing queues, the loop.
struct NodeAssembly: Sendable {
    private let participant: Participant
    private let journal: NodeJournal
    private let inbox = Inbox()
    private let surroundings: NodeSurroundings
    private let server: MeshServer
    private let bindings: BindingStore
    private let rotation: LeafRotation
    private let monitor: MonitorServer?
    private let owner: OwnerDesk
    private let watch: PeerWatch
    private let logger: Logger

    /// Why a node serves no longer.
    enum Ending: Sendable {
        case stopped
        /// The mesh knows it by another key, which lies ready in its folder.
        case keyReplaced
    }

    init(
        directory: NodeDirectory, configuration: NodeConfiguration, identity: IdentityKey,
        genesis: Genesis, leaves: LeafIssuer, leaf: LeafInUse, renewal: RenewalRequest,
        hello: MeshHello, group: any EventLoopGroup, logger: Logger
    ) throws {
        let node = identity.publicKey
        let rules = MeshRules(
            founding: genesis.founding.statement, genesis: genesis.statement,
            cryptography: Libsodium())
        let database = try NodeDatabase(path: directory.databasePath)
        let blobs = try BlobStore(directory: directory.blobsPath)
        let isJournalMissing = access(directory.journalPath, F_OK) != 0
        journal = try Self.journal(directory.journalPath, of: identity)
        let (durable, claims) = try Self.restore(
            rules, database: database, journal: journal, isJournalMissing: isJournalMissing,
            name: configuration.name)
        participant = try Participant(
            configuration: ParticipantConfiguration(
                node: node, rules: rules, seed: UInt64(MachineClock.now.nanoseconds)),
            restoring: durable)
        let others = durable.chain.roster.members.map(\.node).filter { $0 != node }
        bindings = try BindingStore(of: others + [durable.chain.admin], in: database)
        let client = MeshClient(
            identity: leaf.leaf, bindings: bindings.memory, eventLoopGroup: group,
            authorities: try directory.authorities(configuration))
        let mail = PeerMail(to: others, through: client, inbox: inbox)
        let membership = MeshMembership(rules, chain: durable.chain, bindings: bindings.memory)
        let status = StatusBoard(node: node.text, name: configuration.name)
        watch = PeerWatch(of: node, in: membership, through: client, own: hello, mail: mail)
        let readiness = Readiness(membership, status: status, node: node, watch: watch)
        let trainer = try TrainingDesk(
            node: node, ledgers: LedgerFile(path: directory.ledgerPath(configuration)),
            database: database, blobs: blobs, configuration, claims: claims, status: status)
        trainer.tellOfLostLedgers(logger)
        let history = try RunHistory(
            rules: rules, database: database, blobs: blobs, status: status, configuration,
            durable, trainer: trainer, logger: logger)
        surroundings = NodeSurroundings(
            .init(
                inbox: inbox, rules: rules, membership: membership, node: node, client: client,
                mail: mail, blobs: blobs, database: database, status: status,
                trainer: trainer, history: history,
                evidence: EvidenceKeeper(durable.records), logger: logger))
        server = try Self.server(
            for: surroundings, directory, configuration, leaf: leaf, readiness: readiness,
            hello: hello, group: group)
        rotation = LeafRotation(
            issuer: leaves, server: server, client: client, current: leaf, request: renewal,
            logger: logger)
        monitor = try NodeMonitor(
            status: status, membership: membership, leaf: leaf, readiness: readiness
        ).server(listening: configuration.monitor, group: group, logger: logger)
        owner = OwnerDesk(
            directory: leaves.directory, identity: identity, membership: membership, inbox: inbox,
            client: client, watch: watch,
            clientAs: { try directory.client(as: $0, leaves.mesh, configuration, group) },
            database: database, mayBecome: { directory.isCertified(configuration, $0) },
            logger: logger)
        self.logger = logger
    }

    private static func server(
        for surroundings: NodeSurroundings, _ directory: NodeDirectory,
        _ configuration: NodeConfiguration, leaf: LeafInUse, readiness: Readiness,
        hello: MeshHello, group: any EventLoopGroup
    ) throws -> MeshServer {
        let membership = surroundings.membership
        let joins = JoinDesk(
            membership: membership, inbox: surroundings.inbox, node: surroundings.node,
            genesis: try directory.genesisBytes(), leaf: leaf)
        return try MeshServer(
            .init(
                address: try configuration.listeningAddress, mesh: surroundings.rules.mesh,
                authorities: try directory.authorities(configuration)),
            identity: leaf.leaf,
            blobs: surroundings.blobs,
            handler: MeshEndpoints(
                inbox: surroundings.inbox, mail: surroundings.mail,
                database: surroundings.database, status: surroundings.status,
                events: surroundings.events, membership: membership, joins: joins,
                readiness: readiness, hello: hello),
            policy: { membership.verdict(on: $0, now: MachineClock.wallMilliseconds) },
            eventLoopGroup: group, logger: surroundings.logger)
    }

    func run() async throws -> Ending {
        var addresses: [NodeID: MeshAddress] = [:]
        let membership = surroundings.membership
        membership.onRemoval { [server] in server.closeConnections(of: $0) }
        for entry in membership.roster.members where entry.node != surroundings.node {
            addresses[entry.node] = MeshAddress(entry.address)
        }
        await surroundings.client.setPeers(addresses)
        var parts: [@Sendable () async throws -> Void] = [
            { try await server.run() }, { try await surroundings.mail.run() },
            { try await rotation.run() }, { try await watch.run() }, rememberBindings, decide,
            ProcessMemory.keepTextSmall,
        ]
        if let monitor { parts.append { try await monitor.run() } }
        let ending: Ending
        do {
            ending = try await withThrowingTaskGroup(of: Ending.self) { group in
                for part in parts {
                    group.addTask {
                        try await part()
                        return .stopped
                    }
                }
                group.addTask {
                    try await owner.run()
                    return .keyReplaced
                }
                defer { group.cancelAll() }
                return try await group.next() ?? .stopped
            }
        } catch {
            await stop()
            throw error
        }
        await stop()
        return ending
    }

    /// The loop, once the others can reach this node.
    private func decide() async throws {
        let address = try await server.boundAddress
        logger.info(
            "serving",
            metadata: [
                "address": "\(address)", "participants": "\(surroundings.membership.roster.count)",
                "height": "\(participant.chain.height)",
            ])
        surroundings.fetchModels(of: participant.chain)
        try await NodeLoop(
            participant: participant, inbox: inbox, journal: journal, surroundings: surroundings
        ).run()
    }

    /// Ends with the group only: the stream is never finished.
    private func rememberBindings() async throws {
        await bindings.run(logger: logger)
        try Task.checkCancellation()
    }

    private func stop() async {
        inbox.finish()
        await surroundings.stop()
        await surroundings.client.shutdown()
        logger.info("stopped")
    }

    private static func journal(
        _ path: String, of identity: IdentityKey
    ) throws -> NodeJournal {
        let node = identity.publicKey
        let journal =
            access(path, F_OK) == 0
            ? try SafetyJournal(opening: path, node: node)
            : try SafetyJournal.create(at: path, node: node)
        return NodeJournal(journal: journal, signer: EnvelopeSigner(identity))
    }

    /// Replays the commits on the disk and hands the core its own signatures back.
    private static func restore(
        _ rules: MeshRules, database: NodeDatabase, journal: NodeJournal, isJournalMissing: Bool,
        name: String
    ) throws -> (DurableState, SpendingClaims) {
        let replayed = try MembershipAct.replay(rules, database, claimsOf: name)
        // A node that has decided things and has no journal doesn't know what it signed.
        let durable = DurableState(
            chain: replayed.chain, tip: replayed.tip, beforeTip: replayed.before,
            final: try final(replayed.chain, before: replayed.before, rules, database),
            records: try journal.restore(),
            isJournalLost: isJournalMissing && replayed.chain.height > 0)
        return (durable, replayed.claims)
    }

    /// The last final height that was stored. Only of the tip are the co-signatures looked at
    /// again; an earlier one is told to people.
    private static func final(
        _ chain: ChainState, before: ChainState?, _ rules: MeshRules, _ database: NodeDatabase
    ) throws -> (finality: Finality, certificate: FinalCertificate)? {
        guard let stored = try database.final(upTo: chain.height), let before else { return nil }
        let certificate = try FinalCertificate(decoding: stored.certificate)
        guard stored.height == chain.height else {
            let finality = Finality(
                height: stored.height, value: .zero, signatures: stored.signatures,
                participants: stored.participants)
            return (finality, certificate)
        }
        return (try rules.at(before).verify(certificate), certificate)
    }
}

extension NodeConfiguration {
    fileprivate var listeningAddress: MeshAddress {
        get throws(ConfigurationError) {
            guard let address = MeshAddress(listen) else {
                throw ConfigurationError(faults: ["listen: not host:port"])
            }
            return address
        }
    }
}
