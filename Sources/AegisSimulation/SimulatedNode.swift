import AegisCore
import AegisProtocol

/// One process of the mesh: its participant while it runs, its disk always.
struct SimulatedNode {
    let id: NodeID
    /// One of two processes with one key. Nothing is promised to or asked of it.
    let isByzantine: Bool
    var disk: SimulatedDisk
    /// Nil while it is down.
    var participant: Participant?
    /// Grows with each start: what was under way for an earlier process is void.
    var incarnation = 0
    var isDeadForever = false
    var timers: [TimerID: Int] = [:]
    /// Changes with each request: an earlier training is void.
    var training = 0
    /// Its clock's difference from the true time.
    let clockOffset: Int

    var isUp: Bool { participant != nil }
}

/// What happens in a simulation.
enum SimulationEvent {
    case deliver([Statement], from: NodeID, to: Int)
    case input(Input, node: Int, incarnation: Int)
    case timer(TimerID, node: Int, incarnation: Int, at: Int)
    case trained(TrainingRequest, node: Int, incarnation: Int, training: Int)
    case fetch(FetchRequest, node: Int, incarnation: Int, attempt: Int)
    case synchronise([NodeID], height: UInt64, node: Int, incarnation: Int)
    case restart(node: Int)
    case command(Int)
    case partition
    case killCoordinator
    case heal
}
