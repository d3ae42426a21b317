package import AegisCore

/// A change of who is in the mesh: decided like everything else, at one height, by the roster
/// before it (PROTOCOL.md §2.10). Who signs which says `Author`.
package enum MembershipChange: Hashable, Sendable {
    case grantToken(JoinGrant)
    /// The token's id.
    case revokeToken([UInt8])
    /// A ready learner votes from the next height on.
    case promote(NodeID)
    /// A participant's vote rests; its updates no longer count.
    case suspend(NodeID, reason: String)
    case resume(NodeID)
    case evict(NodeID, reason: String)
    /// The old key is lost: the admin vouches for the new one.
    case replaceLostKey(KeyReplacement)
    /// A node that isn't a member becomes one. Travels as its `joinRequest` envelope around the
    /// token's; `token` is the key that signed the inner one.
    case join(JoinRequest, token: NodeID)
    /// A learner follows the chain: at this height its header had this digest (SyncProof).
    case ready(NodeID, height: UInt64, tip: Digest)
    case leave(NodeID)
    /// The old key vouches for the new one.
    case rotateKey(KeyReplacement)
    case moveAddress(NodeID, String)
    /// A participant's word: a quorum of them carries the motion.
    case word(NodeID, Motion)
    /// It no longer wants what it gave its word for.
    case withdraw(NodeID, Motion)

    package enum Author: Hashable, Sendable {
        case admin
        case node(NodeID)
    }

    package var author: Author {
        switch self {
        case .grantToken, .revokeToken, .promote, .suspend, .resume, .evict, .replaceLostKey:
            .admin
        case .join(let request, _): .node(request.node)
        case .ready(let node, _, _), .leave(let node), .moveAddress(let node, _),
            .word(let node, _), .withdraw(let node, _):
            .node(node)
        case .rotateKey(let replacement): .node(replacement.old)
        }
    }

    private static let reasonBytesMax = 256

    /// A join has an envelope of its own and no encoding here.
    var cbor: CBOR {
        switch self {
        case .grantToken(let grant): .array([1, grant.cbor])
        case .revokeToken(let token): .array([2, .bytes(token)])
        case .promote(let node): .array([3, .node(node)])
        case .suspend(let node, let reason): .array([4, .node(node), .text(reason)])
        case .resume(let node): .array([5, .node(node)])
        case .evict(let node, let reason): .array([6, .node(node), .text(reason)])
        case .replaceLostKey(let replacement): .array([7, replacement.cbor])
        case .ready(let node, let height, let tip):
            .array([8, .node(node), .unsigned(height), .digest(tip)])
        case .leave(let node): .array([9, .node(node)])
        case .rotateKey(let replacement): .array([10, replacement.cbor])
        case .moveAddress(let node, let address): .array([11, .node(node), .text(address)])
        case .join(let request, _): .array([12, .bytes(request.payload)])
        case .word(let node, let motion): .array([13, .node(node)] + motion.parts)
        case .withdraw(let node, let motion): .array([14, .node(node)] + motion.parts)
        }
    }

    init(_ value: CBOR) throws(StatementError) {
        guard case .array(let parts) = value, (2...4).contains(parts.count),
            case .unsigned(let kind) = parts[0]
        else { throw .wrongType(field: 4) }
        func count(_ expected: Int) throws(StatementError) {
            guard parts.count == expected else { throw .outOfRange(field: 4) }
        }
        func node() throws(StatementError) -> NodeID {
            guard case .bytes(let bytes) = parts[1], let node = NodeID(bytes) else {
                throw .outOfRange(field: 4)
            }
            return node
        }
        func text(max: Int) throws(StatementError) -> String {
            guard parts.count == 3, case .text(let text) = parts[2], text.utf8.count <= max
            else { throw .outOfRange(field: 4) }
            return text
        }
        switch kind {
        case 1:
            try count(2)
            self = .grantToken(try JoinGrant(parts[1]))
        case 2:
            guard parts.count == 2, case .bytes(let token) = parts[1], token.count == 8 else {
                throw .outOfRange(field: 4)
            }
            self = .revokeToken(token)
        case 3, 5, 9:
            try count(2)
            let node = try node()
            self = kind == 3 ? .promote(node) : kind == 5 ? .resume(node) : .leave(node)
        case 4: self = .suspend(try node(), reason: try text(max: Self.reasonBytesMax))
        case 6: self = .evict(try node(), reason: try text(max: Self.reasonBytesMax))
        case 7, 10:
            try count(2)
            let replacement = try KeyReplacement(parts[1])
            self = kind == 7 ? .replaceLostKey(replacement) : .rotateKey(replacement)
        case 8:
            guard parts.count == 4, case .unsigned(let height) = parts[2],
                case .bytes(let bytes) = parts[3], let tip = Digest(bytes)
            else { throw .outOfRange(field: 4) }
            self = .ready(try node(), height: height, tip: tip)
        case 13, 14:
            try count(4)
            let motion = try Motion(parts[2], parts[3])
            self = kind == 13 ? .word(try node(), motion) : .withdraw(try node(), motion)
        case 11: self = .moveAddress(try node(), try text(max: Limits.addressBytesMax))
        default: throw .outOfRange(field: 4)
        }
    }
}

/// An identity key in the place of another: a member's, whose name, address and standing stay, or
/// the admin's.
package struct KeyReplacement: Hashable, Sendable {
    package let old: NodeID
    package let new: NodeID
    /// The new key's signature over `KeyConsent`: whoever names it has it.
    package let consent: SignedEnvelope

    package init(old: NodeID, new: NodeID, consent: SignedEnvelope) {
        self.old = old
        self.new = new
        self.consent = consent
    }

    var cbor: CBOR { .fields([1: .node(old), 2: .node(new), 3: .bytes(consent.bytes)]) }

    init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        old = try fields.node(1)
        new = try fields.node(2)
        let bytes = try fields.bytes(3, max: 1_024)
        guard let consent = try? SignedEnvelope(parsing: bytes) else { throw .outOfRange(field: 3) }
        self.consent = consent
        try fields.finish()
    }
}

/// Signed by a new identity key, in the domain `keyConsent`: it takes the place of the old one.
package struct KeyConsent: Hashable, Sendable {
    package let mesh: MeshID
    package let old: NodeID
    package let new: NodeID

    package init(mesh: MeshID, old: NodeID, new: NodeID) {
        self.mesh = mesh
        self.old = old
        self.new = new
    }

    package var payload: [UInt8] {
        CBOR.fields([1: .bytes(mesh.bytes), 2: .node(old), 3: .node(new)]).encoded
    }

    package init(payload: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: payload)
        mesh = try fields.mesh(1)
        old = try fields.node(2)
        new = try fields.node(3)
        try fields.finish()
    }
}

/// Why a change of the membership can't be made.
package enum MembershipRefusal: Error, Hashable, Sendable {
    case tokenExists
    case tooManyTokens
    case unknownToken
    /// Milliseconds since 1970, committed time.
    case tokenExpired(at: UInt64)
    case tokenLivesTooLong
    case tokenUsedUp
    case tokenOfAnotherNode
    case nameNotGranted(String)
    case nameTaken(String)
    case nameMissing
    case meshFull
    case alreadyAMember(NodeID)
    /// It was evicted, left, or gave up its key: ids are never used again.
    case neverAgain(NodeID)
    case notAMember(NodeID)
    case notAParticipant(NodeID)
    case notReady(NodeID)
    case notSuspended(NodeID)
    case unknownTip(height: UInt64)
    case convicted(NodeID)
    /// Somebody must be left to decide.
    case lastParticipant
    /// At most max(1, f) votes more in one height (§2.10).
    case tooManyAdditions
    /// At most max(1, f) votes may rest at once.
    case tooManySuspended
    /// The admin takes one participant out in so long a time; milliseconds since 1970.
    case tooSoon(until: UInt64)
    case noChange
    /// Another key is the mesh's admin.
    case notTheAdmin(NodeID)
    /// It has given its word for as many motions as one participant may.
    case tooManyWords

    /// Whether waiting may help.
    var isTransient: Bool {
        switch self {
        case .notReady, .tooManyAdditions, .lastParticipant: true
        default: false
        }
    }
}
