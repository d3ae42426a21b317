import AegisCore
import AegisStore
import Glibc
import TestFolders
import Testing

@Suite("The node's database")
struct NodeDatabaseTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("node.sqlite")
    }

    @Test("commits are kept by height; another one at the same height is refused")
    func commits() throws {
        let database = try NodeDatabase(path: path)
        #expect(try database.tip() == nil)
        for height in UInt8(1)...5 {
            try database.insertCommit(
                [height, 0], digest: digest(height), at: UInt64(height))
        }
        try database.insertCommit([3, 0], digest: digest(3), at: 3)
        #expect(throws: NodeDatabaseError.conflictingCommit(height: 3)) {
            try database.insertCommit([3, 1], digest: digest(9), at: 3)
        }
        let again = try NodeDatabase(path: path)
        #expect(try again.tip()?.height == 5)
        #expect(try again.tip()?.digest == digest(5))
        #expect(try again.commit(at: 2) == [2, 0])
        #expect(try again.commit(at: 6) == nil)
        #expect(try again.commits(from: 2, count: 2) == [[2, 0], [3, 0]])
        #expect(try again.commits(from: 2, count: 9, bytesMax: 5) == [[2, 0], [3, 0]])
        #expect(try again.commits(from: 2, count: 9, bytesMax: 1) == [[2, 0]])
        #expect(try again.commits(from: .max, count: 9) == [])
    }

    @Test("of each height the final certificate with the most signatures is kept")
    func finals() throws {
        let database = try NodeDatabase(path: path)
        func final(_ height: UInt64, _ signatures: Int) -> StoredFinal {
            StoredFinal(
                height: height, signatures: signatures, participants: 4,
                certificate: [UInt8(height), UInt8(signatures)])
        }
        #expect(try database.final(from: 1) == nil)
        try database.insertCommit(
            [1, 0], digest: digest(1), at: 1, finals: [final(3, 3), final(7, 4)])
        try database.insertFinals([final(3, 4), final(7, 3)])
        let again = try NodeDatabase(path: path)
        #expect(try again.final(from: 1) == final(3, 4))
        #expect(try again.final(from: 4) == final(7, 4))
        #expect(try again.final(from: 8) == nil)
        #expect(try again.final(upTo: 2) == nil)
        #expect(try again.final(upTo: 6) == final(3, 4))
    }

    @Test("metrics are replaced, values set and removed")
    func rest() throws {
        let database = try NodeDatabase(path: path)
        try database.setMetrics([1], run: [7], round: 2)
        try database.setMetrics([2], run: [7], round: 1)
        try database.setMetrics([3], run: [7], round: 2)
        try database.setMetrics([4], run: [8], round: 1)
        let metrics = try database.metrics(run: [7], limit: 9)
        #expect(metrics.map(\.round) == [1, 2] && metrics.map(\.metrics) == [[2], [3]])
        #expect(try database.metrics(run: [7], after: 1, limit: 9).map(\.round) == [2])
        // In the order in which they were written, one that was written again where it was last.
        #expect(try database.metrics(after: 0, limit: 2).metrics == [[2], [3]])
        let place = try database.metrics(after: 0, limit: 2).through
        #expect(try database.metrics(after: place, limit: 2).metrics == [[4]])
        let end = try database.metrics(after: place, limit: 2).through
        #expect(try database.metrics(after: end, limit: 2) == ([], end))
        try database.setMetrics([5], run: [8], round: 1)
        #expect(try database.metrics(after: end, limit: 2).metrics == [[5]])
        #expect(try database.metrics(after: .max, limit: 9).metrics == [[2], [3], [5]])
        try database.setValue([1], forKey: "k")
        try database.setValue([2], forKey: "k")
        #expect(try NodeDatabase(path: path).value(forKey: "k") == [2])
        try database.setValue(nil, forKey: "k")
        #expect(try database.value(forKey: "k") == nil)
    }

    @Test("a file that isn't a database is a typed error")
    func notADatabase() throws {
        try Files.write(Array(repeating: 65, count: 5_000), to: path)
        #expect(throws: NodeDatabaseError.self) { try NodeDatabase(path: path) }
    }

    @Test("a directory has one owner, whose process the error names")
    func processLock() throws {
        do {
            let lock = try ProcessLock(directory: directory.file("home"))
            #expect(
                throws: ProcessLockError.held(directory: directory.file("home"), by: getpid())
            ) {
                _ = try ProcessLock(directory: directory.file("home"))
            }
            _ = consume lock
        }
        _ = try ProcessLock(directory: directory.file("home"))
    }
}

enum Shell {
    /// The exit status of a program.
    static func run(_ arguments: String...) throws -> Int32 {
        var pid = pid_t()
        var pointers = arguments.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        let code = posix_spawn(&pid, arguments[0], nil, nil, pointers, environ)
        guard code == 0 else { throw SystemError(errno: code) }
        var status: Int32 = 0
        guard waitpid(pid, &status, 0) == pid else { throw SystemError(errno: errno) }
        return (status >> 8) & 0xff
    }
}
