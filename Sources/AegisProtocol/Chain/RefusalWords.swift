import AegisCore

// In people's words: why the mesh doesn't take what it was asked for.

extension CommandRefusal: CustomStringConvertible {
    package var description: String {
        switch self {
        case .foreignMesh: "it is for another mesh"
        case .sequenceNotGrowing: "a later command of the admin's has been decided"
        case .expired: "it has expired"
        case .anotherRunIsActive: "another run is active"
        case .runUsedBefore: "there was a run of this id"
        case .tooManyUpdatesNeeded(let needed, let available):
            "a round needs \(needed) updates, and only \(available) are sure to come"
        case .noSuchRun: "no such run is active"
        case .auditHeadNotGrowing: "the audit log is not longer than it was"
        case .membership(let refusal): refusal.description
        }
    }
}

extension MembershipRefusal: CustomStringConvertible {
    package var description: String {
        switch self {
        case .tokenExists: "there is a token of this id"
        case .tooManyTokens: "\(ProtocolLimits.tokensMax) tokens are open"
        case .unknownToken: "there is no such token"
        case .tokenExpired: "the token has expired"
        case .tokenLivesTooLong: "a token is good for a day at most"
        case .tokenUsedUp: "the token is used up"
        case .tokenOfAnotherNode: "the token is another node's"
        case .nameNotGranted(let name): "the token is not for \(name)"
        case .nameTaken(let name): "\(name) is a member's name, or fits one node only"
        case .nameMissing: "the member has no name"
        case .meshFull: "the mesh takes no more members"
        case .alreadyAMember(let node): "\(node.short) is a member already"
        case .neverAgain(let node):
            "\(node.short) left, was evicted or gave up its key: it never comes back"
        case .notAMember(let node): "\(node.short) is no member"
        case .notAParticipant(let node): "\(node.short) has no vote"
        case .notReady(let node): "\(node.short) has not shown yet that it follows the mesh"
        case .notSuspended(let node): "\(node.short) is not suspended"
        case .unknownTip(let height): "it follows another chain, at height \(height)"
        case .convicted(let node): "\(node.short) is convicted of signing contradictions"
        case .lastParticipant: "somebody must be left to decide"
        case .tooManyAdditions: "no more votes are added at this height"
        case .tooManySuspended: "as many as may rest are suspended"
        case .tooSoon(let until): "the admin may evict the next one at \(until) ms since 1970"
        case .noChange: "it is so already"
        case .notTheAdmin(let node): "\(node.short) is not the admin"
        case .tooManyWords:
            "this node has given its word for \(ProtocolLimits.wordsMax) motions: take one back"
        }
    }
}
