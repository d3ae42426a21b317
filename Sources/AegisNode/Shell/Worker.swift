import Glibc
import NIOPosix

/// One thread for long computations, so that neither the loop nor the network waits for them.
struct Worker: Sendable {
    private let pool: NIOThreadPool

    /// `niceness` above 0 yields to the node's other threads when the processor is short.
    init(niceness: Int32 = 0) {
        pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        guard niceness > 0 else { return }
        pool.submit { _ in
            // On Linux a priority set for id 0 is the calling thread's.
            setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness)
        }
    }

    func run<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await pool.runIfActive(body)
    }

    func stop() async { try? await pool.shutdownGracefully() }
}
