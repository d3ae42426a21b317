package import AegisCore

/// What the mesh keeps of a token that may be used on a live mesh: enough to check a request, not
/// enough to make one (PROTOCOL.md §4.4). Committed, so that single use is decided by the quorum
/// and the admin may be down when the token is used.
package struct JoinGrant: Hashable, Sendable {
    package enum Purpose: UInt64, CaseIterable, Sendable {
        /// To become a learner, who can be promoted.
        case participant = 1
        /// To watch only.
        case observer = 2
    }

    /// 8 bytes.
    package let tokenID: [UInt8]
    /// The token's public key.
    package let tokenKey: NodeID
    package let purpose: Purpose
    /// What the member will be called; empty: whatever the request says.
    package let name: String
    /// How many nodes may use it, each once.
    package let usesMax: Int
    /// Milliseconds since 1970; judged by committed time.
    package let notAfter: UInt64
    /// The only node that may use it; the token is then no secret.
    package let boundNode: NodeID?

    package init(
        tokenID: [UInt8], tokenKey: NodeID, purpose: Purpose = .participant, name: String = "",
        usesMax: Int = 1, notAfter: UInt64, boundNode: NodeID? = nil
    ) {
        self.tokenID = tokenID
        self.tokenKey = tokenKey
        self.purpose = purpose
        self.name = name
        self.usesMax = usesMax
        self.notAfter = notAfter
        self.boundNode = boundNode
    }

    var cbor: CBOR {
        var fields: [(Int64, CBOR)] = [
            (1, .bytes(tokenID)), (2, .node(tokenKey)), (3, .unsigned(purpose.rawValue)),
            (4, .text(name)), (5, .integer(Int64(usesMax))), (6, .unsigned(notAfter)),
        ]
        if let boundNode { fields.append((7, .node(boundNode))) }
        return .map(CBORMap(fields))
    }

    init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        tokenID = try fields.bytes(1, max: 8)
        guard tokenID.count == 8 else { throw .outOfRange(field: 1) }
        tokenKey = try fields.node(2)
        guard let purpose = Purpose(rawValue: try fields.unsigned(3)) else {
            throw .outOfRange(field: 3)
        }
        self.purpose = purpose
        name = try fields.text(4)
        usesMax = try fields.count(5, in: 1...Limits.participantsMax)
        notAfter = try fields.unsigned(6, max: UInt64(Int64.max))
        if let bound = fields.optional(7) {
            guard case .bytes(let bytes) = bound, let node = NodeID(bytes) else {
                throw .outOfRange(field: 7)
            }
            boundNode = node
        } else {
            boundNode = nil
        }
        try fields.finish()
    }
}

/// A grant and who has used it, as the chain keeps it.
package struct GrantedToken: Hashable, Sendable {
    package let grant: JoinGrant
    package internal(set) var users: [NodeID]
}
