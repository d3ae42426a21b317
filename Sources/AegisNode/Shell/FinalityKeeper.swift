import AegisCore
import AegisProtocol
import AegisStore
import Logging
import Synchronization

/// Writes what makes heights final: with the next commit, in one transaction, or a moment later
/// where none follows. No decision waits for it.
final class FinalityKeeper: Sendable {
    private struct Held {
        var finals: [UInt64: StoredFinal] = [:]
        var isScheduled = false
    }

    private static let delay: Duration = .milliseconds(200)

    private let database: NodeDatabase
    private let logger: Logger
    private let held = Mutex(Held())

    init(_ database: NodeDatabase, logger: Logger) {
        self.database = database
        self.logger = logger
    }

    func keep(_ certificate: FinalCertificate, _ finality: Finality) {
        let isScheduled = held.withLock { held in
            held.finals[finality.height] = StoredFinal(
                height: finality.height, signatures: finality.signatures,
                participants: finality.participants, certificate: certificate.encoded)
            defer { held.isScheduled = true }
            return held.isScheduled
        }
        guard !isScheduled else { return }
        Task {
            try? await Task.sleep(for: Self.delay)
            flush()
        }
    }

    /// What is to be written now.
    func take() -> [StoredFinal] {
        held.withLock { held in
            defer { held.finals = [:] }
            return held.finals.values.sorted { $0.height < $1.height }
        }
    }

    func flush() {
        held.withLock { $0.isScheduled = false }
        do { try database.insertFinals(take()) } catch {
            // It comes again from peers, or with a later height.
            logger.warning("a final certificate is not stored", metadata: ["reason": "\(error)"])
        }
    }
}
