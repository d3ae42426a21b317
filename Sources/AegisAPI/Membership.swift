/// An onboarding token as it was made. The only answer that ever has the token itself.
package struct JoinTokenCreated: Codable, Sendable, Equatable {
    package var id: String
    package var name: String
    package var token: String
    package var expiresAt: String
    /// host:port of the admin's mesh listener.
    package var admin: String
    /// host:port of members' mesh listeners: whoever joins a mesh that runs dials one of these.
    package var peers: [String]?
    package var kind: JoinTokenView.Kind
    package var usesMax: Int

    package init(
        id: String, name: String, token: String, expiresAt: String, admin: String,
        peers: [String]? = nil, kind: JoinTokenView.Kind = .participant, usesMax: Int = 1
    ) {
        self.kind = kind
        self.usesMax = usesMax
        self.peers = peers
        self.id = id
        self.name = name
        self.token = token
        self.expiresAt = expiresAt
        self.admin = admin
    }
}

package struct JoinTokenView: Codable, Sendable, Equatable {
    /// `used`: by as many nodes as may use it.
    package enum State: String, Codable, Sendable, CaseIterable {
        case unused, used, expired, revoked
        case partlyUsed = "partly-used"
    }

    /// What a token lets a node become.
    package enum Kind: String, Codable, Sendable, CaseIterable {
        case participant
        /// Watches: no vote, no updates, no models.
        case observer
        /// A member whose key is lost, under a new one.
        case replacement
    }

    package var id: String
    /// Empty where each node names itself.
    package var name: String
    package var kind: Kind
    /// How many nodes may use it, and how many have.
    package var usesMax: Int
    package var uses: Int
    package var state: State
    package var createdAt: String
    package var createdBy: String
    package var expiresAt: String
    package var usedBy: String?
    package var purpose: String?

    package init(
        id: String, name: String, state: State, createdAt: String, createdBy: String,
        expiresAt: String, usedBy: String?, purpose: String? = nil, kind: Kind = .participant,
        usesMax: Int = 1, uses: Int = 0
    ) {
        self.kind = kind
        self.usesMax = usesMax
        self.uses = uses
        self.id = id
        self.name = name
        self.state = state
        self.createdAt = createdAt
        self.createdBy = createdBy
        self.expiresAt = expiresAt
        self.usedBy = usedBy
        self.purpose = purpose
    }
}

package struct MeshView: Codable, Sendable, Equatable {
    package enum State: String, Codable, Sendable { case open, signing, founded }

    package var mesh: String
    package var name: String
    package var state: State
    package var admin: String
    package var participants: Int
    /// Who has not signed the genesis yet.
    package var waitingFor: [String]
    /// Votes that decide, and how many nodes may lie; nil before the founding.
    package var quorum: Int?
    package var faultTolerance: Int?
    package var strictThree: Bool
    package var viewTimeoutMilliseconds: UInt64
    package var height: UInt64
    package var genesisDigest: String?
    /// Two certified records of one height: what happened, and who showed it.
    package var fork: String?
    /// The last final height that was seen.
    package var final: FinalityView?
    /// What participants want without the admin, and isn't decided.
    package var motions: [MotionView]

    package init(
        mesh: String, name: String, state: State, admin: String, participants: Int,
        waitingFor: [String], quorum: Int?, faultTolerance: Int?, strictThree: Bool,
        viewTimeoutMilliseconds: UInt64, height: UInt64, genesisDigest: String?, fork: String?,
        final: FinalityView? = nil, motions: [MotionView] = []
    ) {
        self.mesh = mesh
        self.name = name
        self.state = state
        self.admin = admin
        self.participants = participants
        self.waitingFor = waitingFor
        self.quorum = quorum
        self.faultTolerance = faultTolerance
        self.strictThree = strictThree
        self.viewTimeoutMilliseconds = viewTimeoutMilliseconds
        self.height = height
        self.genesisDigest = genesisDigest
        self.fork = fork
        self.final = final
        self.motions = motions
    }
}

/// What a participant has given its word for: with a quorum's words it is carried.
package struct MotionView: Codable, Sendable, Equatable {
    package var id: String
    /// What it would do.
    package var motion: String
    /// The names of those who are for it, and how many it takes.
    package var words: [String]
    package var quorum: Int

    package init(id: String, motion: String, words: [String], quorum: Int) {
        self.id = id
        self.motion = motion
        self.words = words
        self.quorum = quorum
    }
}

package struct ParticipantView: Codable, Sendable, Equatable {
    package var node: String
    package var name: String
    package var address: String
    package var joinedAt: String
    /// In the mesh's roster; absent before the founding, and for who is no member any more.
    package var standing: MemberView.Standing?
    /// Whether its last poll was answered.
    package var reachable: Bool
    package var lastSeen: String?
    /// What it said of itself, as it said it.
    package var status: NodeStatus?

    package init(
        node: String, name: String, address: String, joinedAt: String,
        standing: MemberView.Standing? = nil, reachable: Bool, lastSeen: String?,
        status: NodeStatus?
    ) {
        self.node = node
        self.name = name
        self.address = address
        self.joinedAt = joinedAt
        self.standing = standing
        self.reachable = reachable
        self.lastSeen = lastSeen
        self.status = status
    }
}

package struct HealthView: Codable, Sendable, Equatable {
    package var status: String

    package init(status: String) { self.status = status }
}

/// A page of a list.
package struct Items<Item: Codable & Sendable>: Codable, Sendable {
    package var items: [Item]
    /// `after` of the next page; absent on the last.
    package var next: String?

    package init(items: [Item], next: String? = nil) {
        self.items = items
        self.next = next
    }
}
