package import AegisCrypto
import Glibc

// A key that is to take the place of the present one. It is on the disk before anybody hears of
// it, and becomes the present one in one step.
extension IdentityDirectory {
    package static let nextKeyName = "identity.key.next"

    /// The next key, made where there is none yet.
    package func makeNextKey() throws(IdentityDirectoryError) -> IdentityKey {
        if let key = try nextKey() { return key }
        let key = IdentityKey.generate()
        let file: SecretBytes
        do {
            file = try key.withKey { (key) throws(KeyFileError) in
                try KeyFile.encode(key, passphrase: nil)
            }
        } catch { throw .key(error) }
        let partial = "\(path)/.\(Self.nextKeyName).partial"
        unlink(partial)
        try Disk.create(partial, file)
        try Disk.move(partial, to: "\(path)/\(Self.nextKeyName)")
        try Disk.synchronise(directory: path)
        return key
    }

    /// Nil where no change of keys is under way.
    package func nextKey() throws(IdentityDirectoryError) -> IdentityKey? {
        guard has(Self.nextKeyName) else { return nil }
        let file = try keyFile(Self.nextKeyName)
        do { return IdentityKey(try KeyFile.decode(file, passphrase: nil)) } catch {
            throw .key(error)
        }
    }

    /// The next key is the present one from here on; the one before is gone.
    package func adoptNextKey() throws(IdentityDirectoryError) {
        try Disk.move("\(path)/\(Self.nextKeyName)", to: "\(path)/\(Self.keyName)")
        try Disk.synchronise(directory: path)
    }
}
