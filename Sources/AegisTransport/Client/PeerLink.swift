import AegisCore
import AegisIdentity
import AegisProtocol
import AsyncHTTPClient
import NIOCore

/// The way to one peer: an HTTP client that trusts exactly the leaf the peer has shown. A peer
/// that restarts shows a new one, which is discovered and pinned in its turn; an older one than
/// was seen is refused (PROTOCOL.md §4.3).
actor PeerLink {
    struct Session: Sendable {
        let http: HTTPClient
        let leaf: VerifiedPeer
    }

    let node: NodeID
    let address: MeshAddress
    private let discovery: PeerDiscovery
    private var session: Session?
    private var opening: Task<Result<Session, MeshClientError>, Never>?
    private let bindings: BindingMemory
    private var isClosed = false

    init(
        to node: NodeID, at address: MeshAddress, discovery: PeerDiscovery,
        bindings: BindingMemory
    ) {
        self.node = node
        self.address = address
        self.discovery = discovery
        self.bindings = bindings
    }

    /// The pinned client, discovered at the first use.
    func current() async throws(MeshClientError) -> Session {
        if let session { return session }
        return try await open(after: nil)
    }

    /// Another client than `failed`, whose handshake the peer's new leaf broke. Where the leaf is
    /// still the same, it is the peer that refuses us.
    func renewed(after failed: Session) async throws(MeshClientError) -> Session {
        if let session, session.leaf.leafDER != failed.leaf.leafDER { return session }
        return try await open(after: failed)
    }

    func close() async {
        isClosed = true
        let last = session
        session = nil
        try? await last?.http.shutdown()
    }

    /// Callers at the same time share one discovery.
    private func open(after failed: Session?) async throws(MeshClientError) -> Session {
        if let opening { return try await opening.value.get() }
        let task = Task { await discover(after: failed) }
        opening = task
        let result = await task.value
        opening = nil
        return try result.get()
    }

    private func discover(after failed: Session?) async -> Result<Session, MeshClientError> {
        let peer: VerifiedPeer
        do {
            peer = try await discovery.peer(at: address, serverName: node.hostName)
        } catch {
            switch error {
            case .certificate(let reason): return .failure(.notAuthentic(node, reason))
            case .wire(let failure): return .failure(MeshClientError(failure, at: node))
            }
        }
        if isClosed { return .failure(.closed) }
        guard peer.node == node else {
            return .failure(
                .notAuthentic(node, .anotherIdentity(named: node.text, bound: peer.node)))
        }
        if let reason = peer.organisation { return .failure(.notVouchedFor(node, reason)) }
        do throws(PeerRefusal) { try bindings.admit(peer.binding) } catch {
            return .failure(MeshClientError(error))
        }
        if let failed, failed.leaf.leafDER == peer.leafDER {
            return .failure(.refusedByPeer(node))
        }
        do {
            let fresh = Session(http: try pinnedClient(peer), leaf: peer)
            let old = session
            session = fresh
            try? await old?.http.shutdown()
            return .success(fresh)
        } catch { return .failure(.unreachable(node, reason: "\(error)")) }
    }

    private func pinnedClient(_ peer: VerifiedPeer) throws -> HTTPClient {
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: try MeshTLS.clientConfiguration(
                discovery.identity, pinning: peer.leafDER),
            redirectConfiguration: .disallow,
            timeout: .init(
                connect: TransportLimits.connectTimeout, read: TransportLimits.readTimeout))
        configuration.httpVersion = .http1Only
        configuration.dnsOverride = [node.hostName: address.host]
        configuration.connectionPool.idleTimeout = TransportLimits.clientIdleTimeout
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 4
        // A refused connection is an answer, not something to try again until the deadline.
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(
            eventLoopGroupProvider: .shared(discovery.group), configuration: configuration)
    }
}
