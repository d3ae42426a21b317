import AegisAPI

extension NodeStatus {
    /// What was refused, but for updates that came rounds too late: an honest node that was away
    /// sends those too.
    var faults: [Refusal] { refusals.filter { !$0.reason.contains("pastRound") } }
}
