import AegisAPI
package import AegisCore
package import AegisCrypto
package import AegisProtocol
import Synchronization

/// Makes and signs what the admin asks of the mesh. Each command gets a number above all before:
/// the clock's, so that numbers still grow for an admin whose store was restored.
package final class CommandSigner: Sendable {
    private let database: AdminDatabase
    private let mesh: MeshID
    private let signer: EnvelopeSigner
    /// Whose commands these are; the mesh may have another admin.
    let admin: NodeID
    private let last = Mutex<UInt64>(0)

    package init(database: AdminDatabase, mesh: MeshID, identity: IdentityKey) {
        self.database = database
        self.mesh = mesh
        signer = EnvelopeSigner(identity)
        admin = identity.publicKey
    }

    /// To be decided after `state`, within so many milliseconds.
    func command(
        _ action: Command.Action, after state: ChainState, lasting milliseconds: UInt64,
        now: UInt64
    ) async throws -> Command {
        guard state.admin == admin else {
            throw Problem(
                .notTheAdmin,
                detail: "it is \(state.admin.short); the key here is \(admin.short)",
                hint: "a quorum of the participants can change that: aegis-node motion admin")
        }
        let known = max(state.lastCommandSequence, try await database.lastCommandSequence())
        let sequence = last.withLock { last in
            last = max(now, known + 1, last + 1)
            return last
        }
        return Command(
            mesh: mesh, sequence: sequence, expiresAt: now + milliseconds, action: action)
    }

    func sign(_ command: Command) -> StoredCommand {
        let kind: StoredCommand.Kind =
            switch command.action {
            case .start: .start
            case .stop: .stop
            case .witness: .witness
            case .membership: .membership
            }
        return StoredCommand(
            sequence: command.sequence, run: command.run, kind: kind,
            envelope: signer.sign(.command, command.payload).bytes,
            expiresAt: command.expiresAt, committedHeight: nil)
    }
}
