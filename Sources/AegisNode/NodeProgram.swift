import AegisCore
import AegisCrypto
import AegisIdentity
import AegisLearning
import AegisProtocol
import AegisStore
import AegisTransport
package import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import UnixSignals

/// `aegis-node run`: one identity, from its directory, until it is told to stop.
package struct NodeProgram: Sendable {
    private let directory: NodeDirectory
    private let logger = Logger(label: "aegis-node")

    package init(directory: NodeDirectory) { self.directory = directory }

    /// Returns after SIGTERM or SIGINT.
    package func run() async throws {
        ProcessMemory.keepHeapSmall()
        // Touches the environment, so it comes before there are threads that read it.
        LinearAlgebra.prepare()
        let renewal = RenewalRequest()
        let service = NodeService(directory: directory, logger: logger, renewal: renewal)
        let outcome = NodeService.Outcome()
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(
                        service: service.recording(into: outcome),
                        successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup),
                    .init(service: HangupService(renewal: renewal)),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: quietLogger))
        try await group.run()
        if let failure = outcome.failure { throw failure }
    }

    private var quietLogger: Logger {
        var logger = logger
        logger.logLevel = .error
        return logger
    }
}

/// SIGHUP asks for a new TLS key.
private struct HangupService: Service {
    let renewal: RenewalRequest

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in await UnixSignalsSequence(trapping: .sighup) { renewal.ask() }
        }
    }
}

/// The node as a service: waits for the founding where that is still open, then serves, until it is
/// cancelled or told to shut down.
package struct NodeService: Service {
    let directory: NodeDirectory
    let logger: Logger
    let renewal: RenewalRequest
    let hello: MeshHello

    /// `renewal` lets the caller ask for a new TLS key while the node runs; `spoken` makes it one
    /// of another version, as far as versions differ.
    package init(
        directory: NodeDirectory, logger: Logger, renewal: RenewalRequest = RenewalRequest(),
        spoken: ClosedRange<Int> = MeshVersion.spoken
    ) {
        hello = MeshHello(
            spoken: spoken, capabilities: Self.capabilities, program: NodeVersion.text)
        self.directory = directory
        self.logger = logger
        self.renewal = renewal
    }

    /// What a peer may be sent once it says that it can take it.
    private static let capabilities = ["rotate-key"]

    /// Keeps the first failure as it was thrown, for the program's last words.
    final class Outcome: Sendable {
        private let stored = Mutex<(any Error)?>(nil)
        var failure: (any Error)? { stored.withLock { $0 } }
        func set(_ error: any Error) { stored.withLock { $0 = $0 ?? error } }
    }

    struct Recorded: Service {
        let service: NodeService
        let outcome: Outcome

        func run() async throws {
            do { try await service.run() } catch is CancellationError {} catch {
                outcome.set(error)
            }
        }
    }

    func recording(into outcome: Outcome) -> Recorded {
        Recorded(service: self, outcome: outcome)
    }

    package func run() async throws {
        try await cancelWhenGracefulShutdown { try await serve() }
    }

    private func serve() async throws {
        let identityDirectory = try directory.identityDirectory()
        let lock = try ProcessLock(directory: directory.path)
        defer { withExtendedLifetime(lock) {} }
        try KeySuccession.resume(in: directory)
        while try await serve(as: try identityDirectory.key(), identityDirectory) == .keyReplaced {
            try Task.checkCancellation()
            try KeySuccession.complete(in: directory)
        }
    }

    /// Until it is told to stop, or the mesh knows this node by another key.
    private func serve(
        as identity: IdentityKey, _ identityDirectory: IdentityDirectory
    ) async throws -> NodeAssembly.Ending {
        let configuration = try directory.configuration()
        let founding = try directory.founding()
        let leaves = LeafIssuer(
            identity: identity, mesh: founding.statement.mesh, directory: identityDirectory,
            organisation: { [directory] in
                try directory.organisationChain(configuration, of: identity.publicKey)
            })
        let tls = try leaves.issue()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var logger = logger
        logger[metadataKey: "node"] = "\(configuration.name)"
        do {
            let genesis = try await openGenesis(
                founding, identity: identity, tls: tls, group: group, logger: logger)
            let assembly = try NodeAssembly(
                directory: directory, configuration: configuration, identity: identity,
                genesis: genesis, leaves: leaves, leaf: LeafInUse(tls), renewal: renewal,
                hello: hello, group: group, logger: logger)
            let ending = try await assembly.run()
            try? await group.shutdownGracefully()
            return ending
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private func openGenesis(
        _ founding: SignedFounding, identity: IdentityKey, tls: TLSIdentity,
        group: any EventLoopGroup, logger: Logger
    ) async throws -> Genesis {
        if let genesis = try directory.genesis(of: founding) { return genesis }
        return try await FoundingWait(
            directory: directory, identity: identity, founding: founding,
            record: try directory.joinRecord(), tls: tls, group: group, logger: logger
        ).genesis()
    }
}
