import AegisCore
import AegisCrypto
import AegisIdentity
import AegisStore
import AegisTransport
import Glibc
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// Keys, a mesh and the time of the tests.
enum Fixture {
    static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    static var mesh: MeshID { mesh(1) }

    static func mesh(_ number: UInt8) -> MeshID {
        guard let mesh = MeshID([UInt8](repeating: number, count: 16)) else {
            preconditionFailure("16 bytes")
        }
        return mesh
    }

    static func tls(
        _ key: IdentityKey, mesh: MeshID = Fixture.mesh, sequence: UInt64 = 1,
        now: UInt64 = WallClock.seconds()
    ) throws -> TLSIdentity {
        try TLSIdentity.issue(for: key, mesh: mesh, sequence: sequence, now: now)
    }
}

/// One participant of the tests: its key, its leaf, and a client that presents it.
struct Participant {
    let key = IdentityKey.generate()
    let identity: TLSIdentity
    let client: MeshClient

    var node: NodeID { key.publicKey }

    init() throws {
        identity = try Fixture.tls(key)
        client = MeshClient(identity: identity, eventLoopGroup: Fixture.group)
    }
}

/// Takes everything down, so that a test can look at it.
final class RecordingHandler: MeshHandler {
    struct Seen {
        var statements: [(from: NodeID, bytes: [UInt8])] = []
        var requests: [MeshRequest] = []
        var refusals: [ConnectionRefusal] = []
        var cutOff: Set<NodeID> = []
        var reception = StatementReception.accepted
    }

    let seen = Mutex(Seen())

    var statements: [[UInt8]] { seen.withLock { $0.statements.map(\.bytes) } }
    var cutOff: Set<NodeID> { seen.withLock { $0.cutOff } }
    var refusals: [ConnectionRefusal] { seen.withLock { $0.refusals } }

    func received(statements: [[UInt8]], from peer: NodeID) async -> StatementReception {
        seen.withLock { seen in
            if seen.reception == .accepted {
                seen.statements += statements.map { (peer, $0) }
            }
            return seen.reception
        }
    }

    func respond(to request: MeshRequest) async -> MeshResponse {
        seen.withLock { $0.requests.append(request) }
        switch request.path {
        case "/mesh/v1/status": return .json(Array("{}".utf8))
        case "/mesh/v1/echo": return .cbor(request.body)
        case "/mesh/v1/no": return .problem(409, type: "token-used", "the \"token\" is used")
        default: return .notFound
        }
    }

    func cutOff(_ peer: NodeID) { seen.withLock { _ = $0.cutOff.insert(peer) } }

    func refused(_ refusal: ConnectionRefusal) {
        seen.withLock { $0.refusals.append(refusal) }
    }
}

/// A listener for the time of `body`.
func withServer<R>(
    _ identity: TLSIdentity, address: MeshAddress = MeshAddress(host: "127.0.0.1", port: 0),
    blobs: BlobStore? = nil, handler: any MeshHandler,
    policy: @escaping @Sendable (VerifiedPeer) -> PeerVerdict = { _ in
        .admitted(.participant)
    },
    requestTimeout: TimeAmount = TransportLimits.requestTimeout,
    _ body: (MeshServer, MeshAddress) async throws -> R
) async throws -> R {
    let server = try MeshServer(
        .init(address: address, mesh: identity.mesh, requestTimeout: requestTimeout),
        identity: identity, blobs: blobs,
        handler: handler, policy: policy, eventLoopGroup: Fixture.group, logger: Fixture.logger)
    let running = Task { try await server.run() }
    let bound = try await server.boundAddress
    let result: Result<R, any Error>
    do { result = .success(try await body(server, bound)) } catch { result = .failure(error) }
    running.cancel()
    _ = await running.result
    return try result.get()
}

extension MeshClient {
    /// What a call comes to.
    func outcome(of node: NodeID, _ path: String = "/mesh/v1/status") async -> MeshClientError? {
        do {
            _ = try await get(path, from: node)
            return nil
        } catch { return error }
    }
}

/// Waits until `condition` holds, at most five seconds.
func eventually(_ condition: () -> Bool) async throws {
    for _ in 0..<500 {
        if condition() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("it never happened")
}
