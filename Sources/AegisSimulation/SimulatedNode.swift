import AegisCore
import AegisProtocol

/// One process of the mesh: its participant while it runs, its disk always. An object, so that
/// looking at it copies nothing.
final class SimulatedNode {
    var id: NodeID
    /// For transcripts: the name in the roster, and which of two processes with one key.
    let name: String
    /// A traitor, or one of two processes with one key. Nothing is promised to or asked of it.
    private(set) var isByzantine: Bool
    /// Whether it founds the mesh; others join.
    let isFounder: Bool
    /// Its disk went back in time: what it signs may contradict what it signed.
    var isRolledBack = false
    /// The key it goes on with once its process has started anew.
    var rekeyed: NodeID?
    var snapshot: SimulatedDisk?
    /// What a traitor knows; nil for everybody else.
    var traitor: Traitor?
    let isTraitor: Bool
    var disk: SimulatedDisk
    /// Nil while it is down.
    private(set) var participant: Participant?
    private(set) var isUp = false
    /// The last height that the running participant has decided, and its header.
    private(set) var tip: (height: UInt64, header: Digest)?
    /// The view it is in.
    private(set) var view: UInt32 = 0
    /// Grows with each start: what was under way for an earlier process is void.
    var incarnation = 0
    var isDeadForever = false
    /// Off until everything heals.
    var isAway = false
    /// A copy of another node's machine, or the node that was copied: with every protection on.
    var isCloned = false
    /// Until when nothing more can be written.
    var diskFullUntil = 0
    /// Of the wall clock, in millionths.
    var drift = 0
    /// Until when the process stands still.
    var pausedUntil = 0
    let isSlow: Bool
    var timers: [Int?] = Array(repeating: nil, count: TimerID.allCases.count)
    /// Changes with each request: an earlier training is void.
    var training = 0
    /// Its clock's difference from the true time.
    var clockOffset: Int

    init(
        id: NodeID, name: String, isByzantine: Bool, isFounder: Bool, traitor: Traitor? = nil,
        disk: SimulatedDisk, isSlow: Bool, clockOffset: Int
    ) {
        self.id = id
        self.name = name
        self.isByzantine = isByzantine
        self.isFounder = isFounder
        self.traitor = traitor
        isTraitor = traitor != nil
        self.disk = disk
        self.isSlow = isSlow
        self.clockOffset = clockOffset
    }

    func start(_ new: Participant) {
        participant = new
        isUp = true
        tip = (new.chain.height, new.chain.tip)
    }

    /// From here on there are two of it.
    func beCloned() {
        isByzantine = true
        isCloned = true
    }

    func stop() {
        participant = nil
        isUp = false
        tip = nil
    }

    /// What the core makes of an input, and how it stands then; nil while it is down.
    func handle(
        _ input: Input, at now: Instant, wallTime: UInt64
    ) -> (effects: [Effect], measures: ParticipantMeasures)? {
        guard let effects = participant?.handle(input, at: now, wallTime: wallTime),
            let measures = participant?.measured()
        else { return nil }
        tip = (measures.height, measures.tip)
        view = UInt32(clamping: measures.bindings.view)
        return (effects, measures)
    }

    /// Whether every rule binds it.
    var isTrusted: Bool { !isByzantine && !isRolledBack }
}

/// What the checkers look at after each input.
struct ParticipantMeasures {
    let bindings: ParticipantBindings
    let isWithinLimits: Bool
    let height: UInt64
    let tip: Digest
}

extension Participant {
    /// Changes nothing. Mutating, so that looking at it in its place copies nothing.
    fileprivate mutating func measured() -> ParticipantMeasures {
        ParticipantMeasures(
            bindings: bindings, isWithinLimits: isWithinLimits, height: chain.height,
            tip: chain.tip)
    }
}

extension TimerID {
    var position: Int {
        switch self {
        case .view: 0
        case .softDeadline: 1
        case .hardDeadline: 2
        case .command: 3
        case .retransmission: 4
        case .catchUp: 5
        case .training: 6
        }
    }
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
    case pause
    case clockJump
    case snapshot(node: Int)
    case rollBack(node: Int)
    case loseCommits(node: Int)
    case leaveForLong(node: Int)
    /// Somebody asks for the change of this number.
    case wish(Int)
    case lie(node: Int)
    case rot(node: Int)
    case fullDisk
    case powerCut(again: Int)
    case clone(node: Int, as: Int)
    case clog
    case hostileAdmin
    case heal

    /// Whose process must run for it to happen.
    var node: Int? {
        switch self {
        case .deliver(_, _, let node), .input(_, let node, _), .timer(_, let node, _, _),
            .trained(_, let node, _, _), .fetch(_, let node, _, _),
            .synchronise(_, _, let node, _):
            node
        case .restart, .command, .partition, .killCoordinator, .pause, .clockJump, .snapshot,
            .rollBack, .loseCommits, .leaveForLong, .wish, .lie, .rot, .fullDisk, .powerCut, .clone,
            .clog, .hostileAdmin, .heal:
            nil
        }
    }
}
