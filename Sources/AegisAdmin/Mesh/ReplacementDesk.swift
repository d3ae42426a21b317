import AegisAPI
package import AegisCore
import AegisCrypto
package import AegisIdentity
import AegisProtocol
package import Logging

/// A participant whose key is lost comes back under a new one (`replaceLostKey`, PROTOCOL.md
/// §2.10). Its owner has a token that an administrator made for this; the admin signs the change,
/// the mesh decides it. The node asks twice: what it has to agree to, and with its agreement.
package struct ReplacementDesk: Sendable {
    private let founding: FoundingDesk
    private let runs: RunDesk
    private let observer: MeshObserver
    private let logger: Logger

    package init(
        founding: FoundingDesk, runs: RunDesk, observer: MeshObserver, logger: Logger
    ) {
        self.founding = founding
        self.runs = runs
        self.observer = observer
        self.logger = logger
    }

    /// Body: 1 the join request around the token's, 2 the new key's consent, the second time.
    /// Answer: 1 the name, 2 the old key, 3 the genesis, 4 addresses of members.
    func answer(
        _ body: [UInt8], from peer: VerifiedPeer, now: UInt64
    ) async throws -> [UInt8] {
        guard let document = try await founding.database.genesis()?.document,
            let chain = try await observer.chain()
        else { throw Problem(.meshOpen) }
        let (request, consent) = try Self.parts(of: body)
        let (accepted, old) = try await accept(request, from: peer, now: now)
        if let consent, chain.roster.member(peer.node) == nil {
            try await ask(
                old: old, new: peer.node, consent: consent, token: accepted, now: now)
        }
        let others = chain.roster.entries.filter { $0.node != old && $0.node != peer.node }
        return CBOR.fields([
            1: .text(accepted.grant.name), 2: .node(old), 3: .bytes(document),
            4: .array(others.map { .text($0.address) }),
        ]).encoded
    }

    private static func parts(of body: [UInt8]) throws -> ([UInt8], consent: SignedEnvelope?) {
        do {
            var fields = try CBORFields(decoding: body)
            let request = try fields.bytes(1)
            switch try fields.value(2) {
            case .null: return (request, nil)
            case .bytes(let bytes): return (request, try SignedEnvelope(parsing: bytes))
            default: throw StatementError.wrongType(field: 2)
            }
        } catch { throw FoundingDesk.problem(JoinError.malformed(.outOfRange(field: 2))) }
    }

    private func accept(
        _ request: [UInt8], from peer: VerifiedPeer, now: UInt64
    ) async throws -> (Acceptor.Accepted, old: NodeID) {
        let acceptor = Acceptor(
            mesh: founding.founding.statement.mesh, node: founding.admin,
            tlsKeys: [founding.tls.spkiDigest])
        let grants = try await founding.database.grants().filter {
            $0.limits.kind == .replacement && $0.revokedAt == nil
        }
        let nonces = founding.nonces
        do {
            let accepted = try acceptor.verify(
                request, now: now / 1_000, clientTLSKey: peer.spkiDigest,
                isNonceIssued: { nonces.isIssued($0, now: now / 1_000) },
                grant: { id in
                    grants.first { $0.grant.tokenID == id }?.grant(asking: peer.node)
                })
            let stored = grants.first { $0.grant.tokenID == accepted.request.tokenID }
            guard let old = stored?.limits.replaces else {
                throw Problem(.internalError)
            }
            return (accepted, old)
        } catch let error as JoinError { throw FoundingDesk.problem(error) }
    }

    private func ask(
        old: NodeID, new: NodeID, consent: SignedEnvelope, token: Acceptor.Accepted, now: UInt64
    ) async throws {
        let mesh = founding.founding.statement.mesh
        guard KeyConsent(verifying: consent) == KeyConsent(mesh: mesh, old: old, new: new) else {
            throw Problem(.badProof, detail: "the new key has not signed that it replaces the old")
        }
        try await runs.ask(
            .replaceLostKey(KeyReplacement(old: old, new: new, consent: consent)), now: now)
        try await founding.database.useToken(token.request.tokenID, by: new)
        logger.notice(
            "the mesh is asked to know a participant by a new key",
            metadata: [
                "name": "\(token.grant.name)", "old": "\(old.short)", "new": "\(new.short)",
            ])
    }
}
