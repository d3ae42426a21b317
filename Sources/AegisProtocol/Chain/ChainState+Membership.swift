package import AegisCore

// Who is in the mesh, as commits decide it (PROTOCOL.md §2.10, §4.4). All of it takes effect with
// the height after the one that decides it.
extension ChainState {
    /// Why `change` can't be made now, or nil. Its signatures were checked before.
    func refusal(
        of change: MembershipChange, at time: UInt64, byQuorum: Bool = false
    ) -> MembershipRefusal? {
        switch change {
        case .grantToken(let grant): return refusal(of: grant, at: time)
        case .revokeToken(let token): return granted(token) == nil ? .unknownToken : nil
        case .join(let request, let key): return refusal(of: request, signedBy: key, at: time)
        case .ready(let node, let height, let tip):
            guard let associate = roster.associate(node) else {
                return roster.contains(node) ? .noChange : .notAMember(node)
            }
            guard associate.standing == .learner else { return .noChange }
            return isRecent(height, tip) ? nil : .unknownTip(height: height)
        case .promote(let node):
            guard let associate = roster.associate(node) else {
                return roster.contains(node) ? .noChange : .notAMember(node)
            }
            guard
                associate.standing == .ready
                    || associate.standing == .learner && breaches.contains(.unreadyPromoted)
            else { return .notReady(node) }
            return added < changesMax ? nil : .tooManyAdditions
        case .resume(let node):
            guard roster.associate(node)?.standing == .suspended else {
                return .notSuspended(node)
            }
            return added < changesMax ? nil : .tooManyAdditions
        case .suspend(let node, _):
            guard roster.contains(node) else { return .notAParticipant(node) }
            guard roster.count > 1 else { return .lastParticipant }
            let resting = roster.associates.count { $0.standing == .suspended }
            return resting < max(1, (roster.count + resting - 1) / 3) ? nil : .tooManySuspended
        case .evict(let node, _):
            return refusalOfRemoval(of: node, at: time, byQuorum: byQuorum)
        case .leave(let node):
            guard roster.member(node) != nil else { return .notAMember(node) }
            return isLast(node) ? .lastParticipant : nil
        case .rotateKey(let replacement): return refusal(of: replacement)
        case .replaceLostKey(let replacement):
            if let refusal = refusal(of: replacement) { return refusal }
            return isVoting(replacement.old) ? refusalOfRemovalNow(at: time) : nil
        case .moveAddress(let node, let address):
            guard let member = roster.member(node) else { return .notAMember(node) }
            return member.address == address || address.isEmpty ? .noChange : nil
        case .word(let node, let motion): return refusal(of: motion, by: node, at: time)
        case .withdraw(let node, let motion):
            return words(for: motion, at: time).contains(node) ? nil : .noChange
        }
    }

    mutating func apply(_ change: MembershipChange, at time: UInt64) {
        defer { if let subject = change.subject { settle(subject, at: time) } }
        switch change {
        case .grantToken(let grant):
            tokens.removeAll { $0.grant.notAfter <= time }
            tokens.append(GrantedToken(grant: grant, users: []))
        case .revokeToken(let token): tokens.removeAll { $0.grant.tokenID == token }
        case .join(let request, _): admit(request)
        case .ready(let node, _, _): alter(roster.standing(node, .ready))
        case .promote(let node), .resume(let node):
            alter(roster.promoting(node))
            added += 1
        case .suspend(let node, _): alter(roster.demoting(node, to: .suspended))
        case .evict(let node, _):
            if isVoting(node), !convicted.contains(node) { lastRemoval = time }
            remove(node)
        case .leave(let node): remove(node)
        case .rotateKey(let replacement): replace(replacement)
        case .replaceLostKey(let replacement):
            if isVoting(replacement.old) { lastRemoval = time }
            replace(replacement)
        case .moveAddress(let node, let address):
            guard let member = roster.member(node) else { return }
            alter(
                roster.replacing(
                    node, by: RosterEntry(node: node, name: member.name, address: address)))
        case .word(let node, let motion): note(motion, by: node, at: time)
        case .withdraw(let node, let motion): forget(motion, by: node)
        }
    }

    /// Out of the mesh, and never in again.
    mutating func remove(_ node: NodeID) {
        alter(roster.removing(node))
        retire(node)
    }

    private mutating func admit(_ request: JoinRequest) {
        guard let index = tokens.firstIndex(where: { $0.grant.tokenID == request.tokenID }) else {
            return
        }
        let grant = tokens[index].grant
        tokens[index].users.append(request.node)
        let entry = RosterEntry(
            node: request.node, name: request.name.isEmpty ? grant.name : request.name,
            address: request.address)
        alter(
            roster.adding(Associate(entry, grant.purpose == .observer ? .observer : .learner)))
    }

    private mutating func replace(_ replacement: KeyReplacement) {
        guard let member = roster.member(replacement.old) else { return }
        alter(
            roster.replacing(
                replacement.old,
                by: RosterEntry(
                    node: replacement.new, name: member.name, address: member.address)))
        retire(replacement.old)
    }

    mutating func retire(_ node: NodeID) {
        retired.append(node)
        retired.sort()
    }

    mutating func alter(_ new: Roster?) {
        guard let new else { preconditionFailure("a change that was not refused can be made") }
        roster = new
    }
}

// Conditions.
extension ChainState {
    /// max(1, f): the most votes that one height adds.
    private var changesMax: Int { max(1, roster.faultTolerance) }

    package func granted(_ token: [UInt8]) -> GrantedToken? {
        tokens.first { $0.grant.tokenID == token }
    }

    private func isLast(_ node: NodeID) -> Bool { roster.count == 1 && roster.contains(node) }

    /// Whether it has a vote, or would if it were resumed.
    private func isVoting(_ node: NodeID) -> Bool {
        roster.contains(node) || roster.associate(node)?.standing == .suspended
    }

    private func isRecent(_ height: UInt64, _ tip: Digest) -> Bool {
        guard let known = recentTip(height) else {
            // Of the genesis, as long as it is as recent.
            return height == 0 && self.height == 0 && tip == self.tip
        }
        return known == tip
    }

    /// The digest of the header of one of the last heights.
    func recentTip(_ height: UInt64) -> Digest? {
        guard height <= self.height, self.height - height < UInt64(recentTips.count) else {
            return nil
        }
        return recentTips[recentTips.count - 1 - Int(self.height - height)]
    }

    private func refusal(of grant: JoinGrant, at time: UInt64) -> MembershipRefusal? {
        guard
            !tokens.contains(where: {
                $0.grant.tokenID == grant.tokenID || $0.grant.tokenKey == grant.tokenKey
            })
        else { return .tokenExists }
        guard grant.notAfter > time else { return .tokenExpired(at: grant.notAfter) }
        guard grant.notAfter - time <= ProtocolLimits.tokenMillisecondsMax else {
            return .tokenLivesTooLong
        }
        guard grant.usesMax == 1 || grant.name.isEmpty && grant.boundNode == nil else {
            return .nameTaken(grant.name)
        }
        let live = tokens.count { $0.grant.notAfter > time }
        return live < ProtocolLimits.tokensMax ? nil : .tooManyTokens
    }

    private func refusal(
        of request: JoinRequest, signedBy key: NodeID, at time: UInt64
    ) -> MembershipRefusal? {
        if let refusal = refusalOfIdentity(request.node) { return refusal }
        guard let token = granted(request.tokenID), token.grant.tokenKey == key else {
            return .unknownToken
        }
        let grant = token.grant
        guard grant.notAfter > time || breaches.contains(.tokensEternal) else {
            return .tokenExpired(at: grant.notAfter)
        }
        guard token.users.count < grant.usesMax || breaches.contains(.tokensReused) else {
            return .tokenUsedUp
        }
        guard grant.boundNode == nil || grant.boundNode == request.node else {
            return .tokenOfAnotherNode
        }
        let name = request.name.isEmpty ? grant.name : request.name
        guard !name.isEmpty else { return .nameMissing }
        guard grant.name.isEmpty || name == grant.name else { return .nameNotGranted(name) }
        guard !roster.members.contains(where: { $0.name == name }) else {
            return .nameTaken(name)
        }
        guard roster.members.count < Limits.participantsMax,
            retired.count + roster.members.count < ProtocolLimits.retiredMax
        else { return .meshFull }
        return nil
    }

    /// Whether this key may become a member's, or the admin's.
    private func refusalOfIdentity(_ node: NodeID) -> MembershipRefusal? {
        if roster.member(node) != nil || node == admin { return .alreadyAMember(node) }
        if convicted.contains(node) || retired.contains(node),
            !breaches.contains(.idsReused)
        {
            return .neverAgain(node)
        }
        return nil
    }

    private func refusal(of replacement: KeyReplacement) -> MembershipRefusal? {
        guard roster.member(replacement.old) != nil else { return .notAMember(replacement.old) }
        guard !convicted.contains(replacement.old) else { return .convicted(replacement.old) }
        return refusalOfNewKey(replacement.new)
    }

    /// Whether a key may take the place of another, which is gone then for good.
    func refusalOfNewKey(_ key: NodeID) -> MembershipRefusal? {
        guard retired.count + roster.members.count < ProtocolLimits.retiredMax else {
            return .meshFull
        }
        return refusalOfIdentity(key)
    }

    private func refusalOfRemoval(
        of node: NodeID, at time: UInt64, byQuorum: Bool
    ) -> MembershipRefusal? {
        guard roster.member(node) != nil else { return .notAMember(node) }
        guard !isLast(node) else { return .lastParticipant }
        // A proved traitor may always go, and so may whoever has no vote, and whomever a quorum
        // doesn't want.
        guard isVoting(node), !convicted.contains(node), !byQuorum else { return nil }
        return refusalOfRemovalNow(at: time)
    }

    private func refusalOfRemovalNow(at time: UInt64) -> MembershipRefusal? {
        guard let lastRemoval, time < lastRemoval + policy.removalIntervalMilliseconds,
            !breaches.contains(.removalsUnlimited)
        else { return nil }
        return .tooSoon(until: lastRemoval + policy.removalIntervalMilliseconds)
    }
}
