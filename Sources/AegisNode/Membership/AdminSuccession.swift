package import AegisCore
import AegisCrypto
import AegisIdentity
package import AegisProtocol
import FoundationEssentials

/// What a participant's owner agrees to with `aegis-node motion admin`: the key that is to be the
/// mesh's admin, by its own consent.
package enum AdminSuccession {
    private static let keyCharactersMin = 16

    /// `path` is the file that `aegis-admin adopt` wrote. `key` is what its owner said by another
    /// way than that file: the whole key, or at least its first 16 characters.
    package static func replacement(
        _ path: String, key: String, mesh: MeshID, admin: NodeID
    ) throws(NodeError) -> KeyReplacement {
        guard let consent = FileManager.default.contents(atPath: path).map(Array.init) else {
            throw .adminRefused("\(path) can't be read")
        }
        guard let envelope = try? SignedEnvelope(parsing: consent),
            let statement = KeyConsent(verifying: envelope)
        else { throw .adminRefused("\(path) is no admin's consent, or is damaged") }
        guard statement.mesh == mesh else {
            throw .adminRefused("\(path) is for another mesh, \(statement.mesh)")
        }
        guard key.count >= keyCharactersMin else {
            throw .adminRefused("--key has fewer than \(keyCharactersMin) characters")
        }
        // Without saying which: it is to come by another way than the file.
        guard statement.new.text.hasPrefix(key.lowercased()) else {
            throw .adminRefused("\(path) is of another key than --key")
        }
        guard statement.new != admin else { throw .adminRefused("this key is the admin already") }
        guard statement.old == admin else {
            throw .adminRefused("it is to replace \(statement.old), but the admin is \(admin)")
        }
        return KeyReplacement(old: statement.old, new: statement.new, consent: envelope)
    }
}
