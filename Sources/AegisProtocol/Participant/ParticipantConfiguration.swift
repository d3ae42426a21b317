package import AegisCore

/// Who a participant is, under which rules, and its patience.
package struct ParticipantConfiguration: Sendable {
    package let node: NodeID
    /// Of any height: the participant takes the roster from the chain.
    package let rules: MeshRules
    package var timing: ProtocolTiming
    /// Of the jitter of retransmissions and timeouts: any number that differs between nodes.
    package let seed: UInt64

    package init(
        node: NodeID, rules: MeshRules, seed: UInt64, timing: ProtocolTiming = ProtocolTiming()
    ) {
        self.node = node
        self.rules = rules
        self.seed = seed
        self.timing = timing
    }
}

/// How long a participant waits. The view timeout's base is the mesh's policy (§2.12).
package struct ProtocolTiming: Hashable, Sendable {
    /// The longest wait for one view, whatever the doubling says.
    package var viewTimeoutMax: Duration = .seconds(600)
    /// The wait for a coordinator whose process is gone.
    package var deadCoordinatorTimeout: Duration = .seconds(1)
    /// The wait in view 0 for a coordinator that has stopped answering; it doubles like any.
    package var silentCoordinatorTimeout: Duration = .seconds(2)
    /// The first repetition; each later one waits 1.6 times longer, up to the maximum.
    package var retransmission: Duration = .seconds(1)
    package var retransmissionMax: Duration = .seconds(15)
    /// A command waits so long for other commands, when no run and when a run is active.
    package var commandDelay: Duration = .milliseconds(50)
    package var commandDelayInRun: Duration = .milliseconds(500)
    /// How often a node that waits for nothing asks the others where they are.
    package var restingInterval: Duration = .seconds(30)
    /// How often one lagging peer is helped.
    package var helpInterval: Duration = .seconds(1)
    /// How often one peer's hello is answered.
    package var greetingInterval: Duration = .milliseconds(200)
    /// How long a peer may be one height ahead before we ask for its commits.
    package var catchUpDelay: Duration = .milliseconds(250)
    package var catchUpInterval: Duration = .seconds(1)
    /// How often another chain is asked for, and a halted node shows why.
    package var forkInterval: Duration = .seconds(2)
    /// After a start or a commit that was fetched: time to learn of later ones before training.
    package var trainingDelay: Duration = .milliseconds(500)

    package init() {}
}
