package import AegisAPI
package import AegisCore
import AegisCrypto
import AegisProtocol

/// With whom the admin works, and what it asks the mesh to decide about that.
package struct MembershipDesk: Sendable {
    private let database: AdminDatabase
    private let observer: MeshObserver
    private let signer: EnvelopeSigner
    private let numbers: CommandNumbers
    /// Ends what a node has open here.
    private let closeLinks: @Sendable (NodeID) -> Void

    private static let commandMilliseconds: UInt64 = 600_000

    init(
        database: AdminDatabase, observer: MeshObserver, signer: EnvelopeSigner,
        numbers: CommandNumbers, closeLinks: @escaping @Sendable (NodeID) -> Void
    ) {
        self.database = database
        self.observer = observer
        self.signer = signer
        self.numbers = numbers
        self.closeLinks = closeLinks
    }

    /// Here at once; in the mesh when a quorum has committed it.
    func set(
        _ standing: ParticipantView.Standing, of node: NodeID, name: String, reason: String,
        by actor: String, now: UInt64
    ) async throws {
        let command = try await command(standing, of: node, reason: reason, now: now)
        let isSet = try await database.setStanding(
            of: node, standing, reason: reason, command: command, by: actor, at: now)
        guard isSet else { throw Problem(.participantRevoked, detail: "\(name) was revoked") }
        await observer.forget(node)
        closeLinks(node)
    }

    /// Nil before the founding, and where the roster says so already.
    private func command(
        _ standing: ParticipantView.Standing, of node: NodeID, reason: String, now: UInt64
    ) async throws -> StoredCommand? {
        guard let rules = try await observer.meshRules(), let chain = try await observer.chain()
        else { return nil }
        let roster = chain.roster
        let change: MembershipChange
        switch standing {
        case .active:
            guard roster.associate(node)?.standing == .suspended else { return nil }
            change = .resume(node)
        case .suspended:
            guard roster.contains(node) else { return nil }
            change = .suspend(node, reason: reason)
        case .revoked:
            guard roster.member(node) != nil else { return nil }
            change = .evict(node, reason: reason)
        }
        let known = max(chain.state.lastCommandSequence, try await database.lastCommandSequence())
        let command = Command(
            mesh: rules.mesh, sequence: numbers.next(after: known, now: now),
            expiresAt: now + Self.commandMilliseconds, action: .membership(change))
        if let refusal = chain.state.refusal(
            of: command, mesh: rules.mesh, at: max(now, chain.state.committedTime + 1))
        {
            throw Problem(.refusedByMesh, detail: "\(refusal)")
        }
        return StoredCommand(
            sequence: command.sequence, run: nil, kind: .membership,
            envelope: signer.sign(.command, command.payload).bytes,
            expiresAt: command.expiresAt, committedHeight: nil)
    }
}
