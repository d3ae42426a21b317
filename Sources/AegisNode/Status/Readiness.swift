import AegisAPI
import AegisCore
import AegisProtocol
import AegisTransport

/// Whether this node can take part in a decision now.
struct Readiness: Sendable {
    let status: StatusBoard
    let membership: MeshMembership
    let node: NodeID
    let watch: PeerWatch

    init(_ membership: MeshMembership, status: StatusBoard, node: NodeID, watch: PeerWatch) {
        self.status = status
        self.membership = membership
        self.node = node
        self.watch = watch
    }

    /// Why not, each as a line; none where it can.
    var reasonsAgainst: [String] {
        var reasons: [String] = []
        switch status.current.state {
        case .stopped: reasons.append("stopped")
        case .syncing: reasons.append("catching up with the mesh")
        case .idle, .training, .agreeing: break
        }
        let roster = membership.roster
        switch (roster.contains(node), roster.associate(node)?.standing) {
        case (true, _): break
        case (false, .learner), (false, .ready): reasons.append("joined, not promoted: no vote yet")
        case (false, .suspended): reasons.append("suspended: the vote rests")
        case (false, .observer): reasons.append("watches: no vote")
        case (false, nil): reasons.append("no member of the mesh")
        }
        let away = absent(of: roster)
        let reached = roster.count - away.count
        if reached < roster.quorum {
            reasons.append(
                "reaches \(reached) of \(roster.count), needs \(roster.quorum); away: "
                    + away.map { "\($0.name) (\($0.reason))" }.joined(separator: ", "))
        }
        return reasons
    }

    /// Participants that count as away.
    var awayCount: Int { absent(of: membership.roster).count }

    private func absent(of roster: Roster) -> [(name: String, reason: String)] {
        roster.entries.compactMap { entry in
            guard entry.node != node, let reason = watch.absence(of: entry.node) else { return nil }
            return (entry.name, reason)
        }
    }

    /// What the node tells of itself to its peers and the admin.
    var answer: NodeStatus {
        var answer = status.current
        answer.notReady = reasonsAgainst
        answer.peers = membership.roster.members.filter { $0.node != node }.map { entry in
            let hello = watch.hello(of: entry.node)
            return NodeStatus.Peer(
                name: entry.name, away: watch.absence(of: entry.node),
                protocolVersion: hello?.spoken.upperBound, program: hello?.program)
        }
        return answer
    }
}
