/// A thing that went wrong in a simulation, once. Numbered in the order of striking, so that a
/// failure can be replayed with some of them only.
enum Fault: String {
    case loss = "a message lost"
    case duplication = "a message twice"
    case straggling = "a message late"
    case partition = "links cut"
    case crash = "crash"
    case crashOnSign = "crash right after signing"
    case tornWrite = "the write under way torn"
    case kill = "the coordinator killed"
    case rollback = "the disk put back in time"
    case absence = "away until everything heals"
    case commitLoss = "the disk loses its last commits"
    case pause = "process paused"
    case clockJump = "clock jumps"
    case abstention = "gives no update"
    case attack = "attack"
    case lyingDisk = "the disk lies from here on"
    case rottenDisk = "the journal unreadable"
    case syncError = "the disk refuses to write"
    case fullDisk = "the disk full"
    case powerCut = "power cut"
    case cloning = "the machine copied"
    case clog = "a link clogged"
    case hostileAdmin = "the admin lies"
}

extension Simulation {
    /// Whether a fault strikes now: with this chance, while there are faults, and unless this
    /// replay leaves it out.
    mutating func strikes(
        _ fault: Fault, _ chance: Int, of scale: Int = 1_000, at node: Int,
        from stream: SimulationRandom.Stream = .network
    ) -> Bool {
        guard isFaulty, chance > 0, random[stream].below(scale) < chance else { return false }
        return isKept(fault, at: node)
    }

    /// Counts a fault that is about to strike; false where the replay leaves it out.
    mutating func isKept(_ fault: Fault, at node: Int, _ detail: StaticString = "") -> Bool {
        faultCount += 1
        if let kept, !kept.contains(faultCount) { return false }
        if isRecording {
            let place = nodes.indices.contains(node) ? " at \(nodes[node].name)" : ""
            let detail = detail.description
            record(
                nil,
                "fault \(faultCount): \(fault.rawValue)\(place)"
                    + (detail.isEmpty ? "" : ": \(detail)"))
        }
        return true
    }

    /// One line of the transcript.
    func record(_ node: Int?, _ text: @autoclosure () -> String) {
        guard isRecording else { return }
        let who = node.map { nodes[$0].name } ?? "*"
        let at = String(time)
        transcript.lines.append(
            String(repeating: " ", count: max(0, 8 - at.count)) + at + "  "
                + who + String(repeating: " ", count: max(0, 8 - who.count)) + " " + text())
    }
}

/// The readable history of one simulation, apart from its state so that writing it changes nothing.
final class Transcript {
    var lines: [String] = []
}

/// The streams of chance of one simulation.
struct SimulationChance {
    private var streams: [SimulationRandom]

    init(_ seed: UInt64) {
        streams = (0...SimulationRandom.Stream.traitor.rawValue).map { number in
            SimulationRandom(seed, stream: .init(rawValue: number) ?? .options)
        }
    }

    subscript(stream: SimulationRandom.Stream) -> SimulationRandom {
        get { streams[Int(stream.rawValue)] }
        _modify { yield &streams[Int(stream.rawValue)] }
    }
}
