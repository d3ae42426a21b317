package import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisStore

/// `aegis-node rotate-key`: another identity key for a node that keeps its name, its standing and
/// its data. The running node does it; one that is stopped, when it runs again.
package struct KeyRotation: Sendable {
    package enum Outcome: Sendable {
        case replaced(by: NodeID)
        /// The node is stopped, and has the key ready.
        case prepared(NodeID)
    }

    private let directory: NodeDirectory
    private static let decisionWithin = Duration.seconds(90)

    package init(_ directory: NodeDirectory) { self.directory = directory }

    /// The present identity key, or the one that is to follow, as OpenSSL reads one.
    package func publicKeyPEM(ofNext: Bool) throws -> String {
        let identity = try directory.identityDirectory()
        guard ofNext else { return try identity.describeKey().node.publicKeyPEM }
        guard let next = try identity.nextKey() else {
            throw NodeError.membershipRefused("no change of the key is under way")
        }
        return next.publicKey.publicKeyPEM
    }

    /// `prepared` is called once the new key is on the disk: from then on it will happen.
    package func rotate(prepared: (NodeID) -> Void = { _ in }) async throws -> Outcome {
        let identity = try directory.identityDirectory()
        let old = try identity.key().publicKey
        let (rules, chain) = try MembershipAct.chain(of: directory)
        if !identity.has(IdentityDirectory.nextKeyName) {
            let command = KeySuccession.command(from: old, to: .generate(), mesh: rules.mesh)
            if let refusal = chain.refusal(
                of: command, mesh: rules.mesh, at: MachineClock.wallMilliseconds)
            {
                throw NodeError.membershipRefused("\(refusal)")
            }
        }
        let next = try identity.makeNextKey().publicKey
        prepared(next)
        guard try directory.isRunning else { return .prepared(next) }
        let clock = ContinuousClock()
        let end = clock.now + Self.decisionWithin
        while clock.now < end {
            if try identity.describeKey().node == next { return .replaced(by: next) }
            try await Task.sleep(for: .milliseconds(200))
        }
        throw NodeError.keyChangeUndecided(next)
    }
}

extension NodeDirectory {
    /// Whether a process works with this identity now.
    var isRunning: Bool {
        get throws {
            do throws(ProcessLockError) {
                _ = try ProcessLock(directory: path)
                return false
            } catch {
                if case .held = error { return true }
                throw error
            }
        }
    }
}
