/// What may go wrong in a simulated mesh, and how often. A scenario draws them from the seed, each
/// fault on or off by itself (swarm testing), so that rare combinations come up.
///
/// All are whole numbers with one table of names (`fields`), so that scenarios can set them, a
/// failure can be narrowed down, and a command line can repeat it. Zero is "never".
package struct SimulationOptions: Hashable, Sendable {
    package var participants = 4
    /// 1: three nodes need all three signatures.
    package var strictThree = 0
    package var rounds = 2
    package var updatesMin = 1
    /// Faults happen for so many milliseconds; then everything heals.
    package var faultMilliseconds = 15_000
    /// After healing, everybody must be done within so many.
    package var healMilliseconds = 400_000

    // The network. Chances in 1,000 for each message.
    package var loss = 0
    package var duplication = 0
    package var delayMilliseconds = 5
    /// Messages that take up to forty times as long: those sent later overtake them.
    package var straggling = 30
    /// Milliseconds between two changes of who reaches whom.
    package var partitionInterval = 0

    // Processes and disks.
    /// Crashes at any effect, in 100,000.
    package var crashRate = 0
    /// Crashes right after a vote or a timeout was sent, in 1,000.
    package var crashOnSign = 0
    /// Crashes that leave the first part of the write under way, in 1,000.
    package var tornWrite = 0
    /// Milliseconds between two kills of the present coordinator.
    package var coordinatorKillInterval = 0
    /// Nodes that never come back once everything heals.
    package var deadForever = 0
    /// Nodes whose disk is once put back to an earlier state.
    package var rollbacks = 0
    /// Milliseconds between two pauses of a process, and how long one lasts at most.
    package var pauseInterval = 0
    package var pauseMilliseconds = 0
    /// Nodes whose work takes twenty times as long.
    package var slow = 0

    // Clocks.
    /// The most a node's clock differs from the true time.
    package var skewMilliseconds = 500
    /// Milliseconds between two jumps of a node's clock.
    package var clockJumpInterval = 0

    // Traitors.
    /// Nodes that run twice with one key (arXiv 2004.10617).
    package var twins = 0
    /// Nodes that attack in the ways below, with these chances in 1,000 at each occasion.
    package var traitors = 0
    package var equivocation = 0
    package var doubleVote = 0
    package var withholding = 0
    package var lateness = 0
    package var forgery = 0
    package var replay = 0
    package var wrongDigest = 0
    package var garbage = 0
    package var lyingTimeout = 0
    package var falseList = 0
    package var secondUpdate = 0
    package var hiddenCertificate = 0

    package var abstention = 0
    /// 1: a refused connection tells the others that a process is gone.
    package var hinting = 1
    /// 1: a second command stops the run in the middle.
    package var stopped = 0

    // The membership. All of it is asked for until it is decided.
    /// Nodes that join, each with a token of its own, and are promoted.
    package var joins = 0
    package var leaves = 0
    package var evictions = 0
    package var suspensions = 0
    /// Nodes that take a new key.
    package var rotations = 0
    /// 1: tokens leak and are tried by others too, who left tries to come back, an old token is
    /// tried, and nodes say that others leave.
    package var intruders = 0

    /// Nodes whose disk loses its last commits once, and nothing else.
    package var commitLosses = 0
    /// The last founders stand still from the first round on, until everything heals.
    package var absentees = 0
    /// The shortest soft deadline of a run whose deadlines follow its rounds; 0: they are fixed.
    package var adaptiveMilliseconds = 0
    /// The last founder trains so long in the rounds from … through …; 0: like everybody.
    package var stragglerMilliseconds = 0
    package var stragglerFrom = 0
    package var stragglerThrough = 0
    /// 1: the chain may fork; it must be noticed and proved (I14).
    package var forks = 0

    // Disks, machines and links that fail in rarer ways (PROTOCOL.md §7.2).
    /// Nodes whose disk says that it has written what a crash then loses.
    package var lyingDisks = 0
    /// Nodes whose journal becomes unreadable in the middle.
    package var rottenDisks = 0
    /// Writes that the disk refuses, in 1,000: the process ends.
    package var syncErrors = 0
    /// Milliseconds between two disks running full, for some seconds.
    package var fullDiskInterval = 0
    /// Milliseconds between two power cuts, after which most processes start and die some times.
    package var stormInterval = 0
    /// Nodes whose machine is copied while it runs: both go on.
    package var clones = 0
    /// Milliseconds between two links on which everything waits for a while.
    package var clogInterval = 0
    /// Blobs take so many times as long as small statements; 0: they don't.
    package var bulkSlowness = 0
    /// The most a node's wall clock runs too fast or too slow, in millionths.
    package var driftPerMillion = 0

    // What else traitors do, with these chances in 1,000.
    /// Evidence that proves nothing.
    package var evidenceSpam = 0
    /// Commits that nobody decided, also where somebody asks for commits.
    package var syncPoison = 0
    /// Their updates are served to some only.
    package var selectivity = 0
    /// Everything they have heard, again to everybody.
    package var resending = 0
    /// Votes and timeouts of another mesh, or under another roster.
    package var otherMesh = 0

    // The admin.
    /// Milliseconds between two times that the admin tells the nodes different things under one
    /// number, or old things again.
    package var hostileAdminInterval = 0
    /// 1: the admin tells one node, and is gone until everything heals.
    package var adminSilence = 0
    /// Founders that want another admin.
    package var adminApprovals = 0
    /// Founders that let newcomers in by their words: no admin grants tokens or promotes.
    package var sponsors = 0
    /// Founders that want another policy.
    package var policyWords = 0
    /// Founders that want one of them evicted.
    package var evictionWords = 0
    /// Founders that take their word for that back.
    package var withdrawals = 0

    package init() {}

    package init(participants: Int) { self.participants = participants }

    /// f: how many of the participants may be faulty for good.
    package var tolerance: Int { (max(1, participants - removals) - 1) / 3 }

    /// Participants that may be without a vote at the end, for no fault of theirs.
    private var removals: Int {
        leaves + evictions + suspensions + (evictionWords > 0 ? 1 : 0)
    }

    /// The largest m of a run that can go on when every faulty participant is evicted.
    var updatesMost: Int {
        let left = max(1, max(min(participants, 4), participants - tolerance) - removals)
        return left - (left - 1) / 3
    }

    /// The name of each option, as in scenarios and on the command line.
    package static let fields: [(name: String, path: any WritableKeyPath<Self, Int> & Sendable)] = [
        ("participants", \.participants), ("strictThree", \.strictThree), ("rounds", \.rounds),
        ("updatesMin", \.updatesMin), ("faultMilliseconds", \.faultMilliseconds),
        ("healMilliseconds", \.healMilliseconds), ("loss", \.loss),
        ("duplication", \.duplication), ("delayMilliseconds", \.delayMilliseconds),
        ("straggling", \.straggling), ("partitionInterval", \.partitionInterval),
        ("crashRate", \.crashRate), ("crashOnSign", \.crashOnSign), ("tornWrite", \.tornWrite),
        ("coordinatorKillInterval", \.coordinatorKillInterval), ("deadForever", \.deadForever),
        ("rollbacks", \.rollbacks), ("pauseInterval", \.pauseInterval),
        ("pauseMilliseconds", \.pauseMilliseconds),
        ("slow", \.slow), ("skewMilliseconds", \.skewMilliseconds),
        ("clockJumpInterval", \.clockJumpInterval), ("twins", \.twins),
        ("traitors", \.traitors), ("equivocation", \.equivocation),
        ("doubleVote", \.doubleVote), ("withholding", \.withholding), ("lateness", \.lateness),
        ("forgery", \.forgery), ("replay", \.replay), ("wrongDigest", \.wrongDigest),
        ("garbage", \.garbage), ("lyingTimeout", \.lyingTimeout), ("falseList", \.falseList),
        ("secondUpdate", \.secondUpdate), ("hiddenCertificate", \.hiddenCertificate),
        ("abstention", \.abstention), ("hinting", \.hinting), ("stopped", \.stopped),
        ("joins", \.joins), ("leaves", \.leaves), ("evictions", \.evictions),
        ("suspensions", \.suspensions), ("rotations", \.rotations),
        ("intruders", \.intruders), ("commitLosses", \.commitLosses), ("forks", \.forks),
        ("absentees", \.absentees), ("adaptiveMilliseconds", \.adaptiveMilliseconds),
        ("stragglerMilliseconds", \.stragglerMilliseconds), ("stragglerFrom", \.stragglerFrom),
        ("stragglerThrough", \.stragglerThrough),
        ("lyingDisks", \.lyingDisks),
        ("rottenDisks", \.rottenDisks), ("syncErrors", \.syncErrors),
        ("fullDiskInterval", \.fullDiskInterval), ("stormInterval", \.stormInterval),
        ("clones", \.clones), ("clogInterval", \.clogInterval),
        ("bulkSlowness", \.bulkSlowness), ("driftPerMillion", \.driftPerMillion),
        ("evidenceSpam", \.evidenceSpam), ("syncPoison", \.syncPoison),
        ("selectivity", \.selectivity), ("resending", \.resending),
        ("otherMesh", \.otherMesh), ("hostileAdminInterval", \.hostileAdminInterval),
        ("adminSilence", \.adminSilence), ("adminApprovals", \.adminApprovals),
        ("sponsors", \.sponsors), ("policyWords", \.policyWords),
        ("evictionWords", \.evictionWords), ("withdrawals", \.withdrawals),
    ]

    /// Those whose removal makes a failure simpler; the others say what mesh it is.
    package static let faults: Set<String> = [
        "loss", "duplication", "straggling", "partitionInterval", "crashRate", "crashOnSign",
        "tornWrite", "coordinatorKillInterval", "deadForever", "rollbacks", "pauseInterval", "slow",
        "skewMilliseconds", "clockJumpInterval", "twins", "traitors", "equivocation",
        "doubleVote", "withholding", "lateness", "forgery", "replay", "wrongDigest", "garbage",
        "lyingTimeout", "falseList", "secondUpdate", "hiddenCertificate", "abstention",
        "stopped", "joins", "leaves", "evictions", "suspensions", "rotations", "intruders",
        "commitLosses", "absentees", "stragglerMilliseconds",
        "lyingDisks", "rottenDisks", "syncErrors", "fullDiskInterval", "stormInterval", "clones",
        "clogInterval", "bulkSlowness", "driftPerMillion", "evidenceSpam", "syncPoison",
        "selectivity", "resending", "otherMesh", "hostileAdminInterval", "adminSilence",
        "adminApprovals", "sponsors", "policyWords", "evictionWords", "withdrawals",
    ]
}

extension SimulationOptions: CustomStringConvertible {
    /// What differs from the defaults: `loss=120 twins=1`.
    package var description: String {
        let plain = SimulationOptions()
        return Self.fields.filter { self[keyPath: $0.path] != plain[keyPath: $0.path] }
            .map { "\($0.name)=\(self[keyPath: $0.path])" }.joined(separator: " ")
    }
}

/// A shell that breaks its duty: each must be caught, or the checkers check nothing.
package enum Mutation: String, CaseIterable, Sendable {
    /// Sends a first vote before it is durable.
    case vote1NotDurable
    /// Sends a second vote, and what it rests on, before they are durable.
    case vote2NotDurable
    case timeoutNotDurable
    /// Starts again with its commits but without its journal.
    case journalLost
    /// Says that a commit is stored before it is.
    case commitNotDurable
    /// Every node answers with the same wrong model.
    case aggregateForged
}
