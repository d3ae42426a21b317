import AegisCore
import AegisIdentity
import AegisTransport
import FoundationEssentials
import NIOCore

/// The admin's mesh listener, for a node that joins or waits for the founding.
struct AdminLink: Sendable {
    let address: String
    let client: MeshClient
    let peer: VerifiedPeer

    /// Whoever of this mesh answers at `address`; the caller compares its identity with what it
    /// trusts.
    init(
        to address: String, identity: TLSIdentity, group: any EventLoopGroup
    ) async throws(NodeError) {
        guard let meshAddress = MeshAddress(address) else {
            throw .adminUnreachable(address, reason: "not host:port")
        }
        self.address = address
        client = MeshClient(identity: identity, eventLoopGroup: group)
        do {
            peer = try await client.discover(at: meshAddress)
            await client.setAddress(meshAddress, of: peer.node)
        } catch {
            await client.shutdown()
            throw Self.explain(error, address: address)
        }
    }

    func get(_ path: String) async throws(NodeError) -> [UInt8] {
        do { return try await client.get(path, from: peer.node) } catch {
            throw Self.explain(error, address: address)
        }
    }

    func post(
        _ path: String, body: [UInt8], bytesMax: Int = Limits.statementBytesMax
    ) async throws(NodeError) -> [UInt8] {
        do {
            return try await client.post(path, body: body, to: peer.node, bytesMax: bytesMax).body
        } catch {
            throw Self.explain(error, address: address)
        }
    }

    private static func explain(_ error: MeshClientError, address: String) -> NodeError {
        switch error {
        case .status(_, let status, let problem):
            let code = (problem ?? "").split(separator: ":").last.map(String.init)
            return .joinRefused(code: code ?? "status-\(status)", detail: "status \(status)")
        case .connectionRefused:
            return .adminUnreachable(address, reason: "nobody listens there")
        case .refusedByPeer: return .notLetIn(address)
        case .notAuthentic(_, let reason):
            return .adminNotAuthentic(address, reason)
        default:
            return .adminUnreachable(address, reason: "\(error)")
        }
    }
}
