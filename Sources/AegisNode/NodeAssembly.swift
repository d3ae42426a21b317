import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisStore
import AegisTransport
import Glibc
import Logging
import NIOCore
import Synchronization

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
        bindings = try BindingStore(
            of: rules.roster.nodes.filter { $0 != node } + [rules.admin], in: database)
        let client = MeshClient(
            identity: leaf.leaf, bindings: bindings.memory, eventLoopGroup: group)
        let mail = PeerMail(
            to: rules.roster.nodes.filter { $0 != node }, through: client, inbox: inbox)
        let status = StatusBoard(node: node.text, name: configuration.name)
        let history = RunHistory(
            rules: rules, database: database, blobs: blobs, status: status,
            evaluator: Evaluator(configuration, blobs: blobs),
            worker: Worker(niceness: 5), logger: logger)
        try history.restore(durable.chain)
        let trainer = try TrainingDesk(
            node: node, ledgers: LedgerFile(path: directory.ledgerPath(configuration)),
            database: database, blobs: blobs, configuration, status: status)
        try history.clear(
            durable, ownUpdate: try durable.chain.active.flatMap(trainer.releasedUpdate(in:)))
        surroundings = NodeSurroundings(
            .init(
                inbox: inbox, rules: rules, node: node, client: client, mail: mail,
                blobs: blobs, database: database, status: status,
                trainer: trainer, history: history, logger: logger))
        let registry = RegistryBox(rules, bindings: bindings.memory)
        server = try MeshServer(
            .init(address: try configuration.listeningAddress, mesh: rules.mesh),
            identity: leaf.leaf, blobs: blobs,
            handler: MeshEndpoints(
                inbox: inbox, mail: mail, database: database, status: status,
                events: surroundings.events),
            policy: { registry.verdict(on: $0) }, eventLoopGroup: group, logger: logger)
        rotation = LeafRotation(
            issuer: leaves, server: server, client: client, current: leaf, request: renewal,
            logger: logger)
        monitor = try NodeMonitor(
            status: status, roster: rules.roster, mail: mail, leaf: leaf
        ).server(listening: configuration.monitor, group: group, logger: logger)
        self.rules = rules
        self.logger = logger
    }

    func run() async throws {
        var addresses: [NodeID: MeshAddress] = [:]
        for entry in rules.roster.entries where entry.node != surroundings.node {
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
                            "address": "\(address)", "participants": "\(rules.roster.count)",
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
        var tip: CommitRecord?
        while true {
            let batch = try database.commits(
                from: chain.height + 1, count: CommitList.countMax)
            guard !batch.isEmpty else { break }
            for bytes in batch {
                let record = try CommitRecord(decoding: bytes)
                chain = try rules.replay(CollectionOfOne(record), from: chain)
                tip = record
            }
        }
        // A node that has decided things and has no journal doesn't know what it signed.
        return DurableState(
            chain: chain, tip: tip, records: try journal.restore(),
            isJournalLost: isJournalMissing && chain.height > 0)
    }
}

/// The registry behind the listener's policy.
private final class RegistryBox: Sendable {
    private let registry: Mutex<PeerRegistry>

    init(_ rules: MeshRules, bindings: BindingMemory) {
        registry = Mutex(
            PeerRegistry(roster: rules.roster, observers: [rules.admin], bindings: bindings))
    }

    func verdict(on peer: VerifiedPeer) -> PeerVerdict {
        registry.withLock { registry in
            do throws(PeerRefusal) { return .admitted(try registry.admit(peer)) } catch {
                return .refused(error)
            }
        }
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
