import AegisAPI
import AegisCore
package import AegisCrypto
package import AegisProtocol
import GRDB
import Synchronization

/// Has the mesh sign the end of the audit log: after that, nobody who holds the admin can rewrite
/// what was before without showing it to everyone who has the mesh's commits (PROTOCOL.md §6).
package final class AuditWitness: Sendable {
    private let database: AdminDatabase
    private let commands: CommandSigner
    private let seconds: Mutex<UInt64>

    /// How old a record may be before the mesh is asked to sign it.
    package static let secondsStandard: UInt64 = 60
    /// A request that was not committed by then is made anew.
    private static let commandMilliseconds: UInt64 = 120_000

    package init(
        database: AdminDatabase, commands: CommandSigner,
        seconds: UInt64 = secondsStandard
    ) {
        self.database = database
        self.commands = commands
        self.seconds = Mutex(seconds)
    }

    func change(seconds: UInt64) { self.seconds.withLock { $0 = seconds } }

    /// Makes a command for the newest head where it is time to. One at a time, and none while
    /// another command waits: a later number that is decided first would void an earlier one.
    /// `justEnded`: a run's records are signed at its end.
    package func prepare(after state: ChainState, justEnded: Bool, now: UInt64) async throws {
        guard state.admin == commands.admin, let oldest = try await database.firstUnwitnessed(),
            justEnded || now >= oldest + self.seconds.withLock({ min($0, 1 << 40) }) * 1_000,
            try await database.pendingCommands(now: now).isEmpty
        else { return }
        let head = try await database.auditHead()
        // After a restored backup the log is shorter than what was signed: that stays visible.
        guard head.sequence > Int64(clamping: state.auditHead?.records ?? 0),
            let digest = Digest(text: head.digest)
        else { return }
        let command = try await commands.command(
            .witness(AuditHead(records: UInt64(head.sequence), digest: digest)), after: state,
            lasting: Self.commandMilliseconds, now: now)
        let stored = commands.sign(command)
        try await database.writer.write { try AdminDatabase.insert(stored, $0) }
    }
}
