package import AegisCore
package import AegisIdentity

/// What a peer may be, seen from the roster. Asked at the handshake and again at every request, so
/// an eviction or a newer binding takes effect at once.
package enum PeerVerdict: Hashable, Sendable {
    case admitted(PeerRole)
    /// Nobody we know, but this listener lets strangers in (to found or to join); the handler's
    /// endpoints see a nil role.
    case stranger
    /// As little as a stranger, although it is somebody we know: this is why.
    case restricted(PeerRefusal)
    case refused(PeerRefusal)
}

/// A peer that was not let in, and why.
package enum ConnectionRefusal: Hashable, Sendable {
    case certificate(PeerCertificateError, address: String)
    case policy(PeerRefusal, address: String)
}

package enum StatementReception: Hashable, Sendable {
    case accepted
    /// The inbox is full; the peer keeps the batch and tries again after this time.
    case busy(retryAfter: Duration)
}

/// What a node or an admin does with what arrives. The server has already bounded, parsed and
/// attributed it.
package protocol MeshHandler: Sendable {
    /// Statements a participant or observer sent, in order, unverified and undecoded.
    func received(statements: [[UInt8]], from peer: NodeID) async -> StatementReception
    /// Any path but statements and blobs. Check `request.role`.
    func respond(to request: MeshRequest) async -> MeshResponse
    /// For the log and the status page. Must not block.
    func refused(_ refusal: ConnectionRefusal)
    /// A peer that floods, or sends what can't be read again and again, has been cut off for a
    /// while.
    func cutOff(_ peer: NodeID)
    /// A participant or observer sent a body that is no batch. For the log and the status page too.
    func refused(_ error: StatementBatchError, from peer: NodeID)
}

extension MeshHandler {
    package func respond(to request: MeshRequest) async -> MeshResponse { .notFound }
    package func refused(_ refusal: ConnectionRefusal) {}
    package func cutOff(_ peer: NodeID) {}
    package func refused(_ error: StatementBatchError, from peer: NodeID) {}
}

package struct MeshRequest: Hashable, Sendable {
    package enum Method: String, Sendable { case get = "GET", post = "POST" }

    package let method: Method
    package let path: String
    package let query: [String: String]
    package let body: [UInt8]
    package let peer: VerifiedPeer
    /// Nil for a stranger.
    package let role: PeerRole?

    package init(
        method: Method, path: String, query: [String: String] = [:], body: [UInt8] = [],
        peer: VerifiedPeer, role: PeerRole?
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.body = body
        self.peer = peer
        self.role = role
    }
}

package struct MeshResponse: Hashable, Sendable {
    package var status: Int
    package var contentType: String?
    package var body: [UInt8]
    package var headers: [String: String]

    package init(
        status: Int, contentType: String? = nil, body: [UInt8] = [],
        headers: [String: String] = [:]
    ) {
        self.status = status
        self.contentType = contentType
        self.body = body
        self.headers = headers
    }

    package static let noContent = MeshResponse(status: 204)
    package static let notFound = problem(404, type: "not-found", "there is nothing here")

    package static func cbor(_ body: [UInt8], status: Int = 200) -> MeshResponse {
        MeshResponse(status: status, contentType: "application/cbor", body: body)
    }

    package static func json(_ body: [UInt8], status: Int = 200) -> MeshResponse {
        MeshResponse(status: status, contentType: "application/json", body: body)
    }

    package static func text(_ text: String, status: Int = 200) -> MeshResponse {
        MeshResponse(
            status: status, contentType: "text/plain; charset=utf-8", body: Array(text.utf8))
    }

    package static func busy(retryAfter: Duration) -> MeshResponse {
        var response = problem(503, type: "busy", "try again later")
        response.headers["retry-after"] = "\(max(1, retryAfter.components.seconds))"
        return response
    }

    static let tooManyRequests: MeshResponse = {
        var response = problem(429, type: "too-many-requests", "slower, please")
        response.headers["retry-after"] = "1"
        return response
    }()

    /// RFC 9457, with the few members that a program reads. `type` and `detail` are ours and need
    /// no escaping beyond quotes, backslashes and control characters.
    package static func problem(
        _ status: Int, type: String, _ detail: String = ""
    ) -> MeshResponse {
        let escaped = detail.unicodeScalars.map { scalar in
            scalar == "\"" || scalar == "\\"
                ? "\\\(scalar)" : scalar.value < 0x20 ? " " : String(scalar)
        }.joined()
        return MeshResponse(
            status: status, contentType: "application/problem+json",
            body: Array(
                #"{"type":"\#(type)","status":\#(status),"detail":"\#(escaped)"}"#.utf8))
    }
}
