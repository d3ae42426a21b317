import NIOPosix

/// One thread for what writes, hashes and flushes blobs: flushing a model takes seconds on a slow
/// disk, and meanwhile the node must vote.
final class DiskExecutor: TaskExecutor {
    static let shared = DiskExecutor()

    private let pool: NIOThreadPool

    private init() {
        pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        pool.submit { _ in job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
