package import AegisCore
import AegisCrypto
import AegisIdentity
import AegisTransport
import NIOCore
import NIOPosix

/// What a node joins with, and where it will live.
package struct JoinPlan: Sendable {
    private let token: String
    let directory: String
    let listen: String
    let advertise: String
    let monitor: String?
    /// Empty where the token says what the member is called.
    let name: String

    package init(
        token: String, directory: String, listen: String, advertise: String,
        monitor: String? = nil, name: String = ""
    ) {
        self.token = token
        self.directory = directory
        self.listen = listen
        self.advertise = advertise
        self.monitor = monitor
        self.name = name
    }

    /// What a join has led to.
    package struct Outcome: Sendable {
        package let meshName: String
        package let name: String
        package let node: NodeID
    }

    func configuration(name: String, admin: String) -> NodeConfiguration {
        NodeConfiguration(
            name: name, listen: listen, advertise: advertise, admin: admin, monitor: monitor)
    }

    /// Runs `body` with a new identity; throws `wrongToken` where the token pins something else.
    func withIdentity<Value: Sendable>(
        pin: JoinToken.Pin, otherwise wrongToken: NodeError,
        _ body: (JoinToken, IdentityKey, TLSIdentity, any EventLoopGroup) async throws -> Value
    ) async throws -> Value {
        try checkVacancy()
        let now = MachineClock.wallSeconds
        let token: JoinToken
        do { token = try JoinToken(parsing: self.token, now: now) } catch {
            throw NodeError.token(error)
        }
        guard token.pin == pin else { throw wrongToken }
        let identity = IdentityKey.generate()
        let tls = try TLSIdentity.issue(
            for: identity, mesh: token.mesh, sequence: MachineClock.wallMilliseconds, now: now)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let result = try await body(token, identity, tls, group)
            try? await group.shutdownGracefully()
            return result
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private func checkVacancy() throws {
        guard (try? IdentityDirectory.open(at: directory).has(IdentityDirectory.keyName)) != true
        else { throw NodeError.alreadyJoined(directory) }
        if let monitor, MeshAddress(dialled: monitor) == nil {
            throw ConfigurationError(faults: ["monitor: \(monitor) is not host:port"])
        }
        do { try IdentityDirectory.checkVacancy(at: directory) } catch {
            throw NodeError.directory(error)
        }
    }
}
