package import AegisAPI
import AegisTelemetry
import FoundationEssentials
import Synchronization

/// What the node tells about itself: written by the loop and the trainer, read by anybody.
package final class StatusBoard: Sendable {
    /// Different refusals remembered; beyond that the oldest go.
    package static let refusalsMax = 256
    /// Those of one peer. A reason may name what the peer has chosen (a key, a norm), so whatever
    /// it invents beyond these counts as one: it can neither fill the log nor push out the others.
    package static let refusalsPerPeerMax = 16
    package static let furtherReasons = "further reasons"

    private let status: Mutex<NodeStatus>

    package init(node: String, name: String) {
        status = Mutex(
            NodeStatus(
                node: node, name: name, version: NodeVersion.text, state: .idle, height: 0,
                view: 0, peakResidentMegabytes: 0, run: nil, privacy: [], refusals: [],
                rounds: []))
    }

    package func update(_ change: (inout NodeStatus) -> Void) {
        status.withLock { change(&$0) }
    }

    package var current: NodeStatus {
        status.withLock { status in
            status.peakResidentMegabytes = ProcessFigures.peakResidentMegabytes
            return status
        }
    }

    package var json: [UInt8] {
        get throws { Array(try AegisAPI.encode(current)) }
    }

    /// Counts a refusal; true the first time this peer gave this reason, when it is worth a log
    /// line.
    package func refused(_ peer: String, _ reason: String) -> Bool {
        status.withLock { status in
            func isCounted(_ reason: String) -> Bool {
                guard
                    let index = status.refusals.firstIndex(where: {
                        $0.peer == peer && $0.reason == reason
                    })
                else { return false }
                status.refusals[index].count += 1
                return true
            }
            if isCounted(reason) { return false }
            var reason = reason
            if status.refusals.count(where: { $0.peer == peer }) >= Self.refusalsPerPeerMax {
                reason = Self.furtherReasons
                if isCounted(reason) { return false }
            }
            status.refusals.append(.init(peer: peer, reason: reason, count: 1))
            if status.refusals.count > Self.refusalsMax { status.refusals.removeFirst() }
            return true
        }
    }

    package func measured(_ measurement: RoundMeasurement) {
        status.withLock { $0.add(measurement) }
    }
}
