import AegisCore

/// What an agreement may cost a node, in one place, each with its reason. The peers of a node are
/// at most `Limits.participantsMax`, so each of these bounds its memory (I17).
package enum ProtocolLimits {
    /// Beyond any view that 2³² time-outs could reach; keeps `view + 1` from overflowing.
    package static let viewMax: UInt64 = 0x7fff_fffe
    /// HaveLists a node signs in one view: each grows by at least one entry.
    package static let haveListSequenceMax = 256
    /// Commands in one value, and pending at one node (§2.4).
    package static let commandsMax = 64
    /// Evidence in one value, and the largest: two proposals of a mesh of some twenty nodes.
    package static let evidenceMax = 4
    package static let evidenceBytesMax = 128 << 10
    /// Refused proposals kept, to convict whoever votes for them (E6).
    package static let unjustifiedMax = 2
    /// Votes or timeouts kept of one sender at one height; a correct sender needs the latest few.
    package static let statementsPerSenderMax = 4
    /// Updates kept of one sender for one round: two prove a fault (E4), more add nothing.
    package static let updatesPerSenderMax = 2
    /// Values kept at one height, apart from the certified one.
    package static let valuesMax = 8
    /// Statements kept of a sender that is ahead of us, each of at most so many bytes.
    package static let aheadPerSenderMax = 16
    package static let aheadBytesMax = 64 << 10
    /// Envelopes whose signature need not be verified again, and the largest that is kept.
    package static let verifiedMax = 2_048
    package static let verifiedBytesMax = 4 << 10
    /// Results of computations kept.
    package static let computedMax = 4
    /// Runs whose end is remembered in the state of the chain.
    package static let finishedRunsMax = 1_024
    /// SHA-256 of each MiB of an update above 4 MiB: an update of `Limits.blobBytesMax`.
    package static let chunksMax = 4_096
    package static let chunkBytes: UInt64 = 1 << 20
    package static let chunkListFrom: UInt64 = 4 << 20
    /// Skips in a row that end a run as paused (§2.5).
    package static let skipsMax = 3
    package static let reasonBytesMax = 256
    /// Tokens granted and not expired.
    package static let tokensMax = 256
    /// The longest a token may be good for: a day (§4.4).
    package static let tokenMillisecondsMax: UInt64 = 86_400_000
    /// Nodes that are gone for good; a mesh that lost so many takes nobody in any more.
    package static let retiredMax = 4_096
    /// A participant is never evicted by itself where fewer would be left (§2.10).
    package static let participantsKept = 4
    /// Headers a learner may name to show that it follows the chain.
    package static let recentTipsMax = 64
    /// Peers that are not in the roster and were answered lately.
    package static let strangersMax = 128
    /// Rounds whose duration the soft deadline follows, and in which somebody who is missing is
    /// still waited for longer.
    package static let deadlineRounds = 8
    /// Rounds in a row for which the wait grows.
    package static let patienceMax = 4
    /// Every so many rounds those who have been missing for longer are waited for, so many times as
    /// long as the others take.
    package static let lookBackRounds = 16
    package static let lookBackFactor = 8
    /// K: rounds without a sign of a participant after which it has no vote any more (§2.10).
    package static let absentRoundsMax = 20
    /// Motions that one participant has given its word for, and how long a word counts, by
    /// committed time: nobody is held to what it wanted long ago.
    package static let wordsMax = 8
    package static let wordMilliseconds: UInt64 = 7 * 86_400_000
    /// Heights whose co-signatures are still collected (§2.8).
    package static let unfinishedMax = 16
}
