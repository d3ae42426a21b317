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
    private let logger: Logger

    init(
        directory: NodeDirectory, configuration: NodeConfiguration, identity: IdentityKey,
        genesis: Genesis, tls: TLSIdentity, group: any EventLoopGroup, logger: Logger
    ) throws {
        let node = identity.publicKey
        let cryptography = Libsodium()
        let rules = MeshRules(
            founding: genesis.founding.statement, genesis: genesis.statement,
            cryptography: cryptography)
        let database = try NodeDatabase(path: directory.databasePath)
        let blobs = try BlobStore(directory: directory.blobsPath)
        journal = NodeJournal(
            journal: try Self.openJournal(directory.journalPath, node: node),
            signer: EnvelopeSigner(identity))
        let durable = try Self.restore(rules, database: database, journal: journal)
        participant = try Participant(
            configuration: ParticipantConfiguration(
                node: node, rules: rules, seed: UInt64(MachineClock.now.nanoseconds)),
            restoring: durable)
        let client = MeshClient(identity: tls, eventLoopGroup: group)
        let mail = PeerMail(
            to: rules.roster.nodes.filter { $0 != node }, through: client, inbox: inbox)
        let status = StatusBoard(node: node.text, name: configuration.name)
        let evaluator = Evaluator(declarations: configuration.datasets, blobs: blobs)
        let history = RunHistory(
            rules: rules, database: database, blobs: blobs, status: status,
            evaluator: evaluator, worker: Worker(niceness: 5), logger: logger)
        try history.restore(durable.chain)
        let ledgers = try LedgerFile(path: directory.ledgerPath(configuration))
        let trainer = try TrainingDesk(
            node: node, ledgers: ledgers, database: database, blobs: blobs,
            declarations: configuration.datasets, status: status)
        try history.clear(
            durable, ownUpdate: try durable.chain.active.flatMap(trainer.releasedUpdate(in:)))
        surroundings = NodeSurroundings(
            .init(
                inbox: inbox, rules: rules, node: node, client: client, mail: mail,
                blobs: blobs, database: database, status: status,
                trainer: trainer, history: history, logger: logger))
        guard let address = MeshAddress(configuration.listen) else {
            throw ConfigurationError(faults: ["listen: not host:port"])
        }
        let registry = Mutex(
            PeerRegistry(roster: rules.roster, observers: [rules.admin]))
        let registryBox = RegistryBox(registry)
        server = try MeshServer(
            .init(address: address, mesh: rules.mesh), identity: tls, blobs: blobs,
            handler: MeshEndpoints(
                inbox: inbox, mail: mail, database: database, status: status,
                events: surroundings.events),
            policy: { registryBox.verdict(on: $0) }, eventLoopGroup: group, logger: logger)
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
        _ rules: MeshRules, database: NodeDatabase, journal: NodeJournal
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
        return DurableState(chain: chain, tip: tip, records: try journal.restore())
    }
}

/// The registry behind the listener's policy.
private final class RegistryBox: Sendable {
    private let registry: Mutex<PeerRegistry>

    init(_ registry: consuming Mutex<PeerRegistry>) { self.registry = registry }

    func verdict(on peer: VerifiedPeer) -> PeerVerdict {
        registry.withLock { registry in
            do throws(PeerRefusal) { return .admitted(try registry.admit(peer)) } catch {
                return .refused(error)
            }
        }
    }
}
