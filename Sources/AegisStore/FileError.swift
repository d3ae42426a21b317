import Glibc

/// Why the disk would not do what was asked. The number is the system's `errno`.
package enum FileError: Error, Hashable, Sendable {
    case diskFull(path: String)
    case notFound(path: String)
    case failed(FileOperation, path: String, errno: Int32)
    /// A flush failed: what was written before it may be lost, and a second flush would report
    /// success for pages that the kernel has dropped. Whoever gets this must stop.
    case durabilityLost(path: String, errno: Int32)

    init(_ operation: FileOperation, _ path: String, errno code: Int32) {
        switch code {
        case ENOSPC, EDQUOT: self = .diskFull(path: path)
        case ENOENT: self = .notFound(path: path)
        default: self = .failed(operation, path: path, errno: code)
        }
    }
}

package enum FileOperation: String, Hashable, Sendable {
    case open, read, write, truncate, rename, remove, status, map, lock
    case makeDirectory, listDirectory
}
