import AegisCore
import AegisIdentity
import AegisStore
import HTTPTypes
import HummingbirdCore
import NIOCore

/// Routes a request of a verified peer.
struct MeshResponder: Sendable {
    let admission: Admission
    let connections: ConnectionTable
    let blobs: BlobStore?
    let handler: any MeshHandler

    static let statementsPath = "/mesh/v1/statements"
    static let blobsPath = "/mesh/v1/blobs/"

    /// What goes back on the wire.
    struct Reply {
        let head: HTTPResponse
        let body: ResponseBody
        /// What is left of the request is not worth reading.
        let closing: Bool

        init(_ head: HTTPResponse, _ body: ResponseBody = ResponseBody(), closing: Bool = false) {
            self.head = head
            self.body = body
            self.closing = closing
        }
    }

    func reply(
        to request: Request, from peer: VerifiedPeer, patience: Patience,
        on eventLoop: any EventLoop
    ) async throws -> Reply {
        switch connections.request(of: peer.node) {
        case .fine: break
        case .tooFast: return Reply(.tooManyRequests)
        case .cutOff:
            cutOff(peer.node)
            return Reply(.tooManyRequests, closing: true)
        }
        let role: PeerRole?
        switch admission.verdict(on: peer) {
        case .admitted(let admitted): role = admitted
        case .stranger, .restricted: role = nil
        case .refused: return Reply(.problem(403, type: "peer-refused"), closing: true)
        }
        let path = request.uri.path
        if path.hasPrefix(Self.blobsPath) {
            guard role == .participant || role == .observer else {
                return Reply(.problem(403, type: "role"))
            }
            patience.finished()
            return blobReply(to: request, from: peer.node, on: eventLoop)
        }
        guard let method = MeshRequest.Method(rawValue: request.method.rawValue) else {
            return Reply(.problem(405, type: "method"), closing: true)
        }
        let isBatch = path == Self.statementsPath
        let bytesMax = isBatch ? Limits.batchBytesMax : TransportLimits.requestBytesMax
        let body = try await collect(request, bytesMax: bytesMax)
        patience.finished()
        guard let body else {
            strike(peer.node)
            return Reply(
                .problem(413, type: "too-large", "at most \(bytesMax) bytes"), closing: true)
        }
        if isBatch {
            return Reply(await receive(body, method: method, from: peer.node, role: role))
        }
        return Reply(
            await handler.respond(
                to: MeshRequest(
                    method: method, path: path, query: query(of: request), body: body,
                    peer: peer, role: role)))
    }

    func strike(_ node: NodeID) {
        if connections.strike(node) { cutOff(node) }
    }

    private func cutOff(_ node: NodeID) {
        handler.cutOff(node)
        connections.close(node)
    }

    private func receive(
        _ body: [UInt8], method: MeshRequest.Method, from node: NodeID, role: PeerRole?
    ) async -> MeshResponse {
        guard method == .post else { return .problem(405, type: "method") }
        guard role == .participant || role == .observer || role == .associate else {
            return .problem(403, type: "role")
        }
        let statements: [[UInt8]]
        do { statements = try StatementBatch.decode(body) } catch {
            handler.refused(error, from: node)
            strike(node)
            switch error {
            case .tooMany, .statementTooLarge:
                return .problem(413, type: "too-large", "\(error)")
            case .malformed, .notByteStrings:
                return .problem(400, type: "malformed-batch", "\(error)")
            }
        }
        switch await handler.received(statements: statements, from: node) {
        case .accepted: return .noContent
        case .busy(let delay): return .busy(retryAfter: delay)
        }
    }

    /// The body, or nil where it is longer than `bytesMax`. Of a longer one some is read and
    /// dropped: a connection that is closed with bytes unread is reset, and the peer would not see
    /// the answer.
    private func collect(_ request: Request, bytesMax: Int) async throws -> [UInt8]? {
        let announced = request.headers[.contentLength].flatMap { Int($0) } ?? 0
        var isTooLong = announced > bytesMax
        var bytes: [UInt8] = []
        var total = 0
        for try await buffer in request.body {
            total += buffer.readableBytes
            if total > bytesMax {
                isTooLong = true
                bytes = []
            }
            if total > 4 * bytesMax { return nil }
            if !isTooLong { bytes += buffer.readableBytesView }
        }
        return isTooLong ? nil : bytes
    }

    private func query(of request: Request) -> [String: String] {
        var query: [String: String] = [:]
        for (name, value) in request.uri.queryParameters {
            query[String(name)] = String(value)
        }
        return query
    }
}

extension MeshResponder.Reply {
    init(_ response: MeshResponse, closing: Bool = false) {
        var fields = HTTPFields()
        if response.status != 204 { fields[.contentLength] = "\(response.body.count)" }
        if let type = response.contentType { fields[.contentType] = type }
        for (name, value) in response.headers {
            if let name = HTTPField.Name(name) { fields[name] = value }
        }
        if closing { fields[.connection] = "close" }
        self.init(
            HTTPResponse(status: .init(code: response.status), headerFields: fields),
            response.body.isEmpty
                ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(bytes: response.body)),
            closing: closing)
    }
}
