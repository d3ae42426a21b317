import AegisCore

// What a change of the roster or of the admin changes for a node (PROTOCOL.md §2.10, §5).
extension Participant {
    /// From the height after the one that decided it. Votes, lists and timeouts of the height are
    /// new anyway; what outlives heights moves to the new places.
    mutating func adoptRoster(after before: ChainState) {
        guard !rules.holds(in: chain) else { return }
        if chain.admin != rules.admin {
            // What the old admin asked for and nobody has decided is nobody's wish now.
            commands.removeAll { $0.command.isOfTheAdmin }
            observe(.adminChanged(chain.admin))
        }
        if chain.policy != rules.policy { observe(.policyChanged(chain.policy)) }
        let hasNewRoster = chain.rosterDigest != rules.rosterDigest
        rules = rules.at(chain)
        opener.adopt(rules)
        guard hasNewRoster else { return }
        let hadVote = me != nil
        me = rules.roster.index(of: configuration.node)
        observe(.rosterChanged(rules.roster))
        round?.move(from: before.roster, to: rules.roster)
        evidence = evidence.compactMap { known in
            let conviction = known.conviction
            return rules.roster.index(of: conviction.node).map {
                KnownEvidence(
                    known.evidence,
                    Conviction(node: conviction.node, index: $0, offence: conviction.offence))
            }
        }
        let isMember: (NodeID) -> Bool = { [roster = rules.roster] in roster.member($0) != nil }
        unreachable = unreachable.filter(isMember)
        silent = silent.filter(isMember)
        lastSeen = lastSeen.filter { isMember($0.key) }
        guard hadVote != (me != nil) else { return }
        observe(.votes(!hadVote))
        if hadVote {
            greeting = nil
            leaveRound()
        }
    }

    /// Whoever has no vote hears of decisions from t participants, in turn, so that one of them is
    /// honest; so does who had one until now.
    mutating func tellAssociates(_ statement: Statement, of old: Roster) {
        let roster = old
        guard let index = roster.index(of: configuration.node) else { return }
        let turn = (UInt64(index) + chain.height) % UInt64(roster.count)
        guard turn < UInt64(roster.inclusionThreshold) else { return }
        let left = old.nodes.filter { !rules.roster.contains($0) }
        let told = rules.roster.members.map(\.node).filter { !old.contains($0) } + left
        send([statement], to: told)
    }

    /// A learner at the tip says so, once, and again where the header it named has grown old.
    mutating func considerReadiness() {
        guard isStarted, rules.roster.associate(configuration.node)?.standing == .learner,
            greeting == nil, chain.height >= heardHeight
        else { return }
        if let own = ownReadiness,
            chain.height - own.height < UInt64(ProtocolLimits.recentTipsMax / 2)
        {
            return
        }
        ownReadiness = (chain.height, nil)
        let command = Command(
            mesh: rules.mesh, sequence: 0, expiresAt: UInt64(Int64.max),
            action: .membership(
                .ready(configuration.node, height: chain.height, tip: chain.tip)))
        sign(.readiness(height: chain.height), command.payload, to: others)
    }
}
