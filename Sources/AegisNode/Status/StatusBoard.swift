package import AegisAPI
import FoundationEssentials
import Synchronization

/// What the node tells about itself: written by the loop and the trainer, read by anybody.
package final class StatusBoard: Sendable {
    /// Different refusals remembered; a peer that invents new ones pushes out its oldest.
    package static let refusalsMax = 64

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
            status.peakResidentMegabytes = ProcessMemory.peakResidentMegabytes
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
            if let index = status.refusals.firstIndex(where: {
                $0.peer == peer && $0.reason == reason
            }) {
                status.refusals[index].count += 1
                return false
            }
            status.refusals.append(.init(peer: peer, reason: reason, count: 1))
            if status.refusals.count > Self.refusalsMax { status.refusals.removeFirst() }
            return true
        }
    }

    /// Rounds of one run only: a new run's first measurement clears the last one's.
    package func measured(_ measurement: RoundMeasurement) {
        status.withLock { status in
            status.rounds.removeAll {
                $0.run != measurement.run || $0.round == measurement.round
            }
            status.rounds.append(measurement)
            status.rounds.sort { $0.round < $1.round }
        }
    }
}
