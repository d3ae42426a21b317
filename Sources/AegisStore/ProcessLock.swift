import Glibc

package enum ProcessLockError: Error, Hashable, Sendable {
    /// Another process works in this directory; its id where the lock file tells it.
    case held(directory: String, by: Int32?)
    case file(FileError)
}

/// An exclusive lock on a directory for as long as the value lives. Two processes that run one
/// identity would vote twice and be evicted for it (PROTOCOL.md §2.9).
package struct ProcessLock: ~Copyable, Sendable {
    private let file: OpenFile

    /// The kernel releases the lock when the process ends, however it ends: no stale locks.
    package init(directory: String) throws(ProcessLockError) {
        do throws(FileError) { try Directory.make(directory) } catch { throw .file(error) }
        try self.init(file: directory + "/lock", of: directory)
    }

    /// A lock on what `owner` names, by the file `path` beside it.
    init(file path: String, of owner: String) throws(ProcessLockError) {
        let file: OpenFile
        do throws(FileError) {
            file = try OpenFile(path, flags: O_RDWR | O_CREAT)
        } catch { throw .file(error) }
        guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            guard code == EWOULDBLOCK else {
                throw .file(FileError(.lock, file.path, errno: code))
            }
            let text = (try? file.read(at: 0, count: 16)) ?? []
            let line = String(decoding: text, as: UTF8.self).prefix { $0.isNumber }
            throw .held(directory: owner, by: Int32(line))
        }
        do throws(FileError) {
            try file.truncate(to: 0)
            try file.write(Array("\(getpid())\n".utf8))
        } catch { throw .file(error) }
        self.file = file
    }
}
