import Glibc

/// A file descriptor that closes itself. Every call retries `EINTR` and turns failure into a
/// `FileError`.
struct OpenFile: ~Copyable, Sendable {
    let descriptor: Int32
    let path: String

    init(_ path: String, flags: Int32, mode: mode_t = 0o600) throws(FileError) {
        var descriptor: Int32
        repeat {
            descriptor = open(path, flags | O_CLOEXEC, mode)
        } while descriptor < 0 && errno == EINTR
        guard descriptor >= 0 else { throw FileError(.open, path, errno: errno) }
        self.descriptor = descriptor
        self.path = path
    }

    deinit { close(descriptor) }

    var byteCount: UInt64 {
        get throws(FileError) {
            var status = stat()
            guard fstat(descriptor, &status) == 0 else {
                throw FileError(.status, path, errno: errno)
            }
            return UInt64(clamping: status.st_size)
        }
    }

    /// Appends, or writes at the file's position.
    func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw FileError(.write, path, errno: errno)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    func write(_ bytes: [UInt8]) throws(FileError) {
        do {
            try bytes.withUnsafeBytes { try write($0) }
        } catch let error as FileError {
            throw error
        } catch { preconditionFailure("no other error is thrown") }
    }

    /// Fills `buffer` from `offset`; fewer bytes only where the file ends.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(FileError)
        -> Int
    {
        var filled = 0
        while filled < buffer.count {
            let count = pread(
                descriptor, buffer.baseAddress?.advanced(by: filled), buffer.count - filled,
                off_t(clamping: offset + UInt64(filled)))
            if count < 0 {
                if errno == EINTR { continue }
                throw FileError(.read, path, errno: errno)
            }
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    /// At most `count` bytes from `offset`.
    func read(at offset: UInt64, count: Int) throws(FileError) -> [UInt8] {
        do {
            return try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                filled = try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
            }
        } catch let error as FileError {
            throw error
        } catch { preconditionFailure("no other error is thrown") }
    }

    func truncate(to byteCount: UInt64) throws(FileError) {
        guard ftruncate(descriptor, off_t(clamping: byteCount)) == 0 else {
            throw FileError(.truncate, path, errno: errno)
        }
    }

    /// Waits until the data is on the medium. Never retried (see `FileError.durabilityLost`).
    func flush() throws(FileError) {
        guard fdatasync(descriptor) == 0 else {
            throw .durabilityLost(path: path, errno: errno)
        }
    }
}

/// What is done to names rather than to open files.
enum Directory {
    /// Makes `path` and what is missing above it.
    static func make(_ path: String, mode: mode_t = 0o700) throws(FileError) {
        var prefix = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            prefix += (prefix.isEmpty || prefix == "/" ? "" : "/") + part
            if mkdir(prefix, mode) == 0 {
                try flush(parent(of: prefix))
            } else if errno != EEXIST {
                throw FileError(.makeDirectory, prefix, errno: errno)
            }
        }
    }

    /// Makes a created, renamed or removed name durable; without it a rename can come undone.
    static func flush(_ path: String) throws(FileError) {
        let directory = try OpenFile(path, flags: O_RDONLY | O_DIRECTORY)
        guard fsync(directory.descriptor) == 0 else {
            throw .durabilityLost(path: path, errno: errno)
        }
    }

    static func rename(_ old: String, to new: String) throws(FileError) {
        guard Glibc.rename(old, new) == 0 else { throw FileError(.rename, old, errno: errno) }
        try flush(parent(of: new))
    }

    /// Whether there was something to remove.
    @discardableResult
    static func remove(_ path: String) throws(FileError) -> Bool {
        if unlink(path) == 0 { return true }
        if errno == ENOENT { return false }
        throw FileError(.remove, path, errno: errno)
    }

    static func names(in path: String) throws(FileError) -> [String] {
        guard let stream = opendir(path) else {
            throw FileError(.listDirectory, path, errno: errno)
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// The size of the file at `path`, or nil where there is none.
    static func byteCount(of path: String) -> UInt64? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return UInt64(clamping: status.st_size)
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
