package import AegisCore
package import AegisIdentity
import AsyncHTTPClient
package import NIOCore
import NIOHTTP1
import Synchronization

package struct MeshReply: Hashable, Sendable {
    package let status: Int
    package let body: [UInt8]

    package init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }
}

/// Calls to peers by node id, each over TLS that only this very node can answer.
package final class MeshClient: Sendable {
    private struct State {
        var identity: TLSIdentity
        var links: [NodeID: PeerLink] = [:]
        var isClosed = false
    }

    private let state: Mutex<State>
    private let bindings: BindingMemory
    private let group: any EventLoopGroup
    private let now: @Sendable () -> UInt64
    private let authorities: OrganisationAuthorities?

    /// `bindings` is shared with the node's listener where there is one.
    package init(
        identity: TLSIdentity, bindings: BindingMemory = BindingMemory(),
        eventLoopGroup: any EventLoopGroup, authorities: OrganisationAuthorities? = nil,
        now: @escaping @Sendable () -> UInt64 = WallClock.seconds
    ) {
        self.authorities = authorities
        state = Mutex(State(identity: identity))
        self.bindings = bindings
        group = eventLoopGroup
        self.now = now
    }

    // MARK: Who is where

    /// The peers that can be called, and no others. Connections to those that are gone are closed.
    package func setPeers(_ addresses: [NodeID: MeshAddress]) async {
        let gone = state.withLock { state in
            let gone = state.links.filter { addresses[$0.key] != $0.value.address }
            for node in gone.keys { state.links[node] = nil }
            for (node, address) in addresses where state.links[node] == nil {
                state.links[node] = link(to: node, at: address, identity: state.identity)
            }
            return gone
        }
        for link in gone.values { await link.close() }
    }

    package func setAddress(_ address: MeshAddress, of node: NodeID) async {
        let old = state.withLock { state -> PeerLink? in
            let old = state.links[node]
            if old?.address == address { return nil }
            state.links[node] = link(to: node, at: address, identity: state.identity)
            return old
        }
        await old?.close()
    }

    /// Whoever of our mesh answers at `address`, for one who joins and knows nobody yet. Compare
    /// the node id with what you trust; then `setAddress`.
    package func discover(at address: MeshAddress) async throws(MeshClientError) -> VerifiedPeer {
        let discovery = discovery(state.withLock { $0.identity })
        do { return try await discovery.peer(at: address, serverName: nil) } catch {
            let unknown = discovery.identity.node
            switch error {
            case .certificate(let reason): throw .notAuthentic(unknown, reason)
            case .wire(let failure): throw MeshClientError(failure, at: unknown)
            }
        }
    }

    /// Presents this leaf from now on: every later call connects anew. What is under way on the
    /// connections before goes on until they are closed, which is the caller's to do.
    package func replace(identity: TLSIdentity) -> RetiredConnections {
        let old = state.withLock { state in
            let old = state.links
            state.identity = identity
            for (node, previous) in old {
                state.links[node] = link(to: node, at: previous.address, identity: identity)
            }
            return old
        }
        return RetiredConnections(links: Array(old.values))
    }

    /// Connections that present a leaf which was replaced.
    package struct RetiredConnections: Sendable {
        fileprivate let links: [PeerLink]

        package func close() async {
            for link in links { await link.close() }
        }
    }

    /// Closes every connection. To be awaited before the client is let go.
    package func shutdown() async {
        let links = state.withLock { state in
            state.isClosed = true
            defer { state.links = [:] }
            return state.links
        }
        for link in links.values { await link.close() }
    }

    // MARK: Calls

    /// Delivers statements, in as many batches as the limits ask for.
    package func post(
        statements: [[UInt8]], to node: NodeID
    ) async throws(MeshClientError) {
        var rest = statements[...]
        while !rest.isEmpty {
            let count = max(1, StatementBatch.prefixCount(of: rest))
            _ = try await post(
                "/mesh/v1/statements", body: StatementBatch.encode(Array(rest.prefix(count))),
                to: node)
            rest = rest.dropFirst(count)
        }
    }

    package func get(
        _ path: String, from node: NodeID, bytesMax: Int = Limits.batchBytesMax,
        timeout: TimeAmount = TransportLimits.callTimeout
    ) async throws(MeshClientError) -> [UInt8] {
        try await success(
            call(.GET, path, to: node, body: nil, bytesMax: bytesMax, timeout: timeout), node
        ).body
    }

    package func post(
        _ path: String, body: [UInt8], to node: NodeID, contentType: String = "application/cbor",
        bytesMax: Int = Limits.statementBytesMax
    ) async throws(MeshClientError) -> MeshReply {
        try await success(
            call(
                .POST, path, to: node, body: (body, contentType), bytesMax: bytesMax),
            node)
    }

    private func call(
        _ method: HTTPMethod, _ path: String, to node: NodeID, body: ([UInt8], String)?,
        bytesMax: Int, timeout: TimeAmount = TransportLimits.callTimeout
    ) async throws(MeshClientError) -> Answer {
        try await exchange(with: node) { (session, url) in
            var request = HTTPClientRequest(url: url + path)
            request.method = method
            if let body {
                request.headers.add(name: "content-type", value: body.1)
                request.body = .bytes(ByteBuffer(bytes: body.0))
            }
            let response = try await session.http.execute(request, timeout: timeout)
            let bytes = try await response.body.collect(upTo: bytesMax)
            return Answer(
                status: Int(response.status.code), headers: response.headers,
                body: Array(bytes.readableBytesView))
        }
    }

    private struct Answer {
        let status: Int
        let headers: HTTPHeaders
        let body: [UInt8]
    }

    private func success(_ answer: Answer, _ node: NodeID) throws(MeshClientError) -> MeshReply {
        try Self.checkStatus(
            answer.status, headers: answer.headers, body: answer.body, node: node)
        return MeshReply(status: answer.status, body: answer.body)
    }

    static func checkStatus(
        _ status: Int, headers: HTTPHeaders, body: [UInt8], node: NodeID
    ) throws(MeshClientError) {
        switch status {
        case 200..<300: return
        case 429, 503:
            let seconds = headers.first(name: "retry-after").flatMap { Int($0) } ?? 1
            throw .busy(node, retryAfter: .seconds(min(max(seconds, 0), 60)))
        default: throw .status(node, status, problem: Self.problemType(body))
        }
    }

    /// The `type` member of a problem document as our servers write it: without spaces. In a text
    /// the quotes of these bytes would be escaped.
    private static func problemType(_ body: [UInt8]) -> String? {
        guard let range = body.firstRange(of: Array(#""type":""#.utf8)) else { return nil }
        let rest = body[range.upperBound...].prefix { $0 != UInt8(ascii: "\"") }
        return rest.count <= 64 ? String(validating: rest, as: UTF8.self) : nil
    }

    /// Runs `body` with the peer's session; once more where our own leaf was replaced meanwhile,
    /// since the peer may already know the one this call presented as stale.
    func exchange<R: Sendable>(
        with node: NodeID,
        _ body: (_ session: PeerLink.Session, _ url: String) async throws -> R
    ) async throws(MeshClientError) -> R {
        let link = try link(to: node)
        do { return try await exchange(over: link, body) } catch {
            let current = try self.link(to: node)
            guard current !== link else { throw error }
            return try await exchange(over: current, body)
        }
    }

    private func link(to node: NodeID) throws(MeshClientError) -> PeerLink {
        let (link, isClosed) = state.withLock { ($0.links[node], $0.isClosed) }
        if isClosed { throw .closed }
        guard let link else { throw .unknownPeer(node) }
        return link
    }

    /// Runs `body` with the peer's session, once more with a new one where TLS failed: the peer may
    /// have restarted with another leaf.
    private func exchange<R: Sendable>(
        over link: PeerLink,
        _ body: (_ session: PeerLink.Session, _ url: String) async throws -> R
    ) async throws(MeshClientError) -> R {
        let node = link.node
        let url = "https://\(node.hostName):\(link.address.port)"
        let session = try await link.current()
        do { return try await body(session, url) } catch {
            guard WireFailure(error) == .tls else { throw Self.read(error, node) }
        }
        let renewed = try await link.renewed(after: session)
        do { return try await body(renewed, url) } catch { throw Self.read(error, node) }
    }

    private static func read(_ error: any Error, _ node: NodeID) -> MeshClientError {
        switch error {
        case let error as MeshClientError: error
        case let error as NIOTooManyBytesError:
            .responseTooLarge(node, bytesMax: error.maxBytes ?? 0)
        default: MeshClientError(WireFailure(error), at: node)
        }
    }

    private func discovery(_ identity: TLSIdentity) -> PeerDiscovery {
        PeerDiscovery(
            identity: identity, now: now, group: group, authorities: authorities)
    }

    private func link(
        to node: NodeID, at address: MeshAddress, identity: TLSIdentity
    ) -> PeerLink {
        PeerLink(
            to: node, at: address, discovery: discovery(identity), bindings: bindings)
    }
}
