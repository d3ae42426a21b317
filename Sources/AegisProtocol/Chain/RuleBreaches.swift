/// Rules that a test makes every node break, to see that the checkers notice (PROTOCOL.md §7.3).
/// A node in production breaks none: the set is empty unless a simulation fills it.
package struct RuleBreaches: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// One signature less than a quorum decides.
    package static let smallQuorum = RuleBreaches(rawValue: 1 << 0)
    /// f + 1 timeouts elect a coordinator.
    package static let electionByFew = RuleBreaches(rawValue: 1 << 1)
    /// The certified value that an election names binds nobody.
    package static let electionUnbinding = RuleBreaches(rawValue: 1 << 2)
    /// A second vote in a view that was given up.
    package static let vote2AfterTimeout = RuleBreaches(rawValue: 1 << 3)
    /// A timeout doesn't say which certificate its signer knows.
    package static let timeoutWithoutCertificate = RuleBreaches(rawValue: 1 << 4)
    /// A first vote for whatever the coordinator says the aggregate is.
    package static let aggregateUnchecked = RuleBreaches(rawValue: 1 << 5)
    /// A first vote for each proposal of a view.
    package static let vote1Twice = RuleBreaches(rawValue: 1 << 6)
    /// f + 1 first votes are enough for a second one.
    package static let vote2WithoutQuorum = RuleBreaches(rawValue: 1 << 7)
    /// The election that admitted to a view is forgotten at a restart.
    package static let electionNotRecorded = RuleBreaches(rawValue: 1 << 8)
    /// What was voted is forgotten at a restart.
    package static let votesNotRestored = RuleBreaches(rawValue: 1 << 9)
    /// A HaveList names updates that are still on their way.
    package static let listsUnheld = RuleBreaches(rawValue: 1 << 10)
    /// One HaveList is enough to include an update.
    package static let singleVoucher = RuleBreaches(rawValue: 1 << 11)
    /// Committed time is whatever the coordinator says.
    package static let timeUnchecked = RuleBreaches(rawValue: 1 << 12)
    /// Nobody helps a peer that is behind.
    package static let stragglersIgnored = RuleBreaches(rawValue: 1 << 13)
    /// A node signs at once after a start, whatever it may have forgotten. Not among the named: it
    /// makes twins of two processes with one key.
    package static let forgettingIgnored = RuleBreaches(rawValue: 1 << 14)

    /// A token lets in whoever comes with it, however often.
    package static let tokensReused = RuleBreaches(rawValue: 1 << 15)
    /// A token that has expired still lets in.
    package static let tokensEternal = RuleBreaches(rawValue: 1 << 16)
    /// Who left or was evicted may come back under the same key.
    package static let idsReused = RuleBreaches(rawValue: 1 << 17)
    /// A learner votes before it has shown that it follows the chain.
    package static let unreadyPromoted = RuleBreaches(rawValue: 1 << 18)
    /// The admin takes out as many participants as it likes.
    package static let removalsUnlimited = RuleBreaches(rawValue: 1 << 19)
    /// Anybody says that a node leaves.
    package static let authorsUnchecked = RuleBreaches(rawValue: 1 << 20)
    /// A convicted traitor stays a participant.
    package static let traitorsKept = RuleBreaches(rawValue: 1 << 21)
    /// As many signatures decide as among the founders, whoever has come since.
    package static let quorumOfFounders = RuleBreaches(rawValue: 1 << 22)

    /// A node co-signs whatever its disk says is decided, whatever it co-signed before.
    package static let coSignUnlinked = RuleBreaches(rawValue: 1 << 23)
    /// What was co-signed is forgotten at a restart.
    package static let coSignsNotRestored = RuleBreaches(rawValue: 1 << 24)
    /// One co-signature less than it takes makes a height final.
    package static let finalByFew = RuleBreaches(rawValue: 1 << 25)
    /// As many co-signatures make a height final as among the founders, whoever has come since.
    package static let finalUnderFounders = RuleBreaches(rawValue: 1 << 26)
    /// A node co-signs what it votes for, before it is decided.
    package static let coSignUndecided = RuleBreaches(rawValue: 1 << 27)

    /// Whoever is away keeps its vote.
    package static let absentKept = RuleBreaches(rawValue: 1 << 28)
    /// A few rounds' absence costs the vote.
    package static let hastyDemotion = RuleBreaches(rawValue: 1 << 29)
    /// A round that was cut off counts as if nobody had been missing. Not among the named: it
    /// breaks no invariant, only leaves stragglers out (`DeadlineTests`).
    package static let impatient = RuleBreaches(rawValue: 1 << 30)

    /// The words of f + 1 participants carry a motion.
    package static let motionByFew = RuleBreaches(rawValue: 1 << 31)

    /// Their names, as on the simulator's command line.
    package static let named: [(name: String, breach: RuleBreaches)] = [
        ("smallQuorum", .smallQuorum), ("electionByFew", .electionByFew),
        ("electionUnbinding", .electionUnbinding), ("vote2AfterTimeout", .vote2AfterTimeout),
        ("timeoutWithoutCertificate", .timeoutWithoutCertificate),
        ("aggregateUnchecked", .aggregateUnchecked), ("vote1Twice", .vote1Twice),
        ("vote2WithoutQuorum", .vote2WithoutQuorum),
        ("electionNotRecorded", .electionNotRecorded),
        ("votesNotRestored", .votesNotRestored), ("listsUnheld", .listsUnheld),
        ("singleVoucher", .singleVoucher), ("timeUnchecked", .timeUnchecked),
        ("stragglersIgnored", .stragglersIgnored), ("tokensReused", .tokensReused),
        ("tokensEternal", .tokensEternal), ("idsReused", .idsReused),
        ("unreadyPromoted", .unreadyPromoted), ("removalsUnlimited", .removalsUnlimited),
        ("authorsUnchecked", .authorsUnchecked), ("traitorsKept", .traitorsKept),
        ("quorumOfFounders", .quorumOfFounders), ("coSignUnlinked", .coSignUnlinked),
        ("coSignsNotRestored", .coSignsNotRestored), ("finalByFew", .finalByFew),
        ("finalUnderFounders", .finalUnderFounders), ("coSignUndecided", .coSignUndecided),
        ("absentKept", .absentKept), ("hastyDemotion", .hastyDemotion),
        ("motionByFew", .motionByFew),
    ]
}
