import HummingbirdCore

extension Server {
    /// Runs until the task is cancelled or the service group shuts down, and stops listening before
    /// anything else: a connection that is accepted while its stream is torn down would be dropped
    /// unfinished, which NIO answers with a trap.
    func runUntilStopped() async throws {
        let running = Task { try await run() }
        try await withTaskCancellationHandler {
            try await running.value
        } onCancel: {
            Task {
                let closing = Task { try await shutdownGracefully() }
                try? await Task.sleep(for: TransportLimits.lastRequests)
                running.cancel()
                closing.cancel()
            }
        }
    }
}
