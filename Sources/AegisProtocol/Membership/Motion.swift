package import AegisCore

/// What the participants decide among themselves, each by its own word: a quorum's words carry it,
/// whatever the admin says of it (PROTOCOL.md §2.10, §4.4, §4.5).
package enum Motion: Hashable, Sendable {
    /// Another key in the place of the admin's.
    case admin(KeyReplacement)
    /// In the place of what the founders agreed to, or of what was carried last.
    case policy(MeshPolicy)
    /// What the admin could ask for: a token granted or revoked, a member promoted, suspended,
    /// resumed or evicted.
    indirect case change(MembershipChange)

    /// A participant has one word on each.
    enum Subject: Hashable {
        case admin
        case policy
        case member(NodeID)
        case token([UInt8])
    }

    var subject: Subject {
        switch self {
        case .admin: .admin
        case .policy: .policy
        case .change(let change):
            switch change.subject {
            case .some(let subject): subject
            case nil: preconditionFailure("only what has a subject can be moved")
            }
        }
    }

    /// Whether a word for one is a word for the other: of an admin, its key alone counts.
    package func agrees(with other: Motion) -> Bool {
        switch (self, other) {
        case (.admin(let mine), .admin(let others)): mine.new == others.new
        default: self == other
        }
    }

    /// What a short name of it is made of.
    package var encoded: [UInt8] { CBOR.array(parts).encoded }

    /// Of the word for it, after the kind and the node.
    var parts: [CBOR] {
        switch self {
        case .admin(let replacement): [1, replacement.cbor]
        case .policy(let policy): [2, policy.cbor]
        case .change(let change): [3, change.cbor]
        }
    }

    init(_ kind: CBOR, _ value: CBOR) throws(StatementError) {
        switch kind {
        case 1: self = .admin(try KeyReplacement(value))
        case 2: self = .policy(try MeshPolicy(value))
        case 3:
            // No word for a word: what nests has no end.
            guard case .array(let parts) = value, let kind = parts.first,
                MembershipChange.movableKinds.contains(kind)
            else { throw .outOfRange(field: 4) }
            self = .change(try MembershipChange(value))
        default: throw .outOfRange(field: 4)
        }
    }
}

extension MembershipChange {
    static let movableKinds: [CBOR] = [1, 2, 3, 4, 5, 6]

    /// Of a motion for this change; nil where only the admin, or the node itself, can ask for it.
    var subject: Motion.Subject? {
        switch self {
        case .grantToken(let grant): .token(grant.tokenID)
        case .revokeToken(let token): .token(token)
        case .promote(let node), .suspend(let node, _), .resume(let node), .evict(let node, _):
            .member(node)
        case .replaceLostKey, .join, .ready, .leave, .rotateKey, .moveAddress, .word, .withdraw:
            nil
        }
    }
}

/// A participant's word for a motion, as the chain keeps it.
package struct MotionWord: Hashable, Sendable {
    package let node: NodeID
    package let motion: Motion
    /// Milliseconds since 1970; committed time.
    package let givenAt: UInt64

    func isStale(at time: UInt64) -> Bool {
        time >= givenAt && time - givenAt > ProtocolLimits.wordMilliseconds
    }
}
