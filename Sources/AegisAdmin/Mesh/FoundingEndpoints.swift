import AegisAPI
package import AegisCore
import AegisIdentity
import AegisProtocol
import AegisTelemetry
package import AegisTransport
package import Logging

/// The admin's mesh listener: how a node comes in, before there is a roster that could vouch for
/// it. Whoever asks has shown the key of its certificate and no more.
package struct FoundingEndpoints: MeshHandler {
    private let desk: FoundingDesk
    private let replacements: ReplacementDesk?
    private let logger: Logger
    private let now: @Sendable () -> UInt64

    package init(
        desk: FoundingDesk, replacements: ReplacementDesk? = nil, logger: Logger,
        now: @escaping @Sendable () -> UInt64 = Timestamp.now
    ) {
        self.desk = desk
        self.replacements = replacements
        self.logger = logger
        self.now = now
    }

    /// The admin observes; nobody sends it statements.
    package func received(
        statements: [[UInt8]], from peer: NodeID
    ) async -> StatementReception { .accepted }

    package func respond(to request: MeshRequest) async -> MeshResponse {
        do {
            return try await answer(request)
        } catch let problem as Problem {
            if request.method == .post {
                logger.notice(
                    "mesh request refused",
                    metadata: [
                        "path": "\(request.path)", "peer": "\(request.peer.node.short)",
                        "type": "\(problem.type)", "detail": "\(problem.detail ?? "")",
                    ])
            }
            return Self.response(problem)
        } catch {
            logger.error(
                "mesh request failed",
                metadata: ["path": "\(request.path)", "error": "\(error)"])
            return Self.response(Problem(.internalError))
        }
    }

    private func answer(_ request: MeshRequest) async throws -> MeshResponse {
        switch (request.method, request.path) {
        case (.get, "/mesh/v1/founding"): return .cbor(desk.offer(now: now()).encoded)
        case (.post, "/mesh/v1/join"):
            let name = try await desk.join(
                request.body, clientTLSKey: request.peer.spkiDigest, now: now())
            logger.notice(
                "node joined",
                metadata: ["name": "\(name)", "peer": "\(request.peer.node.short)"])
            return .cbor(CBOR.fields([1: .text(name)]).encoded)
        case (.post, "/mesh/v1/replacements"):
            guard let replacements else { return .notFound }
            return .cbor(
                try await replacements.answer(request.body, from: request.peer, now: now()))
        case (.get, "/mesh/v1/genesis"):
            try await requireParticipant(request)
            return .cbor(try await desk.genesisAnswer())
        case (.post, "/mesh/v1/genesis-signatures"):
            try await requireParticipant(request)
            try await desk.sign(request.body)
            return .noContent
        default: return .notFound
        }
    }

    private func requireParticipant(_ request: MeshRequest) async throws {
        let participants = try await desk.database.participants()
        guard participants.contains(where: { $0.entry.node == request.peer.node }) else {
            throw Problem(.forbidden, detail: "node \(request.peer.node.short) has not joined")
        }
    }

    package func refused(_ refusal: ConnectionRefusal) {
        logger.notice("connection refused", metadata: ["reason": "\(refusal)"])
    }

    private static func response(_ problem: Problem) -> MeshResponse {
        .problem(problem.status, type: problem.type, problem.detail ?? problem.title)
    }
}
