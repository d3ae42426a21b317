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
    private let rules: MeshRules
    private let participant: Participant
    private let journal: NodeJournal
    private let inbox = Inbox()
    private let surroundings: NodeSurroundings
    private let server: MeshServer
    private let bindings: BindingStore
    private let rotation: LeafRotation
    private let monitor: MonitorServer?
    private let logger: Logger

    init(
        directory: NodeDirectory, configuration: NodeConfiguration, identity: IdentityKey,
        genesis: Genesis, leaves: LeafIssuer, leaf: LeafInUse, renewal: RenewalRequest,
        group: any EventLoopGroup, logger: Logger
    ) throws {
        let node = identity.publicKey
        let rules = MeshRules(
            founding: genesis.founding.statement, genesis: genesis.statement,
            cryptography: Libsodium())
        let database = try NodeDatabase(path: directory.databasePath)
        let blobs = try BlobStore(directory: directory.blobsPath)
        let isJournalMissing = access(directory.journalPath, F_OK) != 0
        journal = NodeJournal(
            journal: try Self.openJournal(directory.journalPath, node: node),
            signer: EnvelopeSigner(identity))
        let durable = try Self.restore(
            rules, database: database, journal: journal, isJournalMissing: isJournalMissing)
        participant = try Participant(
            configuration: ParticipantConfiguration(
                node: node, rules: rules, seed: UInt64(MachineClock.now.nanoseconds)),
            restoring: durable)
        let others = durable.chain.roster.members.map(\.node).filter { $0 != node }
        bindings = try BindingStore(of: others + [rules.admin], in: database)
        let client = MeshClient(
            identity: leaf.leaf, bindings: bindings.memory, eventLoopGroup: group)
        let mail = PeerMail(to: others, through: client, inbox: inbox)
        let membership = MeshMembership(rules, chain: durable.chain, bindings: bindings.memory)
        let status = StatusBoard(node: node.text, name: configuration.name)
        let history = RunHistory(
            rules: rules, database: database, blobs: blobs, status: status,
            evaluator: Evaluator(configuration, blobs: blobs),
            worker: Worker(niceness: 5), roundsKept: configuration.roundsKept, logger: logger)
        try history.restore(durable.chain)
        let trainer = try TrainingDesk(
            node: node, ledgers: LedgerFile(path: directory.ledgerPath(configuration)),
            database: database, blobs: blobs, configuration, status: status)
        try history.clear(
            durable, ownUpdate: try durable.chain.active.flatMap(trainer.releasedUpdate(in:)))
        surroundings = NodeSurroundings(
            .init(
                inbox: inbox, rules: rules, membership: membership, node: node, client: client,
                mail: mail, blobs: blobs, database: database, status: status,
                trainer: trainer, history: history,
                evidence: EvidenceKeeper(durable.records), logger: logger))
        server = try Self.server(
            for: surroundings, at: try configuration.listeningAddress, leaf: leaf,
            joins: JoinDesk(
                membership: membership, inbox: inbox, node: node,
                genesis: try directory.genesisBytes(), leaf: leaf),
            group: group)
        rotation = LeafRotation(
            issuer: leaves, server: server, client: client, current: leaf, request: renewal,
            logger: logger)
        monitor = try NodeMonitor(
            status: status, membership: membership, node: node, mail: mail, leaf: leaf
        ).server(listening: configuration.monitor, group: group, logger: logger)
        self.rules = rules
        self.logger = logger
    }

    private static func server(
        for surroundings: NodeSurroundings, at address: MeshAddress, leaf: LeafInUse,
        joins: JoinDesk, group: any EventLoopGroup
    ) throws -> MeshServer {
        let membership = surroundings.membership
        return try MeshServer(
            .init(address: address, mesh: surroundings.rules.mesh), identity: leaf.leaf,
            blobs: surroundings.blobs,
            handler: MeshEndpoints(
                inbox: surroundings.inbox, mail: surroundings.mail,
                database: surroundings.database, status: surroundings.status,
                events: surroundings.events, membership: membership, joins: joins),
            policy: { membership.verdict(on: $0, now: MachineClock.wallMilliseconds) },
            eventLoopGroup: group, logger: surroundings.logger)
    }

    func run() async throws {
        var addresses: [NodeID: MeshAddress] = [:]
        let membership = surroundings.membership
        membership.onRemoval { [server] in server.closeConnections(of: $0) }
        for entry in membership.roster.members where entry.node != surroundings.node {
            addresses[entry.node] = MeshAddress(entry.address)
        }
        await surroundings.client.setPeers(addresses)
        do {
            try await withThrowingTaskGroup { group in
                group.addTask { try await server.run() }
                group.addTask { try await surroundings.mail.run() }
                group.addTask { try await rotation.run() }
                group.addTask { try await rememberBindings() }
                if let monitor { group.addTask { try await monitor.run() } }
                group.addTask {
                    let address = try await server.boundAddress
                    logger.info(
                        "serving",
                        metadata: [
                            "address": "\(address)", "participants": "\(membership.roster.count)",
                            "height": "\(participant.chain.height)",
                        ])
                    ProcessMemory.releaseStartupPages()
                    try await NodeLoop(
                        participant: participant, inbox: inbox, journal: journal,
                        surroundings: surroundings
                    ).run()
                }
                try await group.next()
                group.cancelAll()
            }
        } catch {
            await stop()
            throw error
        }
        await stop()
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

    private static func openJournal(_ path: String, node: NodeID) throws -> SafetyJournal {
        if access(path, F_OK) == 0 { return try SafetyJournal(opening: path, node: node) }
        return try SafetyJournal.create(at: path, node: node)
    }

    /// Replays the commits on the disk and hands the core its own signatures back.
    private static func restore(
        _ rules: MeshRules, database: NodeDatabase, journal: NodeJournal, isJournalMissing: Bool
    ) throws -> DurableState {
        var chain = rules.initialState
        var before: ChainState?
        var tip: CommitRecord?
        while true {
            let batch = try database.commits(
                from: chain.height + 1, count: CommitList.countMax)
            guard !batch.isEmpty else { break }
            for bytes in batch {
                let record = try CommitRecord(decoding: bytes)
                before = chain
                chain = try rules.replay(CollectionOfOne(record), from: chain)
                tip = record
            }
        }
        // A node that has decided things and has no journal doesn't know what it signed.
        return DurableState(
            chain: chain, tip: tip, beforeTip: before,
            final: try final(chain, before: before, rules, database),
            records: try journal.restore(),
            isJournalLost: isJournalMissing && chain.height > 0)
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
