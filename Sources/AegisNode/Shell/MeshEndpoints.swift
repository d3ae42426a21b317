import AegisAPI
import AegisCore
import AegisIdentity
import AegisProtocol
import AegisStore
import AegisTransport
import Logging

/// What this node answers to its peers and to the admin.
struct MeshEndpoints: MeshHandler {
    let inbox: Inbox
    let mail: PeerMail
    let database: NodeDatabase
    let status: StatusBoard
    let events: EventLog
    let membership: MeshMembership
    let joins: JoinDesk
    let readiness: Readiness
    let hello: MeshHello

    func received(
        statements: [[UInt8]], from peer: NodeID
    ) async -> StatementReception {
        guard inbox.hasRoom(for: statements.count, from: peer) else {
            return .busy(retryAfter: .seconds(1))
        }
        mail.heard(from: peer)
        for bytes in statements {
            do {
                inbox.add(.received(try Statement(decoding: bytes), from: peer))
            } catch {
                events.refused(peer, "\(error)")
            }
        }
        return .accepted
    }

    func respond(to request: MeshRequest) async -> MeshResponse {
        switch (request.method, request.path) {
        case (.get, "/mesh/v1/offer"): return joins.offer()
        case (.post, "/mesh/v1/join"): return joins.join(request.body, from: request.peer)
        default: break
        }
        let isNewcomer = request.role == nil && membership.isWelcome(request.peer.node)
        let isMember = request.role != nil && request.role != .joiner
        guard
            isMember
                || (isNewcomer && ["/mesh/v1/commits", "/mesh/v1/final"].contains(request.path))
        else {
            return .problem(403, type: "urn:aegis:problem:not-a-participant")
        }
        switch (request.method, request.path) {
        case (.get, "/mesh/v1/status"):
            return status(request.query)
        case (.get, "/mesh/v1/hello") where hello.spoken.upperBound > 1:
            return .cbor(hello.encoded)
        case (.get, "/mesh/v1/commits"):
            return commits(request.query)
        case (.get, "/mesh/v1/final"):
            return final(request.query)
        default:
            return .notFound
        }
    }

    /// With `measured`, what was measured after that in place of the newest rounds.
    private func status(_ query: [String: String]) -> MeshResponse {
        do {
            var answer = readiness.answer
            if let text = query["measured"] {
                guard let place = UInt64(text) else {
                    return .problem(
                        400, type: "urn:aegis:problem:invalid-query",
                        "measured is the number of an earlier answer")
                }
                let told = try database.metrics(after: place, limit: NodeStatus.roundsMax)
                answer.rounds = try told.metrics.map {
                    try AegisAPI.decode(RoundMeasurement.self, from: $0)
                }
                answer.measured = told.through
            }
            return .json(Array(try AegisAPI.encode(answer)))
        } catch {
            return .problem(500, type: "urn:aegis:problem:internal", "\(error)")
        }
    }

    private func commits(_ query: [String: String]) -> MeshResponse {
        guard let height = UInt64(query["from"] ?? "1"),
            let count = Int(query["count"] ?? "\(CommitList.countMax)"),
            (1...CommitList.countMax).contains(count)
        else {
            return .problem(
                400, type: "urn:aegis:problem:invalid-query",
                "from is a height, count 1 to \(CommitList.countMax)")
        }
        do {
            return .cbor(CommitList.encode(try database.commits(from: height, count: count)))
        } catch {
            return .problem(500, type: "urn:aegis:problem:internal", "\(error)")
        }
    }

    /// What makes the height `from`, and all before it, final.
    private func final(_ query: [String: String]) -> MeshResponse {
        guard let height = UInt64(query["from"] ?? "1") else {
            return .problem(400, type: "urn:aegis:problem:invalid-query", "from is a height")
        }
        do {
            guard let final = try database.final(from: height) else { return .notFound }
            return .cbor(final.certificate)
        } catch {
            return .problem(500, type: "urn:aegis:problem:internal", "\(error)")
        }
    }

    func cutOff(_ peer: NodeID) {
        events.refused(peer, "floods, or sends what can't be read: cut off for a while")
    }

    func refused(_ error: StatementBatchError, from peer: NodeID) {
        events.refused(peer, "batch: \(error)")
    }

    func refused(_ refusal: ConnectionRefusal) {
        let (peer, reason) =
            switch refusal {
            case .certificate(let error, let address): (address, "\(error)")
            case .policy(let refusal, let address): (address, "\(refusal)")
            }
        // The port differs at each attempt.
        let host = peer.lastIndex(of: ":").map { String(peer[..<$0]) } ?? peer
        if status.refused(host, reason) {
            events.logger.warning(
                "connection refused", metadata: ["peer": "\(host)", "reason": "\(reason)"])
        }
    }
}
