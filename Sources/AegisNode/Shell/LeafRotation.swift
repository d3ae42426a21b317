import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisTransport
import Logging
import Synchronization

/// Issues this node's TLS leaves, each under a higher number than all before it: also after the
/// clock was set back, since peers refuse a lower one.
struct LeafIssuer: Sendable {
    static let sequenceName = "tls-sequence"

    let identity: IdentityKey
    let mesh: MeshID
    let directory: IdentityDirectory
    /// What an organisation says of this node, presented with each leaf.
    var organisation: @Sendable () throws -> OrganisationChain? = { nil }

    func issue() throws -> TLSIdentity {
        let sequence = max(MachineClock.wallMilliseconds, lastSequence + 1)
        try directory.write(Self.sequenceName, Array("\(sequence)\n".utf8))
        var leaf = try TLSIdentity.issue(
            for: identity, mesh: mesh, sequence: sequence, now: MachineClock.wallSeconds)
        leaf.organisation = try organisation()
        return leaf
    }

    /// Zero where none is on the disk; the clock alone then gives the number.
    private var lastSequence: UInt64 {
        guard let bytes = try? directory.read(Self.sequenceName, bytesMax: 32) else { return 0 }
        return UInt64(String(decoding: bytes, as: UTF8.self).prefix { $0.isNumber }) ?? 0
    }
}

/// The leaf that new connections present.
final class LeafInUse: Sendable {
    private let stored: Mutex<TLSIdentity>

    init(_ leaf: TLSIdentity) { stored = Mutex(leaf) }

    var leaf: TLSIdentity {
        get { stored.withLock { $0 } }
        set { stored.withLock { $0 = newValue } }
    }
}

/// How the owner asks a running node for a new TLS key: SIGHUP.
package final class RenewalRequest: Sendable {
    let bell = Doorbell()
    private let asked = Atomic(false)

    package init() {}

    package func ask() {
        asked.store(true, ordering: .releasing)
        bell.ring()
    }

    func take() -> Bool { asked.exchange(false, ordering: .acquiring) }
}

/// Replaces the node's TLS key while it serves: at two thirds of the leaf's life, and whenever its
/// owner asks. Nobody else takes part (PROTOCOL.md §4.3). What is under way on old connections ends
/// there; a call that a peer refuses because of the old leaf is made again with the new one.
struct LeafRotation: Sendable {
    /// How long what began under the old leaf may take; a transfer goes on elsewhere afterwards.
    static let overlap = Duration.seconds(60)
    /// The wall clock may jump, so it is read again at least this often.
    static let lookEvery = Duration.seconds(600)
    /// After a leaf could not be issued: a full disk, mostly.
    static let retryAfter = Duration.seconds(60)

    let issuer: LeafIssuer
    let server: MeshServer
    let client: MeshClient
    let current: LeafInUse
    let request: RenewalRequest
    let logger: Logger

    func run() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            while true {
                await wait()
                try Task.checkCancellation()
                do {
                    let retired = try rotate()
                    group.addTask {
                        // Another renewal doesn't wait for it; a stop closes them at once.
                        try? await Task.sleep(for: Self.overlap)
                        await retired.close()
                    }
                } catch {
                    logger.error("the TLS key was not renewed", metadata: ["reason": "\(error)"])
                    try await Task.sleep(for: Self.retryAfter)
                }
            }
        }
    }

    /// Until the leaf is due or somebody asks for another one.
    private func wait() async {
        while !Task.isCancelled, !request.take() {
            let (now, due) = (MachineClock.wallSeconds, current.leaf.renewAt)
            guard now < due else { return }
            await request.bell.wait(
                atMost: min(.seconds(Int64(clamping: due - now)), Self.lookEvery))
        }
    }

    private func rotate() throws -> MeshClient.RetiredConnections {
        let leaf = try issuer.issue()
        try server.replace(identity: leaf)
        let retired = client.replace(identity: leaf)
        current.leaf = leaf
        logger.info(
            "TLS key renewed",
            metadata: [
                "sequence": "\(leaf.binding.sequence)", "expires": "\(leaf.binding.notAfter)",
            ])
        return retired
    }
}
