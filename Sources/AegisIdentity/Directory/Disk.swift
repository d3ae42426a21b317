import AegisCrypto
import Glibc

/// The few calls that make a file private, whole and durable.
enum Disk {
    static func makeDirectory(_ path: String) throws(IdentityDirectoryError) {
        guard mkdir(path, 0o700) == 0 else { throw failure("mkdir", path) }
    }

    /// A new file of mode 0600, on the disk when this returns.
    static func create(_ path: String, _ bytes: [UInt8]) throws(IdentityDirectoryError) {
        try bytes.withUnsafeBufferPointer { (bytes) throws(IdentityDirectoryError) in
            try create(path, UnsafeRawBufferPointer(bytes))
        }
    }

    static func create(
        _ path: String, _ secret: borrowing SecretBytes
    ) throws(IdentityDirectoryError) {
        let count = secret.count
        try secret.withPointer { (start) throws(IdentityDirectoryError) in
            try create(path, UnsafeRawBufferPointer(start: start, count: count))
        }
    }

    private static func create(
        _ path: String, _ bytes: UnsafeRawBufferPointer
    ) throws(IdentityDirectoryError) {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure("create", path) }
        defer { close(file) }
        var written = 0
        while written < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
            let count = Glibc.write(file, rest.baseAddress, rest.count)
            guard count >= 0 || errno == EINTR else { throw failure("write", path) }
            written += max(count, 0)
        }
        guard fsync(file) == 0 else { throw failure("fsync", path) }
    }

    static func synchronise(directory path: String) throws(IdentityDirectoryError) {
        let file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw failure("open", path) }
        defer { close(file) }
        guard fsync(file) == 0 else { throw failure("fsync", path) }
    }

    static func move(_ from: String, to path: String) throws(IdentityDirectoryError) {
        guard rename(from, path) == 0 else {
            switch errno {
            case ENOTEMPTY, EEXIST, ENOTDIR: throw .alreadyExists(path: path)
            default: throw failure("rename", path)
            }
        }
    }

    static func read(
        _ path: String, bytesMax: Int, allowed: UInt32
    ) throws(IdentityDirectoryError) -> [UInt8] {
        let (file, size) = try opened(path, bytesMax: bytesMax, allowed: allowed)
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: size)
        let count = bytes.withUnsafeMutableBytes { fill($0, from: file) }
        guard count == size else { throw failure("read", path) }
        return bytes
    }

    static func readSecret(
        _ path: String, bytesMax: Int, allowed: UInt32
    ) throws(IdentityDirectoryError) -> SecretBytes {
        let (file, size) = try opened(path, bytesMax: bytesMax, allowed: allowed)
        defer { close(file) }
        var count = 0
        let secret = SecretBytes(count: size) { start in
            count = fill(UnsafeMutableRawBufferPointer(start: start, count: size), from: file)
        }
        guard count == size else { throw failure("read", path) }
        return secret
    }

    static func status(_ path: String) throws(IdentityDirectoryError) -> stat {
        var status = stat()
        guard stat(path, &status) == 0 else { throw failure("stat", path) }
        return status
    }

    /// Whether the owner is this user and the mode has no bit beyond `allowed`.
    static func check(
        _ status: stat, path: String, allowed: UInt32
    ) throws(IdentityDirectoryError) {
        guard status.st_uid == geteuid() else {
            throw .notOwned(path: path, owner: status.st_uid)
        }
        let mode = status.st_mode & 0o777
        guard mode & ~allowed == 0 else {
            throw .insecureMode(path: path, mode: mode, allowed: allowed)
        }
    }

    /// Best effort, for what was never moved to its place. By descriptors, so that a link in a
    /// folder that others write to leads nowhere; only what is this user's.
    static func removeTree(_ path: String, in folder: Int32 = AT_FDCWD) {
        let directory = openat(folder, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard directory >= 0 else {
            unlinkat(folder, path, 0)
            return
        }
        defer { close(directory) }
        var status = stat()
        guard fstat(directory, &status) == 0, status.st_uid == geteuid() else { return }
        for name in names(in: directory) { removeTree(name, in: directory) }
        unlinkat(folder, path, AT_REMOVEDIR)
    }

    /// None where there is no such directory.
    static func names(in path: String) -> [String] {
        let directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return [] }
        defer { close(directory) }
        return names(in: directory)
    }

    private static func names(in directory: Int32) -> [String] {
        // closedir closes the descriptor it was given: a second one.
        guard let stream = fdopendir(dup(directory)) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { name in
                String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    static func name(of path: String) -> String {
        String(path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...])
    }

    private static func opened(
        _ path: String, bytesMax: Int, allowed: UInt32
    ) throws(IdentityDirectoryError) -> (file: Int32, size: Int) {
        let file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else { throw failure("open", path) }
        do throws(IdentityDirectoryError) {
            var status = stat()
            guard fstat(file, &status) == 0 else { throw failure("stat", path) }
            guard status.st_mode & S_IFMT == S_IFREG else {
                throw .failed(operation: "read", path: path, errno: EINVAL)
            }
            try check(status, path: path, allowed: allowed)
            guard status.st_size <= bytesMax else {
                throw .tooLarge(path: path, bytes: Int(status.st_size))
            }
            return (file, Int(status.st_size))
        } catch {
            close(file)
            throw error
        }
    }

    private static func fill(_ buffer: UnsafeMutableRawBufferPointer, from file: Int32) -> Int {
        var count = 0
        while count < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
            let read = Glibc.read(file, rest.baseAddress, rest.count)
            if read < 0, errno == EINTR { continue }
            guard read > 0 else { break }
            count += read
        }
        return count
    }

    private static func failure(_ operation: String, _ path: String) -> IdentityDirectoryError {
        errno == ENOENT && operation != "create" && operation != "mkdir"
            ? .notFound(path: path)
            : .failed(operation: operation, path: path, errno: errno)
    }
}
