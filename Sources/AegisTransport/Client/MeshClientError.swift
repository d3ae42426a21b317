package import AegisCore
package import AegisIdentity
package import AegisStore

/// Why a call to a peer came to nothing. Tells a dead process (refused) from one that is cut off
/// or frozen (timed out), since the first is a leader-dead hint (PROTOCOL.md, line 8).
package enum MeshClientError: Error, Hashable, Sendable {
    case unknownPeer(NodeID)
    /// Nobody listens at the peer's address: its process is not running.
    case connectionRefused(NodeID)
    /// The connection broke in the middle.
    case connectionLost(NodeID)
    case timedOut(NodeID)
    /// No route, no such name, or another fault of the network.
    case unreachable(NodeID, reason: String)
    /// What listens there does not prove to be this node.
    case notAuthentic(NodeID, PeerCertificateError)
    /// It shows an older key than this node has shown before.
    case staleBinding(NodeID, sequence: UInt64, seen: UInt64)
    /// It shows another key under a number that this node has shown before.
    case conflictingBinding(NodeID, sequence: UInt64)
    /// No organisation's authority that is required here vouches for it.
    case notVouchedFor(NodeID, OrganisationError)
    /// The peer's TLS layer would not have us: not in its roster, or a binding it knows as stale.
    case refusedByPeer(NodeID)
    case busy(NodeID, retryAfter: Duration)
    /// Another status than success, with the `type` of the problem where the peer names one.
    case status(NodeID, Int, problem: String?)
    case responseTooLarge(NodeID, bytesMax: Int)
    case malformedResponse(NodeID, reason: String)
    case blob(NodeID, BlobError)
    /// Nobody of those asked could give the blob; what each answered.
    case noHolder(Digest, [MeshClientError])
    case cancelled
    case closed

    /// Whether the peer's process seems to be gone.
    package var saysDead: Bool {
        switch self {
        case .connectionRefused, .connectionLost: true
        case .unknownPeer, .timedOut, .unreachable, .notAuthentic, .staleBinding,
            .conflictingBinding, .notVouchedFor, .refusedByPeer, .busy, .status, .responseTooLarge,
            .malformedResponse, .blob, .noHolder, .cancelled, .closed:
            false
        }
    }
}

extension MeshClientError {
    init(_ refusal: PeerRefusal) {
        switch refusal {
        case .notInRoster(let node): self = .unknownPeer(node)
        case .staleBinding(let node, let sequence, let seen):
            self = .staleBinding(node, sequence: sequence, seen: seen)
        case .conflictingBinding(let node, let sequence):
            self = .conflictingBinding(node, sequence: sequence)
        case .organisation(let node, let reason): self = .notVouchedFor(node, reason)
        }
    }
}
