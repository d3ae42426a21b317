import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisStore
import AegisTransport

/// An identity that a running mesh is about to take in: follows the chain until a decision has made
/// it a member, and writes its folder with all of that, so that it starts with the roster of today.
final class Newcomer {
    let genesis: Genesis
    private let document: GenesisDocument
    private let identity: IdentityKey
    private let rules: MeshRules
    private var state: ChainState
    private var records: [CommitRecord] = []

    private static let decisionWithin = Duration.seconds(60)

    init(genesis: Genesis, document: GenesisDocument, identity: IdentityKey) {
        self.genesis = genesis
        self.document = document
        self.identity = identity
        rules = MeshRules(
            founding: genesis.founding.statement, genesis: genesis.statement,
            cryptography: Libsodium())
        state = rules.initialState
    }

    /// This node in the roster of the last decision known here.
    var entry: RosterEntry? { state.roster.member(identity.publicKey) }

    /// Verifies every decision until one has made this node a member; its entry in the roster.
    func follow(_ link: AdminLink) async throws -> RosterEntry {
        let clock = ContinuousClock()
        let end = clock.now + Self.decisionWithin
        while clock.now < end {
            let isFresh = try await look(link)
            if let entry { return entry }
            if !isFresh { try await Task.sleep(for: .milliseconds(200)) }
        }
        throw NodeError.joinRefused(
            code: "undecided", detail: "the mesh has not decided within a minute")
    }

    /// Takes what `link` has beyond what is known here, as it says, checked; whether that was
    /// anything.
    func look(_ link: AdminLink) async throws -> Bool {
        let body = try await link.get(
            "/mesh/v1/commits?from=\(state.height + 1)&count=\(CommitList.countMax)")
        let fresh = try CommitList.decode(body)
        for record in fresh {
            state = try rules.verify(record, extending: state).state
            records.append(record)
        }
        return !fresh.isEmpty
    }

    func write(
        _ entry: RosterEntry, to directory: String, _ configuration: NodeConfiguration,
        acceptor: AdminLink
    ) throws {
        guard state.roster.member(acceptor.peer.node) != nil || acceptor.peer.node == state.admin
        else {
            throw NodeError.joinRefused(
                code: "not-a-member", detail: "\(acceptor.address) is no member of this mesh")
        }
        let record = JoinRecord(
            mesh: genesis.mesh, name: entry.name, address: configuration.advertise,
            acceptor: acceptor.peer.node, acceptorAddress: acceptor.address,
            joinedAt: MachineClock.wallSeconds)
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
