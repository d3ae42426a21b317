import AegisCore
import AegisCrypto
import AegisIdentity
import AegisNode
import AegisProtocol
import AegisTransport
import Glibc
import Synchronization
import TestFolders

/// A founded mesh: the admin's key, and a directory for each participant as joining and founding
/// leave it.
struct TestMesh: Sendable {
    struct Member: Sendable {
        let name: String
        let key: IdentityKey
        let address: MeshAddress
        let directory: NodeDirectory

        var node: NodeID { key.publicKey }
    }

    let admin: IdentityKey
    /// In the order of the roster.
    let members: [Member]
    let rules: MeshRules
    private let directory: TemporaryDirectory

    var mesh: MeshID { rules.mesh }

    init(members count: Int, viewTimeoutMilliseconds: UInt64 = 500) throws {
        let directory = try TemporaryDirectory()
        let ports = try FreePorts.take(count)
        let names = ["lakeside", "north", "riverside", "south"]
        let admin = IdentityKey.generate()
        let keys = (0..<count).map { _ in IdentityKey.generate() }
            .sorted { $0.publicKey < $1.publicKey }
        let members = keys.enumerated().map { index, key in
            Member(
                name: names[index], key: key,
                address: MeshAddress(host: "127.0.0.1", port: ports[index]),
                directory: NodeDirectory(directory.file(names[index])))
        }
        let founding = SignedFounding.sign(
            FoundingStatement(
                mesh: Sample.mesh(), name: "test", admin: admin.publicKey,
                policy: MeshPolicy(viewTimeoutMilliseconds: viewTimeoutMilliseconds),
                foundedAt: WallClock.seconds() * 1_000),
            by: admin)
        let roster = try Roster(
            epoch: 0,
            entries: members.map {
                RosterEntry(node: $0.node, name: $0.name, address: "\($0.address)")
            },
            strictThree: false)
        let payload = GenesisStatement(
            mesh: Sample.mesh(), founding: founding.digest, roster: roster
        ).payload
        let document = GenesisDocument(
            founding: founding.bytes,
            signatures: keys.map {
                EnvelopeSigner($0).sign(.genesisSignature, payload).bytes
            })
        let genesis = try GenesisVerifier().verify(document, pinned: founding.digest)
        for member in members {
            try Self.write(member, founding: founding, document: document)
        }
        self.admin = admin
        self.members = members
        self.directory = directory
        rules = MeshRules(
            founding: founding.statement, genesis: genesis.statement,
            cryptography: Libsodium())
    }

    private static func write(
        _ member: Member, founding: SignedFounding, document: GenesisDocument
    ) throws {
        let admin = "127.0.0.1:1"
        let record = JoinRecord(
            mesh: Sample.mesh(), name: member.name, address: "\(member.address)",
            acceptor: founding.statement.admin, acceptorAddress: admin,
            joinedAt: WallClock.seconds())
        let configuration = NodeConfiguration(
            name: member.name, listen: "\(member.address)", advertise: "\(member.address)",
            admin: admin)
        _ = try IdentityDirectory.create(
            at: member.directory.path, key: member.key, passphrase: nil,
            files: [
                DirectoryFile(IdentityDirectory.foundingName, founding.bytes),
                DirectoryFile(IdentityDirectory.joinRecordName, record.encoded),
                DirectoryFile(
                    NodeDirectory.configurationName, Array(try configuration.yaml.utf8)),
            ])
        try member.directory.saveGenesis(document)
    }

    private static let leaves = Atomic<UInt64>(0)

    func tls(_ key: IdentityKey) throws -> TLSIdentity {
        let now = WallClock.seconds()
        // Above every earlier one, also within a second.
        let sequence = now * 1_000 + Self.leaves.add(1, ordering: .relaxed).newValue
        return try TLSIdentity.issue(for: key, mesh: mesh, sequence: sequence, now: now)
    }

    /// A command as the admin would sign it, or whoever has `key`.
    func command(
        _ action: Command.Action, sequence: UInt64 = 1, by key: IdentityKey? = nil
    ) -> SignedEnvelope {
        let command = Command(
            mesh: mesh, sequence: sequence, expiresAt: (WallClock.seconds() + 600) * 1_000,
            action: action)
        return EnvelopeSigner(key ?? admin).sign(.command, command.payload)
    }
}
