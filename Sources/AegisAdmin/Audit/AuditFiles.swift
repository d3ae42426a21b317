import AegisAPI
import FoundationEssentials
import Glibc
import Logging
import ServiceLifecycle

/// The audit log as files beside the store: a record a line, a new file every so many records. They
/// follow the store, so a crash or a full disk costs them nothing: they catch up.
package struct AuditFiles: Sendable {
    private let directory: String
    private let database: AdminDatabase
    private let recordsPerFile: Int64

    package static let recordsPerFile: Int64 = 50_000

    package init(
        directory: String, database: AdminDatabase, recordsPerFile: Int64 = recordsPerFile
    ) {
        self.directory = directory
        self.database = database
        self.recordsPerFile = recordsPerFile
    }

    /// Writes what the store has and the files don't. Returns the last record that is in a file.
    package func catchUp(after last: Int64?) async throws -> Int64 {
        var last = try last ?? lastWritten()
        while true {
            // No further than the end of a file.
            let room = recordsPerFile - last % recordsPerFile
            let lines = try await database.auditLines(after: last, limit: Int(min(room, 2_000)))
            guard let newest = lines.last else { return last }
            try append(
                lines.map { $0.line + "\n" }.joined(), to: path(ofRecord: lines[0].sequence))
            last = newest.sequence
        }
    }

    /// `audit-000000000001.jsonl`: named for its first record.
    package func path(ofRecord sequence: Int64) -> String {
        let first = String((sequence - 1) / recordsPerFile * recordsPerFile + 1)
        return directory + "/audit-" + String(repeating: "0", count: 12 - first.count) + first
            + ".jsonl"
    }

    /// Reads it off the newest file, and cuts off a line that a crash left unfinished.
    private func lastWritten() throws -> Int64 {
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        let names = try FileManager.default.contentsOfDirectory(atPath: directory)
            .filter { $0.hasPrefix("audit-") && $0.hasSuffix(".jsonl") }.sorted()
        guard let newest = names.last,
            let first = Int64(newest.dropFirst(6).dropLast(6)), first > 0
        else { return 0 }
        let path = directory + "/" + newest
        let bytes = FileManager.default.contents(atPath: path) ?? Data()
        let whole = bytes.lastIndex(of: 10).map { $0 - bytes.startIndex + 1 } ?? 0
        if whole < bytes.count {
            guard truncate(path, whole) == 0 else { throw AuditFileError.failed(errno: errno) }
        }
        let count = bytes.prefix(whole).count { $0 == 10 }
        return first - 1 + Int64(count)
    }

    private func append(_ text: String, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw AuditFileError.failed(errno: errno) }
        defer { close(descriptor) }
        let start = lseek(descriptor, 0, SEEK_END)
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else {
                let reason = errno
                // Half a line is worse than none.
                _ = ftruncate(descriptor, start)
                throw AuditFileError.failed(errno: reason)
            }
            rest = rest.dropFirst(written)
        }
        guard fsync(descriptor) == 0 else { throw AuditFileError.failed(errno: errno) }
    }
}

package enum AuditFileError: Error, Hashable, Sendable {
    case failed(errno: Int32)
}

/// Keeps the files up with the store, once a second and at the end.
struct AuditFileService: Service {
    let files: AuditFiles
    let metrics: AdminMetrics
    let logger: Logger

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            var last: Int64?
            var isFailing = false
            while true {
                do {
                    last = try await files.catchUp(after: last)
                    isFailing = false
                } catch is CancellationError {
                    break
                } catch {
                    metrics.auditFileFailed()
                    // Read the end again: this write may be half there.
                    last = nil
                    if !isFailing {
                        logger.error(
                            "audit files can't be written; the store has the records",
                            metadata: ["error": "\(error)"])
                    }
                    isFailing = true
                }
                if Task.isCancelled { break }
                // An end of the wait is the end of the service; one more look follows it.
                try? await ContinuousClock().sleep(for: .seconds(1))
            }
        }
    }
}
