package import AegisCore
package import AegisCrypto
import Glibc

package enum IdentityDirectoryError: Error, Hashable, Sendable {
    case alreadyExists(path: String)
    case notFound(path: String)
    case notADirectory(path: String)
    /// Others than the owner could read or change it. Modes as `stat` gives them.
    case insecureMode(path: String, mode: UInt32, allowed: UInt32)
    case notOwned(path: String, owner: UInt32)
    case tooLarge(path: String, bytes: Int)
    case invalidFileName(String)
    case failed(operation: String, path: String, errno: Int32)
    case key(KeyFileError)
}

/// A file that an identity directory starts with, by its name inside (`ca/ca.pem` makes a folder).
package struct DirectoryFile: Sendable {
    package let name: String
    package let bytes: [UInt8]

    package init(_ name: String, _ bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }
}

/// A node's or an admin's folder: who it is, and which founding it belongs to. It appears whole or
/// not at all, belongs to one user, and nobody else can look into it.
package struct IdentityDirectory: Hashable, Sendable {
    package let path: String

    package static let keyName = "identity.key"
    package static let foundingName = "founding.cose"
    package static let joinRecordName = "join.cbor"

    /// Writes everything beside `path`, to the disk, and then moves it there. An empty directory
    /// at `path` is replaced. After a throw nothing of it is left; what a kill leaves, the next
    /// creation at the same path removes.
    package static func create(
        at path: String, key: IdentityKey, passphrase: [UInt8]?, files: [DirectoryFile]
    ) throws(IdentityDirectoryError) -> IdentityDirectory {
        let path = trimmed(path)
        let keyFile: SecretBytes
        do {
            keyFile = try key.withKey { (key) throws(KeyFileError) in
                try KeyFile.encode(key, passphrase: passphrase)
            }
        } catch { throw .key(error) }
        let parent = Disk.parent(of: path)
        let partialPrefix = ".\(Disk.name(of: path)).partial-"
        // What a creation that was killed has left: a key that nobody knows of.
        for name in Disk.names(in: parent) where name.hasPrefix(partialPrefix) {
            Disk.removeTree("\(parent)/\(name)")
        }
        let partial = "\(parent)/\(partialPrefix)\(Hexadecimal.encode(randomBytes(6)))"
        try Disk.makeDirectory(partial)
        do {
            try Disk.create("\(partial)/\(keyName)", keyFile)
            for file in files { try place(file, in: partial) }
            try Disk.synchronise(directory: partial)
            try Disk.move(partial, to: path)
            try Disk.synchronise(directory: parent)
        } catch {
            Disk.removeTree(partial)
            throw error
        }
        return IdentityDirectory(path: path)
    }

    /// Whether `create` could make a folder here, to be asked before a token is spent on it.
    package static func checkVacancy(at path: String) throws(IdentityDirectoryError) {
        let path = trimmed(path)
        let parent = Disk.parent(of: path)
        guard access(parent, W_OK | X_OK) == 0 else {
            throw .failed(operation: "write to", path: parent, errno: errno)
        }
        let status: stat
        do throws(IdentityDirectoryError) { status = try Disk.status(path) } catch {
            if case .notFound = error { return }
            throw error
        }
        guard status.st_mode & S_IFMT == S_IFDIR, Disk.names(in: path).isEmpty else {
            throw .alreadyExists(path: path)
        }
    }

    /// Opens a folder after a look at whom it is open to.
    package static func open(
        at path: String
    ) throws(IdentityDirectoryError) -> IdentityDirectory {
        let path = trimmed(path)
        let status = try Disk.status(path)
        guard status.st_mode & S_IFMT == S_IFDIR else { throw .notADirectory(path: path) }
        try Disk.check(status, path: path, allowed: 0o700)
        return IdentityDirectory(path: path)
    }

    /// Whether the key needs a passphrase, and whose it is: no secret is needed to know.
    package func describeKey() throws(IdentityDirectoryError) -> (node: NodeID, isSealed: Bool) {
        let file = try keyFile()
        do { return try KeyFile.describe(file) } catch { throw .key(error) }
    }

    package func key(
        passphrase: [UInt8]? = nil
    ) throws(IdentityDirectoryError) -> IdentityKey {
        let file = try keyFile()
        do { return IdentityKey(try KeyFile.decode(file, passphrase: passphrase)) } catch {
            throw .key(error)
        }
    }

    package func read(
        _ name: String, bytesMax: Int = Limits.statementBytesMax
    ) throws(IdentityDirectoryError) -> [UInt8] {
        try Disk.read(try location(of: name), bytesMax: bytesMax, allowed: 0o755)
    }

    /// Of the files whose names begin and end so, in order.
    package func names(from prefix: String, to suffix: String) -> [String] {
        Disk.names(in: path).filter { $0.hasPrefix(prefix) && $0.hasSuffix(suffix) }.sorted()
    }

    package func has(_ name: String) -> Bool {
        guard let location = try? location(of: name) else { return false }
        return access(location, F_OK) == 0
    }

    /// Replaces a file in one step: a reader finds the old bytes or the new ones, also after a
    /// power cut.
    package func write(
        _ name: String, _ bytes: [UInt8]
    ) throws(IdentityDirectoryError) {
        let location = try location(of: name)
        let partial = "\(location).partial-\(Hexadecimal.encode(randomBytes(6)))"
        do {
            try Disk.create(partial, bytes)
            try Disk.move(partial, to: location)
            try Disk.synchronise(directory: Disk.parent(of: location))
        } catch {
            unlink(partial)
            throw error
        }
    }

    /// Nothing happens where there is no such file.
    package func remove(_ name: String) throws(IdentityDirectoryError) {
        unlink(try location(of: name))
        try Disk.synchronise(directory: path)
    }

    private func keyFile() throws(IdentityDirectoryError) -> SecretBytes {
        try keyFile(Self.keyName)
    }

    func keyFile(_ name: String) throws(IdentityDirectoryError) -> SecretBytes {
        try Disk.readSecret("\(path)/\(name)", bytesMax: KeyFile.bytesMax, allowed: 0o700)
    }

    private func location(of name: String) throws(IdentityDirectoryError) -> String {
        try Self.checkName(name)
        return "\(path)/\(name)"
    }

    private static func place(
        _ file: DirectoryFile, in directory: String
    ) throws(IdentityDirectoryError) {
        try checkName(file.name)
        let location = "\(directory)/\(file.name)"
        let folder = Disk.parent(of: location)
        if access(folder, F_OK) != 0 { try Disk.makeDirectory(folder) }
        try Disk.create(location, file.bytes)
        try Disk.synchronise(directory: folder)
    }

    /// One folder deep, and never upwards.
    private static func checkName(_ name: String) throws(IdentityDirectoryError) {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ Names.isValid(String($0)) }) else {
            throw .invalidFileName(name)
        }
    }

    private static func trimmed(_ path: String) -> String {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }
}
