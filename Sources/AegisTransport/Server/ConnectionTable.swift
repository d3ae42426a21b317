import AegisCore
import AegisIdentity
import NIOCore
import Synchronization

/// The live connections by peer, so that an evicted one's can be closed, and how many blobs each
/// peer is receiving.
final class ConnectionTable: Sendable {
    private struct State {
        var channels: [NodeID: [ObjectIdentifier: any Channel]] = [:]
        var transfers: [NodeID: Int] = [:]
        var conduct: [NodeID: PeerConduct] = [:]
    }

    /// Peers that are remembered; those who are let in are few, but strangers may come to join.
    private static let conductsMax = 256

    private let state = Mutex(State())

    /// Whether the peer may have one more connection.
    func add(_ channel: any Channel, of node: NodeID) -> Bool {
        let added = state.withLock { state in
            guard state.channels[node]?.count ?? 0 < TransportLimits.connectionsPerPeerMax,
                state.conduct[node]?.isCutOff(now: .now()) != true
            else { return false }
            state.channels[node, default: [:]][ObjectIdentifier(channel)] = channel
            return true
        }
        guard added else { return false }
        channel.closeFuture.whenComplete { _ in
            self.state.withLock {
                $0.channels[node]?[ObjectIdentifier(channel)] = nil
                if $0.channels[node]?.isEmpty == true { $0.channels[node] = nil }
            }
        }
        return true
    }

    func close(_ node: NodeID) {
        let channels = state.withLock { $0.channels.removeValue(forKey: node) ?? [:] }
        for channel in channels.values { channel.close(promise: nil) }
    }

    /// Counts a request of this peer.
    func request(of node: NodeID) -> PeerConduct.Verdict {
        state.withLock { state in
            Self.forget(in: &state)
            return state.conduct[node, default: PeerConduct(now: .now())].request(now: .now())
        }
    }

    /// Counts something that no honest peer sends; whether it is cut off for it.
    func strike(_ node: NodeID) -> Bool {
        state.withLock { state in
            Self.forget(in: &state)
            return state.conduct[node, default: PeerConduct(now: .now())].strike(now: .now())
        }
    }

    private static func forget(in state: inout State) {
        guard state.conduct.count >= conductsMax else { return }
        let now = NIODeadline.now()
        let idle = state.conduct.keys.first {
            state.channels[$0] == nil && state.conduct[$0]?.isCutOff(now: now) != true
        }
        if let idle { state.conduct[idle] = nil }
    }

    var connectedNodes: Set<NodeID> { state.withLock { Set($0.channels.keys) } }

    /// Whether the peer may start another transfer; each true is answered by `endTransfer`.
    func beginTransfer(to node: NodeID) -> Bool {
        state.withLock {
            guard $0.transfers[node, default: 0] < TransportLimits.blobTransfersPerPeerMax else {
                return false
            }
            $0.transfers[node, default: 0] += 1
            return true
        }
    }

    func endTransfer(to node: NodeID) {
        state.withLock {
            let left = ($0.transfers[node] ?? 1) - 1
            $0.transfers[node] = left > 0 ? left : nil
        }
    }
}
