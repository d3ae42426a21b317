import AegisAdmin
import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import FoundationEssentials
import Synchronization

/// A time that tests count from, in milliseconds since 1970.
let noon: UInt64 = 1_790_000_000_000

/// A mesh being founded, its database in memory.
struct TestMesh {
    let identity = IdentityKey.generate()
    let founding: SignedFounding
    let tls: TLSIdentity
    let database: AdminDatabase
    let desk: FoundingDesk

    init(name: String = "hospitals") throws {
        let mesh = try unwrap(MeshID(randomBytes(16)))
        founding = SignedFounding.sign(
            FoundingStatement(
                mesh: mesh, name: name, admin: identity.publicKey, policy: MeshPolicy(),
                foundedAt: noon),
            by: identity)
        tls = try TLSIdentity.issue(
            for: identity, mesh: mesh, sequence: noon, now: noon / 1_000)
        database = try AdminDatabase()
        desk = FoundingDesk(
            database: database, founding: founding, admin: founding.statement.admin, tls: tls)
    }

    func token(_ name: String, seconds: Int = 3_600) async throws -> JoinToken {
        try await desk.createToken(name: name, seconds: seconds, by: "admin", now: noon)
    }

    /// A node that joins with its own token.
    func join(_ name: String) async throws -> TestNode {
        let node = try TestNode(mesh: founding.statement.mesh)
        let token = try await token(name)
        let body = try node.request(with: token, offer: desk.offer(now: noon).encoded)
        _ = try await desk.join(body, clientTLSKey: node.tls.spkiDigest, now: noon)
        return node
    }
}

struct TestNode {
    let identity = IdentityKey.generate()
    let tls: TLSIdentity

    init(mesh: MeshID, now: UInt64 = noon) throws {
        tls = try TLSIdentity.issue(for: identity, mesh: mesh, sequence: 1, now: now / 1_000)
    }

    func request(
        with token: JoinToken, offer: [UInt8], name: String = "", address: String = "127.0.0.1:9001"
    ) throws -> [UInt8] {
        try Joiner(token: token, identity: identity, tls: tls).prepare(
            offer: offer, presentedLeafDER: nil, name: name, address: address, now: noon / 1_000
        ).body
    }

    func sign(_ genesis: [UInt8]) -> [UInt8] {
        EnvelopeSigner(identity).sign(.genesisSignature, genesis).bytes
    }
}

struct Missing: Error {}

func unwrap<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw Missing() }
    return value
}

/// A folder that is gone when the test is over.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory
            .appending(path: "aegis-admin-tests-" + Hexadecimal.encode(randomBytes(8))).path()
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
