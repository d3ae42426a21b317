import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisStore
import Glibc

/// One identity key of a node after another, in its folder. A crash at any point leaves the old key
/// with its journal, or what `resume` needs to finish.
enum KeySuccession {
    /// What the old key signs: the mesh shall know its node by the next one, which consents.
    static func command(from old: NodeID, to next: IdentityKey, mesh: MeshID) -> Command {
        Command(
            mesh: mesh, sequence: 0, expiresAt: UInt64(Int64.max),
            action: .membership(.rotateKey(replacement(of: old, by: next, in: mesh))))
    }

    static func replacement(
        of old: NodeID, by next: IdentityKey, in mesh: MeshID
    ) -> KeyReplacement {
        KeyConsent(mesh: mesh, old: old, new: next.publicKey).signed(by: next)
    }

    /// The mesh has decided: the next key with an empty journal, since it has signed nothing. The
    /// old key's journal is of no use any more: nobody counts what it signs.
    static func complete(in directory: NodeDirectory) throws {
        let identity = try directory.identityDirectory()
        guard let next = try identity.nextKey() else { return }
        if try !hasJournal(of: next.publicKey, in: directory) {
            unlink(directory.journalPath)
            _ = try SafetyJournal.create(at: directory.journalPath, node: next.publicKey)
        }
        try identity.adoptNextKey()
    }

    /// After a crash in the middle of `complete`.
    static func resume(in directory: NodeDirectory) throws {
        guard let next = try directory.identityDirectory().nextKey(),
            try hasJournal(of: next.publicKey, in: directory)
        else { return }
        try complete(in: directory)
    }

    private static func hasJournal(
        of node: NodeID, in directory: NodeDirectory
    ) throws -> Bool {
        do {
            _ = try SafetyJournal(opening: directory.journalPath, node: node)
            return true
        } catch {
            switch error {
            case .missing, .foreign, .damaged: return false
            default: throw error
            }
        }
    }
}
